import { createHash } from 'node:crypto'
import { type AwsAccount, type PolicyDocument, providerArn, roleArn } from '../aws/account.ts'
import type { GcpProject } from '../gcp/project.ts'
import type { EstateBuilder } from './builder.ts'
import { type Estate, type ServicePrincipal, vaultId } from './estate.ts'
import { roles } from './roles.ts'

/** The audience that Entra's tokens for other clouds are asked under: an app registration's identifier. */
export const federationAudience = 'api://attestry-federation'
export const awsAccountId = '428371900615'
export const awsRegion = 'eu-central-1'
export const awsExternalId = 'attestry-7f3c9b52e1d04a68'
export const gcpProjectId = 'contoso-payments-prod'
export const gcpProjectNumber = '418273640917'
export const gcpServiceAccount = `attestry-sync@${gcpProjectId}.iam.gserviceaccount.com`

const owned = { StringEquals: { 'aws:ResourceTag/managed-by': 'attestry' } } as const
const marked = { StringEquals: { 'aws:RequestTag/managed-by': 'attestry' } } as const

/** What the role that writes may do, as docs/aws-setup.md gives it to customers; a test holds the two together. */
export const awsSyncPolicy = (account: string, region: string): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'SeeWhatIsThere',
      Effect: 'Allow',
      Action: ['secretsmanager:ListSecrets', 'ssm:DescribeParameters', 'acm:ListCertificates'],
      Resource: '*',
    },
    {
      Sid: 'LookAtOne',
      Effect: 'Allow',
      Action: [
        'secretsmanager:DescribeSecret',
        'ssm:ListTagsForResource',
        'acm:DescribeCertificate',
        'acm:ListTagsForCertificate',
      ],
      Resource: [
        `arn:aws:secretsmanager:${region}:${account}:secret:*`,
        `arn:aws:ssm:${region}:${account}:parameter/*`,
        `arn:aws:acm:${region}:${account}:certificate/*`,
      ],
    },
    {
      Sid: 'MakeMarked',
      Effect: 'Allow',
      Action: [
        'secretsmanager:CreateSecret',
        'secretsmanager:TagResource',
        'ssm:PutParameter',
        'ssm:AddTagsToResource',
        'acm:ImportCertificate',
        'acm:AddTagsToCertificate',
      ],
      Resource: [
        `arn:aws:secretsmanager:${region}:${account}:secret:*`,
        `arn:aws:ssm:${region}:${account}:parameter/*`,
        `arn:aws:acm:${region}:${account}:certificate/*`,
      ],
      Condition: marked,
    },
    {
      Sid: 'ChangeOnlyWhatIsMarked',
      Effect: 'Allow',
      Action: [
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecretVersionStage',
        'secretsmanager:RestoreSecret',
        'secretsmanager:DeleteSecret',
        'ssm:PutParameter',
        'ssm:DeleteParameter',
        'acm:ImportCertificate',
        'acm:DeleteCertificate',
      ],
      Resource: [
        `arn:aws:secretsmanager:${region}:${account}:secret:*`,
        `arn:aws:ssm:${region}:${account}:parameter/*`,
        `arn:aws:acm:${region}:${account}:certificate/*`,
      ],
      Condition: owned,
    },
    {
      Sid: 'NeverWithoutRecovery',
      Effect: 'Deny',
      Action: 'secretsmanager:DeleteSecret',
      Resource: '*',
      Condition: { Bool: { 'secretsmanager:ForceDeleteWithoutRecovery': 'true' } },
    },
  ],
})

/** What the custom role of Google Cloud may do, as docs/gcp-setup.md gives it to customers. */
export const gcpSyncPermissions: readonly string[] = [
  'secretmanager.secrets.create',
  'secretmanager.secrets.delete',
  'secretmanager.secrets.get',
  'secretmanager.secrets.list',
  'secretmanager.secrets.update',
  'secretmanager.versions.add',
  'secretmanager.versions.destroy',
  'secretmanager.versions.disable',
  'secretmanager.versions.get',
  'secretmanager.versions.list',
  'certificatemanager.certs.create',
  'certificatemanager.certs.delete',
  'certificatemanager.certs.get',
  'certificatemanager.certs.list',
  'certificatemanager.certs.update',
  'certificatemanager.operations.get',
]

