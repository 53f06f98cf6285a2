import { CertificateManagerClient } from '@google-cloud/certificate-manager'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { type AuthClient, GoogleAuth, IdentityPoolClient } from 'google-auth-library'
import { federationAudience, gcpProjectNumber, gcpServiceAccount } from '../estate/elsewhere.ts'
import { hostHeader, type RunningCloud } from '../index.ts'

/** Sends what was meant for Google to the twin, the host it was meant for kept in a header. */
export const routedFetch =
  (cloudUrl: string): typeof fetch =>
  async (input, init) => {
    const request = new Request(input, init)
    const meant = new URL(request.url)
    const headers = new Headers(request.headers)
    headers.set(hostHeader, meant.host)
    return fetch(new URL(`${meant.pathname}${meant.search}`, cloudUrl), {
      method: request.method,
      headers,
      signal: request.signal,
      ...(request.method === 'GET' || request.method === 'DELETE'
        ? {}
        : { body: await request.arrayBuffer() }),
    })
  }

export interface Federation {
  /** Default: the machine's own, as the pool wants it. */
  readonly token?: () => Promise<string>
  /** Default: the service account that syncs; null stays with the pool's principal. */
  readonly serviceAccount?: string | null
}

/** Workload identity: Entra's token for a pool's, then a service account's. */
export function federated(cloud: RunningCloud, { token, serviceAccount }: Federation = {}): AuthClient {
  const email = serviceAccount === undefined ? gcpServiceAccount : serviceAccount
  return new IdentityPoolClient({
    type: 'external_account',
    audience: `//iam.googleapis.com/projects/${gcpProjectNumber}/locations/global/workloadIdentityPools/attestry/providers/entra`,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    // The library gives this one request no transport of ours.
    token_url: `${cloud.url}/v1/token`,
    ...(email === null
      ? {}
      : {
          service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`,
        }),
    subject_token_supplier: {
      getSubjectToken: token ?? (() => cloud.token('attestry', federationAudience)),
    },
    scopes: ['https://www.googleapis.com/auth/cloud-platform'],
    transporterOptions: { fetchImplementation: routedFetch(cloud.url) },
  })
}

/** Google's own clients over REST. */
export function gcpClients(authClient: AuthClient) {
  const auth = new GoogleAuth({ authClient })
  return {
    secrets: new SecretManagerServiceClient({ fallback: true, auth }),
    // Its own copy of the authentication library is older and of another type; what it calls of it is the same.
    certificates: new CertificateManagerClient({ fallback: true, auth: auth as never }),
  }
}
