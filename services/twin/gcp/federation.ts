import { importSPKI, jwtVerify } from 'jose'
import { Hono } from 'hono'
import { type Call, type Cloud, json, operations, type Plane, type TwinContext } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { permits } from './iam.ts'
import { type AccessTokens, commonQuery, gcpPlane, gcpRefusal, timestamp } from './wire.ts'

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const jwtTypes = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token']
const lifetimeSeconds = 3_600

/** The shape of RFC 6749 section 5.2. */
const oauthPlane = (name: `gcp.${string}`): Plane => ({
  name,
  render: (refusal) =>
    json({ error: refusal.code, error_description: refusal.message }, refusal.status, refusal.headers),
  throttled: () => new Refusal(429, 'temporarily_unavailable', 'Too many requests.'),
})
const oauthRefusal = (code: string, text: string) => new Refusal(400, code, text)

type App = Hono<{ Bindings: TwinContext['env'] }>

/** A form or JSON body, as token endpoints take both. */
async function fieldsOf(call: Call): Promise<Map<string, string>> {
  const text = await call.context.req.text()
  if (!call.context.req.header('content-type')?.includes('json')) return new Map(new URLSearchParams(text))
  const parsed: unknown = JSON.parse(text)
  const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : []
  return new Map(
    entries.map(([key, value]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      String(value),
    ]),
  )
}

/**
 * The token service: an assertion of a foreign issuer for a federated token.
 * @see https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
 */
export function tokenService(cloud: Cloud, tokens: AccessTokens): App {
  const operation = operations(cloud, oauthPlane('gcp.sts'))
  const app: App = new Hono()
  app.post(
    '/v1/token',
    operation('token', async (call) => {
      const fields = await fieldsOf(call)
      if (fields.get('grant_type') !== exchange)
        throw oauthRefusal('unsupported_grant_type', 'The grant type must be token-exchange.')
      if (!jwtTypes.includes(fields.get('subject_token_type') ?? ''))
        throw oauthRefusal('invalid_request', 'Invalid value for "subject_token_type".')
      if (!(fields.get('scope') ?? '').includes('https://www.googleapis.com/auth/'))
        throw oauthRefusal('invalid_scope', 'A scope is needed.')
      const audience = fields.get('audience') ?? ''
      const [, number, poolId, providerId] =
        /^\/\/iam\.googleapis\.com\/projects\/(\d+)\/locations\/global\/workloadIdentityPools\/([^/]+)\/providers\/([^/]+)$/.exec(
          audience,
        ) ?? []
      const project = cloud.estate.gcp.find((one) => one.number === number)
      const pool = project?.pools.find(({ id }) => id === poolId)
      const provider = pool?.providers.find(({ id }) => id === providerId)
      if (pool === undefined || provider === undefined)
        throw oauthRefusal(
          'invalid_target',
          'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn\'t exist.',
        )
      const claims = await cloud.tokens.assertion(fields.get('subject_token') ?? '')
      if (typeof claims === 'string')
        throw oauthRefusal(
          'invalid_grant',
          claims === 'expired'
            ? 'ID Token issued at is stale to sign-in.'
            : 'Error connecting to the given credential’s issuer, or the signature is not valid.',
        )
      if (claims.iss !== provider.issuer)
        throw oauthRefusal(
          'invalid_grant',
          `The issuer in ID Token ${String(claims.iss)} does not match the expected ones: ${provider.issuer}.`,
        )
      if (!provider.audiences.includes(String(claims.aud)))
        throw oauthRefusal(
          'invalid_grant',
          `The audience in ID Token [${String(claims.aud)}] does not match the expected audience.`,
        )
      if (provider.subject !== null && provider.subject !== claims.sub)
        throw oauthRefusal(
          'unauthorized_client',
          'The given credential is rejected by the attribute condition.',
        )
      const member = `principal://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/${pool.id}/subject/${String(claims.sub)}`
      return json({
        access_token: tokens.issue(member, cloud.clock.now() + lifetimeSeconds * 1000),
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: lifetimeSeconds,
      })
    }),
  )
  return app
}

/**
 * Tokens of service accounts, for whoever may act as one.
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
 */
export function credentialsService(cloud: Cloud, tokens: AccessTokens): App {
  const operation = operations(cloud, gcpPlane('gcp.iamcredentials'))
  const app: App = new Hono()
  app.post(
    '/v1/projects/-/serviceAccounts/:account{.+:generateAccessToken}',
    operation(
      'generate-access-token',
      async (call) => {
        const member = await tokens.check(call)
        const email = (call.context.req.param('account') ?? '').replace(/:generateAccessToken$/, '')
        const project = cloud.estate.gcp.find(({ serviceAccounts }) =>
          serviceAccounts.some((one) => one.email === email),
        )
        const account = project?.serviceAccounts.find((one) => one.email === email)
        const permission = 'iam.serviceAccounts.getAccessToken'
        const resource = `projects/-/serviceAccounts/${email}`
        const allowed =
          project !== undefined &&
          account !== undefined &&
          permits(project, [...project.policy, ...account.policy], { member, permission, resource })
        if (!allowed)
          throw gcpRefusal(
            'PERMISSION_DENIED',
            `Permission '${permission}' denied on resource (or it may not exist).`,
            {
              reason: 'IAM_PERMISSION_DENIED',
              domain: 'iam.googleapis.com',
              metadata: { permission },
            },
          )
        const expiresAt = cloud.clock.now() + lifetimeSeconds * 1000
        return json({
          accessToken: tokens.issue(`serviceAccount:${email}`, expiresAt),
          expireTime: timestamp(expiresAt),
        })
      },
      { query: commonQuery },
    ),
  )
  return app
}

/**
 * Tokens for whoever holds a service account's long-lived key.
 * @see https://developers.google.com/identity/protocols/oauth2/service-account#httprest
 */
export function keyTokenService(cloud: Cloud, tokens: AccessTokens): App {
  const operation = operations(cloud, oauthPlane('gcp.oauth2'))
  const app: App = new Hono()
  app.post(
    '/token',
    operation('token', async (call) => {
      const fields = await fieldsOf(call)
      if (fields.get('grant_type') !== jwtBearer)
        throw oauthRefusal('unsupported_grant_type', 'Invalid grant_type.')
      const assertion = fields.get('assertion') ?? ''
      for (const { serviceAccounts } of cloud.estate.gcp)
        for (const { email, keys } of serviceAccounts)
          for (const { publicKey } of keys) {
            const verified = await jwtVerify(assertion, await importSPKI(publicKey, 'RS256'), {
              issuer: email,
              audience: 'https://oauth2.googleapis.com/token',
              currentDate: new Date(cloud.clock.now()),
            }).catch(() => undefined)
            if (verified === undefined) continue
            return json({
              access_token: tokens.issue(
                `serviceAccount:${email}`,
                cloud.clock.now() + lifetimeSeconds * 1000,
              ),
              token_type: 'Bearer',
              expires_in: lifetimeSeconds,
            })
          }
      throw oauthRefusal('invalid_grant', 'Invalid JWT Signature.')
    }),
  )
  return app
}