/**
 * An AWS account and a Google Cloud project that trust the identity the product runs as: nothing is in them yet.
 * @param identity the machine's own
 */
export function elsewhere(
  build: EstateBuilder,
  identity: ServicePrincipal,
): { aws: AwsAccount; gcp: GcpProject } {
  const { directory } = build.estate
  const issuer = `https://sts.windows.net/${directory}/`
  build.application('attestry-federation', {
    owners: [build.user('Priya Nair')],
    identifierUris: [federationAudience],
  })

  const entry = roleArn(awsAccountId, 'attestry-entry')
  const sync = roleArn(awsAccountId, 'attestry-sync')
  const condition = issuer.replace('https://', '')
  const mayAssumeSync: PolicyDocument = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: sync }],
  }
  const user = `arn:aws:iam::${awsAccountId}:user/attestry-keys`
  const aws: AwsAccount = {
    id: awsAccountId,
    identityProviders: [{ url: issuer, audiences: [federationAudience] }],
    roles: [
      {
        name: 'attestry-entry',
        maxSessionSeconds: 3_600,
        trust: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { Federated: providerArn(awsAccountId, issuer) },
              Action: 'sts:AssumeRoleWithWebIdentity',
              Condition: {
                StringEquals: {
                  [`${condition}:aud`]: federationAudience,
                  [`${condition}:sub`]: identity.id,
                },
              },
            },
          ],
        },
        policies: [mayAssumeSync],
      },
      {
        name: 'attestry-sync',
        maxSessionSeconds: 3_600,
        trust: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { AWS: [entry, user] },
              Action: 'sts:AssumeRole',
              Condition: { StringEquals: { 'sts:ExternalId': awsExternalId } },
            },
          ],
        },
        policies: [awsSyncPolicy(awsAccountId, awsRegion)],
      },
    ],
    users: [
      {
        name: 'attestry-keys',
        policies: [mayAssumeSync],
        accessKeys: [
          { id: 'AKIATWINATTESTRY0001', secret: build.canary('aws key attestry-keys'), active: true },
        ],
      },
    ],
    secrets: [],
    parameters: [],
    certificates: [],
  }

  const role = `projects/${gcpProjectId}/roles/attestrySync`
  const principal = `principal://iam.googleapis.com/projects/${gcpProjectNumber}/locations/global/workloadIdentityPools/attestry/subject/${identity.id}`
  const gcp: GcpProject = {
    id: gcpProjectId,
    number: gcpProjectNumber,
    roles: [{ name: role, permissions: [...gcpSyncPermissions] }],
    policy: [{ role, members: [`serviceAccount:${gcpServiceAccount}`] }],
    serviceAccounts: [
      {
        email: gcpServiceAccount,
        uniqueId: '104726193845027361954',
        policy: [{ role: 'roles/iam.workloadIdentityUser', members: [principal] }],
        keys: [],
      },
    ],
    pools: [
      {
        id: 'attestry',
        providers: [{ id: 'entra', issuer, audiences: [federationAudience], subject: identity.id }],
      },
    ],
    secrets: [],
    certificates: [],
    operations: [],
  }
  build.estate.aws.push(aws)
  build.estate.gcp.push(gcp)
  return { aws, gcp }
}

/**
 * How the product may sign in to the accounts of an estate: what `npm start` offers as connectors. No secret is in it.
 */
