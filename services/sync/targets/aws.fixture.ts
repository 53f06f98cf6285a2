import { azureAccess } from '@attestry/kit/azure'
import { ACMClient } from '@aws-sdk/client-acm'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { generatedEstate, type RunningCloud, startCloud } from '../../twin/index.ts'
import type { Account, World } from './access.ts'

/** Where the twin's AWS account is, and how the product may sign in to it. */
export const AWS = {
  account: '428371900615',
  region: 'eu-central-1',
  externalId: 'attestry-7f3c9b52e1d04a68',
} as const
export const ENTRY_ROLE = `arn:aws:iam::${AWS.account}:role/attestry-entry`
export const SYNC_ROLE = `arn:aws:iam::${AWS.account}:role/attestry-sync`
export const AUDIENCE = 'api://attestry-federation'

export const awsAccount: Account = {
  account: AWS.account,
  region: AWS.region,
  access: {
    how: 'web-identity',
    roleArn: ENTRY_ROLE,
    audience: AUDIENCE,
    onward: { roleArn: SYNC_ROLE, externalId: AWS.externalId },
  },
}

/** A cloud with one empty account and one empty project, and the product's machine in it. */
export async function foreignCloud(): Promise<{ readonly twin: RunningCloud; readonly world: World }> {
  const twin = await startCloud({
    estate: generatedEstate({ vaults: 1, secrets: 0, keys: 0, certificates: 0, now: Date.now() }),
  })
  return { twin, world: worldOf(twin) }
}

const worldOf = (twin: RunningCloud): World => ({
  azure: {
    ...azureAccess({ endpoint: twin.url, env: {} }),
    // The library keeps one managed identity for the whole process, and here there is a cloud for each group of tests.
    credential: {
      async getToken(scopes) {
        const token = await twin.token('attestry', String(scopes).replace(/\/\.default$/, ''))
        return { token, expiresOnTimestamp: twin.clock.now() + 3_600_000 }
      },
    },
  },
  endpoint: twin.url,
  now: () => Temporal.Instant.fromEpochMilliseconds(twin.clock.now()),
  env: {},
})

/** The account's own administrator, by clients that go straight to the twin. */
export function awsPerson(twin: RunningCloud) {
  const [account] = twin.estate.aws
  if (!account) throw new Error('the estate has no AWS account')
  const key = { id: 'AKIATWINPERSON000001', secret: 'the-secret-of-a-person', active: true }
  if (!account.users.some(({ name }) => name === 'person'))
    account.users.push({
      name: 'person',
      policies: [{ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }],
      accessKeys: [key],
    })
  const options = {
    region: AWS.region,
    endpoint: twin.url,
    credentials: { accessKeyId: key.id, secretAccessKey: key.secret },
  }
  return {
    account,
    secrets: new SecretsManagerClient(options),
    parameters: new SSMClient(options),
    certificates: new ACMClient(options),
  }
}
