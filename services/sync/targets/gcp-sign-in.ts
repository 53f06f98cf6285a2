import type { CertificateManagerClient } from '@google-cloud/certificate-manager'
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { Denied } from '@attestry/kit'
import { azureFailure } from '@attestry/kit/azure'
import type { AuthClient } from 'google-auth-library'
import * as z from 'zod'
import type { Account, World } from './access.ts'
import { gcpFailure } from './gcp-failure.ts'
import { loopback } from './loopback.ts'

/*
 * How a Google Cloud project is signed in to. Best: Entra's token for a workload identity pool, then the service
 * account that writes. A stored service account key is the last resort. The SDKs are loaded when a project is first
 * asked for: they are large, and most installs have none. They speak REST, which a stand-in can be asked too.
 */

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const IMPERSONATE = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts'

const ServiceAccountKey = z.object({
  type: z.literal('service_account', 'must be a service account key'),
  client_email: z.email(),
  private_key: z.string().startsWith('-----BEGIN'),
  private_key_id: z.string(),
})

/** Sends what was meant for Google to a stand-in on this machine, the host that it was meant for kept in a header. */
function routedFetch(endpoint: string): typeof fetch {
  const to = loopback(endpoint)
  return async (input, init) => {
    const request = new Request(input, init)
    const meant = new URL(request.url)
    const headers = new Headers(request.headers)
    headers.set('x-attestry-host', meant.host)
    const bare = request.method === 'GET' || request.method === 'DELETE'
    return fetch(new URL(`${meant.pathname}${meant.search}`, to), {
      method: request.method,
      headers,
      signal: request.signal,
      ...(bare ? {} : { body: await request.arrayBuffer() }),
    })
  }
}

/** A project's clients. */
export interface GcpAccess {
  /** `projects/ID`. */
  readonly project: string
  secrets(): Promise<SecretManagerServiceClient>
  certificates(): Promise<CertificateManagerClient>
  /** Runs one request within its signal; failures have the kit's names. */
  ask<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T>
}

/** One request may take so long; the SDK's own retries are within it. */
export const GCP_CALL = { timeout: 20_000 } as const

/** Signs in to a project and makes its clients, both when they are first asked for. */
export function gcpAccess(account: Account, world: World): GcpAccess {
  const { access } = account
  const routed = world.endpoint === undefined ? undefined : routedFetch(world.endpoint)
  const transport = routed === undefined ? {} : { transporterOptions: { fetchImplementation: routed } }

  async function signIn(): Promise<AuthClient> {
    const { IdentityPoolClient, JWT } = await import('google-auth-library')
    if (access.how === 'federation')
      return new IdentityPoolClient({
        type: 'external_account',
        audience: access.audience,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        // To this one request the library gives no transport of ours, so a stand-in is named here.
        token_url:
          world.endpoint === undefined
            ? 'https://sts.googleapis.com/v1/token'
            : new URL('/v1/token', loopback(world.endpoint)).href,
        ...(access.serviceAccount === null
          ? {}
          : {
              service_account_impersonation_url: `${IMPERSONATE}/${access.serviceAccount}:generateAccessToken`,
            }),
        subject_token_supplier: {
          getSubjectToken: async () => {
            const token = await world.azure.credential
              .getToken(`${access.tokenAudience}/.default`)
              .catch((thrown) => {
                throw azureFailure(thrown)
              })
            if (!token) throw new Denied('NoToken', 'Entra gave no token for Google Cloud')
            return token.token
          },
        },
        scopes: [SCOPE],
        ...transport,
      })
    if (access.how === 'service-account-key') {
      const secret = await access.key()
      const key = ServiceAccountKey.safeParse(parsed(secret.text()))
      if (!key.success)
        throw new Denied('BadKey', 'The stored service account key is not a key file of Google Cloud')
      return new JWT({
        email: key.data.client_email,
        key: key.data.private_key,
        keyId: key.data.private_key_id,
        scopes: [SCOPE],
        ...transport,
      })
    }
    throw new Denied('WrongAccess', `Google Cloud cannot be signed in to by ${access.how}`)
  }

  let signedIn: Promise<AuthClient> | null = null
  const auth = (): Promise<AuthClient> => (signedIn ??= signIn())
  /** Made once; a failure is forgotten, so that the next request tries again. */
  const once = <T>(make: () => Promise<T>) => {
    let made: Promise<T> | null = null
    return (): Promise<T> => {
      const promise = (made ??= make())
      promise.catch(() => {
        made = null
        signedIn = null
      })
      return promise
    }
  }
  return {
    project: `projects/${account.account}`,
    secrets: once(async () => {
      const [{ SecretManagerServiceClient: Client }, authClient] = await Promise.all([
        import('@google-cloud/secret-manager'),
        auth(),
      ])
      return new Client({ fallback: true, authClient })
    }),
    certificates: once(async () => {
      const [{ CertificateManagerClient: Client }, authClient] = await Promise.all([
        import('@google-cloud/certificate-manager'),
        auth(),
      ])
      // This SDK has an older copy of the authentication library, of another type; what it calls of it is the same.
      return new Client({ fallback: true, authClient: authClient as never })
    }),
    async ask(signal, call) {
      signal.throwIfAborted()
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      const stop = () => reject(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      try {
        // The SDKs take no signal: what is under way ends by its own deadline, and nobody waits for it.
        return await Promise.race([call(), aborted])
      } catch (thrown) {
        if (signal.aborted) throw signal.reason
        throw gcpFailure(thrown)
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
  }
}

/** JSON, or undefined. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
