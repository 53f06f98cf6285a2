import { ACMClient } from '@aws-sdk/client-acm'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  type Credentials,
  STSClient,
} from '@aws-sdk/client-sts'
import { roleArn } from '../aws/account.ts'
import { awsAccountId, awsExternalId, awsRegion, federationAudience } from '../estate/elsewhere.ts'
import { hostHeader, type RunningCloud } from '../index.ts'

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}
interface Routable {
  middlewareStack: STSClient['middlewareStack']
}

/** Sends what a client signed for its real host to the twin, that host kept in a header. */
export function route<C extends object>(client: C, cloud: Pick<RunningCloud, 'url'>): C {
  const to = new URL(cloud.url)
  // Every client of the SDK has a stack of this shape; only its types differ by its commands.
  const { middlewareStack } = client as unknown as Routable
  middlewareStack.add(
    (next) => (args) => {
      // What a serializer made: an HTTP request.
      const request = args.request as { hostname: string; headers: Record<string, string> }
      return next({
        ...args,
        request: {
          ...request,
          protocol: to.protocol,
          hostname: to.hostname,
          port: Number(to.port),
          headers: { ...request.headers, [hostHeader]: request.hostname },
        },
      })
    },
    { step: 'deserialize', name: 'routeToTwin', priority: 'low' },
  )
  return client
}

/** Clients of somebody who holds keys of the account. */
export function awsClients(cloud: RunningCloud, credentials: Keys, region = awsRegion) {
  const options = { region, credentials, maxAttempts: 2 }
  return {
    sts: route(new STSClient(options), cloud),
    secrets: route(new SecretsManagerClient(options), cloud),
    parameters: route(new SSMClient(options), cloud),
    certificates: route(new ACMClient(options), cloud),
  }
}

/** Makes somebody who may do anything, and clients of theirs. */
export function awsAdministrator(cloud: RunningCloud) {
  const [account] = cloud.estate.aws
  const accessKey = { id: 'AKIATWINADMIN0000001', secret: 'admin-secret-of-the-test', active: true }
  account?.users.push({
    name: 'admin',
    policies: [{ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }],
    accessKeys: [accessKey],
  })
  return awsClients(cloud, { accessKeyId: accessKey.id, secretAccessKey: accessKey.secret })
}

function keysOf(given: Credentials | undefined): Keys {
  if (!given?.AccessKeyId || !given.SecretAccessKey || !given.SessionToken)
    throw new Error('STS gave no credentials.')
  return {
    accessKeyId: given.AccessKeyId,
    secretAccessKey: given.SecretAccessKey,
    sessionToken: given.SessionToken,
  }
}

/** The keyless chain: Entra's token, a role that trusts it, then the role that writes. */
export async function awsSync(cloud: RunningCloud) {
  const anonymous = route(
    new STSClient({ region: awsRegion, credentials: { accessKeyId: 'x', secretAccessKey: 'x' } }),
    cloud,
  )
  const entry = await anonymous.send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleArn(awsAccountId, 'attestry-entry'),
      RoleSessionName: 'attestry',
      WebIdentityToken: await cloud.token('attestry', federationAudience),
    }),
  )
  const { sts } = awsClients(cloud, keysOf(entry.Credentials))
  const sync = await sts.send(
    new AssumeRoleCommand({
      RoleArn: roleArn(awsAccountId, 'attestry-sync'),
      RoleSessionName: 'attestry',
      ExternalId: awsExternalId,
    }),
  )
  return awsClients(cloud, keysOf(sync.Credentials))
}