export const connectorsOf = ({ aws, gcp }: Estate): object[] => [
  ...aws.map(({ id }) => ({
    cloud: 'aws',
    name: 'AWS, demonstration',
    account: id,
    region: awsRegion,
    access: {
      how: 'web-identity',
      roleArn: roleArn(id, 'attestry-entry'),
      audience: federationAudience,
      thenRoleArn: roleArn(id, 'attestry-sync'),
      externalId: awsExternalId,
    },
  })),
  ...gcp.map(({ id, number }) => ({
    cloud: 'gcp',
    name: 'Google Cloud, demonstration',
    account: id,
    region: null,
    access: {
      how: 'federation',
      audience: `//iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/attestry/providers/entra`,
      tokenAudience: federationAudience,
      serviceAccount: gcpServiceAccount,
    },
  })),
]

/**
 * What stands in Contoso's other clouds: things that no route owns, under names that a route would like to use, and one
 * that is about to be gone.
 */
export function contosoElsewhere(build: EstateBuilder, identity: ServicePrincipal, nowMs: number): void {
  const { aws, gcp } = elsewhere(build, identity)
  // One vault may be copied from: its values are readable, secret by secret.
  const source = build.estate.vaults.find(({ name }) => name === 'kv-payments-stg')
  for (const name of Object.keys(source?.secrets ?? {}))
    if (source !== undefined) build.assign(identity, roles.secretsUser, `${vaultId(source)}/secrets/${name}`)
  // And one certificate, of which the twin has the whole key.
  const checkout = build.estate.vaults.find(({ name }) => name === 'kv-checkout-prod')
  if (checkout) build.assign(identity, roles.secretsUser, `${vaultId(checkout)}/secrets/checkout-cdn-origin`)
  const day = 86_400
  const now = Math.floor(nowMs / 1000)
  const hex = (text: string) => createHash('sha256').update(text).digest('hex')
  const secret = (name: string, age: number, tags: Record<string, string>, deletedDaysAgo?: number) => {
    const created = now - age * day
    const deleted = deletedDaysAgo === undefined ? null : now - deletedDaysAgo * day
    aws.secrets.push({
      region: awsRegion,
      name,
      suffix: hex(`suffix ${name}`).slice(0, 6),
      description: null,
      kmsKey: null,
      tags,
      created,
      changed: deleted ?? created,
      deleted: deleted === null ? null : { at: deleted, goneAt: deleted + 30 * day },
      versions: [
        {
          id: hex(`version ${name}`).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5'),
          created,
          stages: ['AWSCURRENT'],
          text: build.canary(`aws secret ${name}`),
          binary: null,
        },
      ],
    })
  }
  secret('payments-db-connection', 410, { team: 'payments', 'managed-by': 'terraform' })
  secret('payments/reporting-reader', 120, { team: 'reporting' })
  secret('loyalty-points-client-secret', 65, {})
  secret('card-vault-hmac', 300, { team: 'payments' }, 4)
  for (const [name, age] of [
    ['/contoso/payments/card-vault-hmac', 220],
    ['/contoso/shared/log-level', 30],
  ] as const)
    aws.parameters.push({
      region: awsRegion,
      name,
      tags: { team: 'payments' },
      versions: [
        {
          version: 1,
          value: build.canary(`aws parameter ${name}`),
          type: 'SecureString',
          tier: 'Standard',
          description: null,
          keyId: 'alias/aws/ssm',
          modified: now - age * day,
          by: `arn:aws:iam::${awsAccountId}:user/deploy`,
          labels: [],
        },
      ],
    })
  for (const [id, age, labels] of [
    ['payments-db-connection', 380, { team: 'payments', 'managed-by': 'terraform' }],
    ['bigquery-export-key', 90, { team: 'reporting' }],
  ] as const)
    gcp.secrets.push({
      id,
      created: nowMs - age * day * 1000,
      labels: { ...labels },
      annotations: {},
      versionDestroyTtl: null,
      generation: 1,
      policy: [],
      versions: [
        {
          number: 1,
          created: nowMs - age * day * 1000,
          state: 'ENABLED',
          data: Buffer.from(build.canary(`gcp secret ${id}`)).toString('base64'),
          checksummed: true,
          destroyed: null,
          scheduledDestroy: null,
          generation: 1,
        },
      ],
    })
}
