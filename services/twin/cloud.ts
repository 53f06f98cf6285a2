import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { JWK } from 'jose'
import { armRoutes } from './arm/routes.ts'
import { awsRoutes, awsServiceOf } from './aws/routes.ts'
import { type Clock, movableClock } from './clock.ts'
import { type Consumer, consumer, type Holds, type SignsInto } from './consumer.ts'
import { accountOf, blobRoutes } from './data/blob-storage.ts'
import { namespaceOf, serviceBusDataRoutes } from './data/service-bus.ts'
import { entraRoutes, managedIdentityRoutes } from './entra/routes.ts'
import { newSigningKey, tokenAuthority } from './entra/tokens.ts'
import { type Estate, secretCanaries } from './estate/estate.ts'
import { type Fault, type Faults, faultRegistry } from './faults.ts'
import { gcpHostOf, gcpRoutes } from './gcp/routes.ts'
import { graphRoutes } from './graph/routes.ts'
import { findVault } from './keyvault/access.ts'
import { keyVaultRoutes } from './keyvault/routes.ts'
import { type Cloud, hangUp, hostHeader, hostOf, type Settings } from './operation.ts'
import { type Throttle, throttle } from './throttle.ts'

export interface CloudOptions {
  /** Loopback port; 0, the default, takes a free one. */
  readonly port?: number
  readonly estate: Estate
  /** Default: a movable clock over the real time. */
  readonly clock?: Clock
  readonly faults?: readonly Fault[]
  /** A timestamp authority to serve at `/tsa` of the same server. */
  readonly tsa?: { readonly fetch: (request: Request) => Promise<Response> }
  /** Kept from an earlier run, so that tokens issued then are still good. */
  readonly signingKey?: JWK
  readonly identityHeader?: string
  readonly settings?: Partial<Settings>
  /** Called after each change that a caller made to the estate. */
  readonly changed?: () => void
}

export interface RunningCloud {
  /** Where the SDKs' requests are sent, their own host kept in `x-attestry-host`. */
  readonly url: string
  readonly identityEndpoint: string
  readonly identityHeader: string
  readonly tsaUrl: string | undefined
  readonly estate: Estate
  readonly clock: Clock
  readonly faults: Faults
  readonly throttle: Throttle
  readonly settings: Settings
  readonly signingKey: JWK
  /**
   * A token for one of the estate's service principals, as the token endpoint would issue it. MSAL keeps one
   * managed-identity endpoint and its tokens for the whole process, so tests with several clouds ask here instead.
   * @param principal name of the service principal; `attestry` is the machine that the product runs on
   * @throws Error when the estate has no such principal
   */
  token(principal: string, audience: string): Promise<string>
  /** How often each operation was called, such as `keyvault.secrets.list`; refused calls count. */
  readonly calls: ReadonlyMap<string, number>
  resetCalls(): void
  /** Every secret string that the cloud holds now. */
  secretCanaries(): string[]
  /** A token of a workload outside Azure, for federated credentials (the cluster's own token). */
  workloadToken(subject: string, issuer: string, audience?: string): Promise<string>
  /** A workload that signs in with what it holds, after each operation and each move of the clock. */
  consume(where: Holds, into: SignsInto): Consumer
  /** Ends all connections and the server. */
  stop(): Promise<void>
}

/** One key for all clouds of a process: it takes a while to make, and MSAL keeps tokens for just as long. */
let processKey: Promise<JWK> | undefined

/**
 * Starts the cloud on loopback: Entra, Resource Manager with Resource Graph, Key Vault, Graph, the managed identity
 * endpoint, and the services of AWS and Google Cloud, on one HTTP server, told apart by the host that a request was
 * meant for.
 */
