import { Hono } from 'hono'
import { json, operations, type Call, type Cloud, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import type { Estate, ServicePrincipal } from '../estate/estate.ts'
import { judgeSecret, noteSignIn } from './sign-in.ts'
import type { TwinContext } from '../operation.ts'

/** Resources that this directory knows, as they may stand before `/.default` in a scope. */
const resources = [
  'https://management.azure.com',
  'https://management.core.windows.net',
  'https://vault.azure.net',
  'https://graph.microsoft.com',
  'https://servicebus.azure.net',
]
/**
 * Entra keeps what follows the resource, so `https://management.core.windows.net//.default` is right. An application's
 * own identifier is a resource too: that is how tokens for other clouds are asked for.
 */
const audienceOf = ({ applications }: Estate, resource: string): string | undefined =>
  [...resources, ...applications.flatMap(({ identifierUris }) => identifierUris ?? [])].find(
    (known) => known === resource.replace(/\/+$/, ''),
  )

const managedIdentityLifetimeSeconds = 86_400
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** `error` of RFC 6749 section 5.2 with Entra's number. */
class TokenRefusal extends Refusal {
  readonly number: number
  constructor(status: 400 | 401, error: string, number: number, text: string) {
    super(status, error, `AADSTS${number}: ${text}`)
    this.number = number
  }
}

/**
 * The token service: client credentials by secret or by federated assertion, metadata, keys.
 * @see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
export function entraRoutes(cloud: Cloud) {
  const { estate, tokens, clock, settings } = cloud
  const plane: Plane = {
    name: 'entra',
    render(refusal) {
      const number = refusal instanceof TokenRefusal ? refusal.number : 90_033
      const traceId = cloud.randomHex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
      const timestamp = new Date(clock.now()).toISOString().replace('T', ' ').replace(/\.\d+/, '')
      return json(
        {
          error: refusal.code,
          error_description: `${refusal.message} Trace ID: ${traceId} Correlation ID: ${traceId} Timestamp: ${timestamp}`,
          error_codes: [number],
          timestamp,
          trace_id: traceId,
          correlation_id: traceId,
          error_uri: `https://login.microsoftonline.com/error?code=${number}`,
        },
        refusal.status,
        refusal.headers,
      )
    },
    throttled: (retry) =>
      new Refusal(
        429,
        'temporarily_unavailable',
        'AADSTS50196: The server terminated an operation because it encountered a client request loop.',
        {
          headers: retry === undefined ? {} : { 'retry-after': String(retry) },
        },
      ),
  }
  const operation = operations(cloud, plane)
  const app = new Hono<{ Bindings: TwinContext['env'] }>()

  const authority = `https://login.microsoftonline.com/${estate.directory}`
  function checkDirectory(call: Call) {
    const named = call.context.req.param('tenant')
    if (named !== estate.directory)
      throw new TokenRefusal(400, 'invalid_request', 90_002, `Tenant '${named}' not found.`)
  }

  app.get(
    '/:tenant/v2.0/.well-known/openid-configuration',
    operation('metadata', (call) => {
      checkDirectory(call)
      return json({
        token_endpoint: `${authority}/oauth2/v2.0/token`,
        token_endpoint_auth_methods_supported: [
          'client_secret_post',
          'private_key_jwt',
          'client_secret_basic',
        ],
        jwks_uri: `${authority}/discovery/v2.0/keys`,
        response_types_supported: ['code', 'id_token'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
        issuer: `${authority}/v2.0`,
        authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
        tenant_region_scope: 'EU',
        cloud_instance_name: 'microsoftonline.com',
        cloud_graph_host_name: 'graph.windows.net',
        msgraph_host: 'graph.microsoft.com',
      })
    }),
  )
  const keys = operation('keys', (call) => {
    checkDirectory(call)
    return json(tokens.jwks)
  })
  app.get('/:tenant/discovery/v2.0/keys', keys)
  app.get('/:tenant/discovery/keys', keys)
  app.get(
    '/common/discovery/instance',
    operation('instance', () =>
      json({
        tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`,
        'api-version': '1.1',
        metadata: [
          {
            preferred_network: 'login.microsoftonline.com',
            preferred_cache: 'login.windows.net',
            aliases: [
              'login.microsoftonline.com',
              'login.windows.net',
              'login.microsoft.com',
              'sts.windows.net',
            ],
          },
        ],
      }),
    ),
  )

  function checkSecret(principal: ServicePrincipal, secret: string) {
    const judged = judgeSecret(estate, principal.appId, secret, clock.now())
    if ('credential' in judged) return noteSignIn(estate, judged.credential.keyId, clock.now())
    throw new TokenRefusal(
      401,
      'invalid_client',
      judged.number,
      judged.number === 7_000_215
        ? `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${principal.appId}'.`
        : `The provided client secret keys for app '${principal.appId}' are expired. Visit the Azure portal to create new keys for your app.`,
    )
  }

  async function checkAssertion(principal: ServicePrincipal, assertion: string) {
    const claims = await tokens.assertion(assertion)
    if (typeof claims === 'string')
      throw claims === 'expired'
        ? new TokenRefusal(
            401,
            'invalid_client',
            700_024,
            'Client assertion is not within its valid time range.',
          )
        : new TokenRefusal(
            401,
            'invalid_client',
            700_027,
            'The certificate with identifier used to sign the client assertion is not registered on application.',
          )
    const application = estate.applications.find(({ appId }) => appId === principal.appId)
    const trusted = application?.federated.some(
      ({ issuer, subject, audience }) =>
        issuer === claims.iss && subject === claims.sub && audience === claims.aud,
    )
    if (trusted !== true)
      throw new TokenRefusal(
        401,
        'invalid_client',
        700_213,
        `No matching federated identity record found for presented assertion subject '${String(claims.sub)}'.`,
      )
  }

  app.post(
    '/:tenant/oauth2/v2.0/token',
    operation('token', async (call) => {
      checkDirectory(call)
      const form = new URLSearchParams(await call.context.req.text())
      const grant = form.get('grant_type')
      if (grant !== 'client_credentials')
        throw new TokenRefusal(
          400,
          'unsupported_grant_type',
          70_003,
          `The app requested an unsupported grant type '${grant ?? ''}'.`,
        )
      const clientId = form.get('client_id') ?? ''
      const principal = estate.servicePrincipals.find(
        ({ appId, kind }) => appId === clientId && kind === 'Application',
      )
      if (principal === undefined)
        throw new TokenRefusal(
          400,
          'unauthorized_client',
          700_016,
          `Application with identifier '${clientId}' was not found in the directory '${estate.directory}'.`,
        )
      if (!principal.enabled)
        throw new TokenRefusal(
          400,
          'unauthorized_client',
          7_000_112,
          `Application '${clientId}'(${principal.name}) is disabled.`,
        )
      const assertion = form.get('client_assertion')
      const secret = form.get('client_secret')
      if (assertion !== null && form.get('client_assertion_type') === jwtBearer)
        await checkAssertion(principal, assertion)
      else if (secret !== null) checkSecret(principal, secret)
      else
        throw new TokenRefusal(
          401,
          'invalid_client',
          7_000_218,
          "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
      const scope = (form.get('scope') ?? '').split(' ').find((part) => part.endsWith('/.default'))
      if (scope === undefined)
        throw new TokenRefusal(
          400,
          'invalid_scope',
          1_002_012,
          `The provided value for scope ${form.get('scope') ?? ''} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
        )
      const resource = scope.slice(0, -'/.default'.length)
      const audience = audienceOf(estate, resource)
      if (audience === undefined)
        throw new TokenRefusal(
          400,
          'invalid_resource',
          500_011,
          `The resource principal named ${resource} was not found in the tenant named ${estate.directory}.`,
        )
      const lifetime = settings.tokenLifetimeSeconds
      return json({
        token_type: 'Bearer',
        expires_in: lifetime,
        ext_expires_in: lifetime,
        access_token: await tokens.issue(principal, audience, lifetime),
      })
    }),
  )
  app.notFound((context) =>
    operation('unknown', () => {
      throw new TokenRefusal(
        400,
        'invalid_request',
        900_144,
        `The endpoint ${context.req.path} is not known.`,
      )
    })(context),
  )
  return app
}

/**
 * The App Service token endpoint of a managed identity, plain HTTP on the machine itself.
 * @see https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
 */
export function managedIdentityRoutes(cloud: Cloud, header: string) {
  const { estate, tokens, clock } = cloud
  const plane: Plane = {
    name: 'entra',
    render: (refusal) =>
      json({ statusCode: refusal.status, message: refusal.message }, refusal.status, refusal.headers),
    throttled: (retry) =>
      new Refusal(429, 'TooManyRequests', 'Too many requests.', {
        headers: retry === undefined ? {} : { 'retry-after': String(retry) },
      }),
  }
  const operation = operations(cloud, plane)
  const app = new Hono<{ Bindings: TwinContext['env'] }>()
  app.get(
    '/msi/token',
    operation(
      'managed-identity',
      async ({ context, url }) => {
        if (context.req.header('x-identity-header') !== header)
          throw new Refusal(401, 'Unauthorized', 'The X-IDENTITY-HEADER is missing or wrong.')
        if (url.searchParams.get('api-version') !== '2019-08-01')
          throw new Refusal(400, 'BadRequest', 'The api-version is not supported; use 2019-08-01.')
        const resource = url.searchParams.get('resource') ?? ''
        const audience = audienceOf(estate, resource)
        if (audience === undefined)
          throw new Refusal(
            400,
            'BadRequest',
            `AADSTS500011: The resource principal named ${resource} was not found.`,
          )
        const clientId = url.searchParams.get('client_id')
        const objectId = url.searchParams.get('principal_id') ?? url.searchParams.get('object_id')
        // The first managed identity is the one of the machine that the caller runs on.
        const identity = estate.servicePrincipals.find(
          ({ kind, id, appId }) =>
            kind === 'ManagedIdentity' &&
            (clientId === null || appId === clientId) &&
            (objectId === null || id === objectId),
        )
        if (identity === undefined)
          throw new Refusal(
            400,
            'BadRequest',
            'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
          )
        return json({
          access_token: await tokens.issue(identity, audience, managedIdentityLifetimeSeconds),
          expires_on: String(Math.floor(clock.now() / 1000) + managedIdentityLifetimeSeconds),
          resource,
          token_type: 'Bearer',
          client_id: identity.appId,
        })
      },
      { query: ['api-version', 'resource', 'client_id', 'principal_id', 'object_id', 'mi_res_id'] },
    ),
  )
  return app
}
