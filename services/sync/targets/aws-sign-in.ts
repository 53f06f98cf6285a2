import { ACMClient } from '@aws-sdk/client-acm'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  type Credentials,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'
import { Denied } from '@attestry/kit'
import { azureFailure } from '@attestry/kit/azure'
import type { Account, World } from './access.ts'
import { awsFailure } from './aws-failure.ts'
import { loopback } from './loopback.ts'

/*
 * How an AWS account is signed in to. Best first: Entra's token for a role (no secret of ours at all), a role with an
 * external id from the machine's own AWS identity, a stored key as the last resort. Sessions last an hour and live in
 * memory.
 */

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}
interface Session {
  readonly keys: Keys
  /** The account that the keys are of, as AWS says it. */
  readonly account: string
}

/** An account's clients. */
export interface AwsAccess {
  readonly secrets: SecretsManagerClient
  readonly parameters: SSMClient
  readonly certificates: ACMClient
  /** @returns the account that was reached */
  account(signal: AbortSignal): Promise<string>
  /** Runs one request; a session that AWS no longer takes is replaced once. Failures have the kit's names. */
  ask<T>(call: () => Promise<T>): Promise<T>
}

const SESSION_NAME = 'attestry'
/** A session this close to its end is not used any more. */
const MARGIN_MS = 300_000
/** The SDK's own tries of a request, for throttles and dropped connections; the worker's come on top. */
const ATTEMPTS = 3
const TIMEOUTS = { connectionTimeout: 5_000, requestTimeout: 15_000 }

interface Routable {
  readonly middlewareStack: STSClient['middlewareStack']
}

/** Sends what was signed for AWS to a stand-in on this machine, the host that it was meant for kept in a header. */
function route<C extends object>(client: C, endpoint: string | undefined): C {
  if (endpoint === undefined) return client
  const to = loopback(endpoint)
  // Every client of the SDK has such a stack; the types differ by the commands alone.
  const { middlewareStack } = client as unknown as Routable
  middlewareStack.add(
    (next) => (args) => {
      // What the SDK's serializer made.
      const request = args.request as { hostname: string; headers: Record<string, string> }
      return next({
        ...args,
        request: {
          ...request,
          protocol: to.protocol,
          hostname: to.hostname,
          port: Number(to.port),
          headers: { ...request.headers, 'x-attestry-host': request.hostname },
        },
      })
    },
    // After signing, so that the signature is for the real host.
    { step: 'deserialize', name: 'attestryRoute', priority: 'low' },
  )
  return client
}

function keysOf(given: Credentials | undefined): Keys {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = given ?? {}
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
    throw new Error('AWS answered a role without credentials')
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
  }
}
/** The account in `arn:aws:sts::111122223333:assumed-role/…`. */
const accountOf = (arn: string | undefined): string => arn?.split(':')[4] ?? ''

const nobody: Keys = { accessKeyId: 'none', secretAccessKey: 'none' }

/**
 * Signs in to an account and makes its clients. Nothing is asked before the first request.
 * @throws (from requests) Denied 'WrongAccount' where the credentials turn out to be of another account than declared
 */
export function awsAccess(account: Account, world: World): AwsAccess {
  const { access, region } = account
  if (region === null) throw new Error('An AWS account needs a region')
  const base = { region, maxAttempts: ATTEMPTS, requestHandler: TIMEOUTS }
  const sts = (credentials: Keys) => route(new STSClient({ ...base, credentials }), world.endpoint)

  const withRole = async (from: Keys, roleArn: string, externalId: string): Promise<Session> => {
    const given = await sts(from).send(
      new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: SESSION_NAME, ExternalId: externalId }),
    )
    return { keys: keysOf(given.Credentials), account: accountOf(given.AssumedRoleUser?.Arn) }
  }

  async function signIn(): Promise<Session> {
    switch (access.how) {
      case 'web-identity': {
        const token = await world.azure.credential.getToken(`${access.audience}/.default`).catch((thrown) => {
          throw azureFailure(thrown)
        })
        if (!token) throw new Denied('NoToken', 'Entra gave no token for AWS')
        const given = await sts(nobody).send(
          new AssumeRoleWithWebIdentityCommand({
            RoleArn: access.roleArn,
            RoleSessionName: SESSION_NAME,
            WebIdentityToken: token.token,
          }),
        )
        const keys = keysOf(given.Credentials)
        if (access.onward) return withRole(keys, access.onward.roleArn, access.onward.externalId)
        return { keys, account: accountOf(given.AssumedRoleUser?.Arn) }
      }
      case 'assume-role': {
        const own = await fromNodeProviderChain()()
        return withRole(own, access.roleArn, access.externalId)
      }
      case 'access-key': {
        const secret = await access.secretAccessKey()
        const keys = { accessKeyId: access.accessKeyId, secretAccessKey: secret.text() }
        if (access.onward) return withRole(keys, access.onward.roleArn, access.onward.externalId)
        const { Account } = await sts(keys).send(new GetCallerIdentityCommand({}))
        return { keys, account: Account ?? '' }
      }
      case 'own-identity':
      case 'federation':
      case 'service-account-key':
        throw new Denied('WrongAccess', `AWS cannot be signed in to by ${access.how}`)
    }
  }

  let held: Promise<Session> | null = null
  const fresh = async (): Promise<Session> => {
    const session = await signIn()
    if (session.account !== account.account)
      throw new Denied(
        'WrongAccount',
        'The credentials are of another AWS account than the connector names; nothing was written',
      )
    return session
  }
  async function session(): Promise<Session> {
    const before = held
    if (before) {
      const known = await before.catch(() => null)
      const ends = known?.keys.expiration?.getTime() ?? Number.POSITIVE_INFINITY
      if (known && ends - world.now().epochMilliseconds > MARGIN_MS) return known
      // Somebody else may have begun a new one while we looked.
      if (held !== before && held) return held
    }
    const next = fresh()
    held = next
    try {
      return await next
    } catch (error) {
      if (held === next) held = null
      throw error
    }
  }
  // Asked before each request: the SDK would keep what says its own end far too long.
  const credentials = async () => {
    const { expiration: _, ...keys } = (await session()).keys
    return { ...keys, expiration: new Date(0) }
  }
  const options = { ...base, credentials }

  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call()
    } catch (thrown) {
      if (!(thrown instanceof Error && thrown.name.startsWith('ExpiredToken'))) throw awsFailure(thrown)
      held = null
      return call().catch((again) => {
        throw awsFailure(again)
      })
    }
  }
  return {
    secrets: route(new SecretsManagerClient(options), world.endpoint),
    parameters: route(new SSMClient(options), world.endpoint),
    certificates: route(new ACMClient(options), world.endpoint),
    account: async (signal) => {
      const client = route(new STSClient(options), world.endpoint)
      const { Account } = await ask(() =>
        client.send(new GetCallerIdentityCommand({}), { abortSignal: signal }),
      )
      return Account ?? ''
    },
    ask,
  }
}