export async function startCloud(options: CloudOptions): Promise<RunningCloud> {
  const { estate, tsa } = options
  const given = options.clock ?? movableClock(Date.now)
  const watching = new Set<() => void>()
  const watch = () => {
    for (const look of watching) look()
  }
  const clock: Clock = {
    ...given,
    advance(ms) {
      given.advance(ms)
      watch()
    },
  }
  const signingKey = options.signingKey ?? (await (processKey ??= newSigningKey()))
  const identityHeader = options.identityHeader ?? randomBytes(16).toString('hex')
  const calls = new Map<string, number>()
  const cloud: Cloud = {
    estate,
    clock,
    tokens: await tokenAuthority(estate.directory, clock, signingKey),
    throttle: throttle(() => clock.now()),
    faults: faultRegistry(options.faults),
    settings: {
      credentialReplicationMs: 0,
      signInReportLagMs: 0,
      revisionStartMs: 0,
      revisionsHealthy: true,
      certificateIssuanceMs: 0,
      certificateIssuanceFails: false,
      keyVaultRetryAfter: false,
      tokenLifetimeSeconds: 3_599,
      listLagMs: 0,
      ...options.settings,
    },
    calls,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    changed: options.changed ?? (() => undefined),
    watch,
  }

  const identity = managedIdentityRoutes(cloud, identityHeader)
  const planes = {
    'login.microsoftonline.com': entraRoutes(cloud),
    'management.azure.com': armRoutes(cloud),
    'graph.microsoft.com': graphRoutes(cloud),
    ...gcpRoutes(cloud),
  }
  const vaults = keyVaultRoutes(cloud)
  const aws = awsRoutes(cloud)
  const blobs = blobRoutes(cloud)
  const buses = serviceBusDataRoutes(cloud)
  const named = new Map(Object.entries(planes))
  const front = new Hono<{ Bindings: HttpBindings }>()
  // Each plane has its own routes and errors, so a request is handed over whole.
  const planeOf = (host: string, headers: Headers, path: string) => {
    const direct = host === ownHost
    const service = awsServiceOf(host, headers, direct && path === '/')
    if (service !== undefined) return aws[service]
    return (
      named.get(direct ? (gcpHostOf(path) ?? host) : host) ??
      (findVault(estate.vaults, host) && vaults) ??
      (accountOf(cloud, host) && blobs) ??
      (namespaceOf(cloud, host) && buses)
    )
  }
  front.all('*', async (context) => {
    const { headers, url } = context.req.raw
    const host = hostOf(headers)
    const { pathname } = new URL(url)
    if (headers.get(hostHeader) === null || host === ownHost) {
      if (pathname === '/msi/token') return identity.fetch(context.req.raw, context.env)
      if (pathname === '/tsa' && tsa !== undefined) return tsa.fetch(context.req.raw)
    }
    const plane = planeOf(host, headers, pathname)
    // No such name: a resolver would have failed, so the connection ends without an answer.
    return plane === undefined ? hangUp(context) : plane.fetch(context.req.raw, context.env)
  })

  const server = createAdaptorServer({ fetch: front.fetch, hostname: '127.0.0.1' })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server that listens has an address with a port.
  const { port } = server.address() as AddressInfo
  const ownHost = `127.0.0.1:${port}`
  const url = `http://${ownHost}`
  return {
    url,
    identityEndpoint: `${url}/msi/token`,
    identityHeader,
    tsaUrl: tsa === undefined ? undefined : `${url}/tsa`,
    estate,
    clock,
    faults: cloud.faults,
    throttle: cloud.throttle,
    settings: cloud.settings,
    signingKey,
    async token(name, audience) {
      const principal = estate.servicePrincipals.find((one) => one.name === name)
      if (principal === undefined) throw new Error(`The estate has no service principal ${name}.`)
      return cloud.tokens.issue(principal, audience, cloud.settings.tokenLifetimeSeconds)
    },
    calls,
    resetCalls: () => calls.clear(),
    secretCanaries: () => secretCanaries(estate),
    workloadToken: (subject, issuer, audience = 'api://AzureADTokenExchange') =>
      cloud.tokens.issueWorkload(subject, issuer, audience),
    consume(where, into) {
      const made = consumer(
        estate,
        () => clock.now(),
        where,
        into,
        () => watching.delete(made.look),
      )
      watching.add(made.look)
      made.look()
      return made.consumer
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}
