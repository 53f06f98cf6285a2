import { randomBytes } from 'node:crypto'
import type { GatewayOptions } from '@attestry/gateway'
import {
  type Bus,
  type Configuration,
  createGuard,
  createIds,
  createKeyring,
  type Guard,
  type Host,
  type Logger,
  problem,
  SERVICE_PORTS,
  type Service,
  serve,
  startTelemetry,
  systemClock,
} from '@attestry/kit'
import type { AzureAccess } from '@attestry/kit/azure'
import { openBus } from '@attestry/kit/bus'
import { readActivity, tail, verifyLedger } from '@attestry/kit/ledger'
import { connect } from '@attestry/kit/postgres'
import { run, type RunOptions, type Running } from '@attestry/kit/run'
import { licenseOf, licensingService, readVendorKeys, vendor } from '@attestry/licensing'

/** Every service, in the order in which they start. */
export const SERVICES = [
  'licensing',
  'discovery',
  'compliance',
  'rotation',
  'sync',
  'evidence',
  'gateway',
] as const
export type ServiceName = (typeof SERVICES)[number]
export const isServiceName = (name: string): name is ServiceName =>
  (SERVICES as readonly string[]).includes(name)

export interface ProcessOptions {
  readonly configuration: Configuration
  /** Variables that Azure's own libraries read, and the addresses of services elsewhere. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Empty: all of them. */
  readonly services: readonly ServiceName[]
  readonly log: Logger
  readonly productVersion: string
  readonly staticDir: string | null
  readonly announce: GatewayOptions['announce']
  readonly signal: AbortSignal
  /** How messages travel, where it is not as configured. */
  readonly delivery?: Pick<RunOptions, 'sweepMs'> & { readonly bus?: Bus; readonly gapReads?: boolean }
}

export interface RunningProcess {
  /** Where the gateway answers; null where it runs elsewhere. */
  readonly url: string | null
  stop(): Promise<void>
}

const POOL = 20
const METRICS_PORT = 4609

/** Wires services to the world and starts them: the only place that knows all of them. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { configuration: c, environment, log, productVersion, signal } = options
  const names = options.services.length > 0 ? SERVICES.filter((s) => options.services.includes(s)) : SERVICES
  const clock = systemClock
  const telemetry = await startTelemetry({
    service: options.services.length === 1 ? `attestry-${names[0]}` : 'attestry',
    version: productVersion,
    otlp: c.OTEL_EXPORTER_OTLP_ENDPOINT,
    metricsPort: c.ATTESTRY_METRICS_PORT ?? (names.includes('gateway') ? METRICS_PORT : 0),
  })
  const onIdleError = (error: Error) => log.warn({ error }, 'A connection to the database broke')
  const pool = connect({ url: c.DATABASE_URL.text(), max: POOL, onIdleError })
  const admin = c.DATABASE_ADMIN_URL
    ? connect({ url: c.DATABASE_ADMIN_URL.text(), max: 2, onIdleError })
    : pool
  let access: Promise<AzureAccess> | null = null
  /** One for all that need it; with it comes the identity library, which most services do without. */
  const azure = () =>
    (access ??= import('@attestry/kit/azure').then(({ azureAccess }) =>
      azureAccess({ endpoint: c.ATTESTRY_AZURE_ENDPOINT, env: environment }),
    ))
  const bus =
    options.delivery?.bus ??
    openBus({
      connectionString: c.SERVICE_BUS_CONNECTION?.text(),
      namespace: c.SERVICE_BUS_NAMESPACE,
      credential: c.SERVICE_BUS_NAMESPACE === undefined ? undefined : (await azure()).credential,
      onError: (error, where) => log.warn({ error, where }, 'The bus will be tried again'),
    })
  // A stand-in for the cloud makes a chain a demonstration for ever, and only a demonstration may use one.
  const origin = c.ATTESTRY_AZURE_ENDPOINT === undefined ? 'real' : 'demo'

  const urls: Partial<Record<ServiceName, string | undefined>> = {
    discovery: c.ATTESTRY_DISCOVERY_URL,
    compliance: c.ATTESTRY_COMPLIANCE_URL,
    rotation: c.ATTESTRY_ROTATION_URL,
    sync: c.ATTESTRY_SYNC_URL,
    evidence: c.ATTESTRY_EVIDENCE_URL,
    licensing: c.ATTESTRY_LICENSING_URL,
  }
  const faces = new Map<ServiceName, Service>()
  let running: Running | null = null
  const host = (): Running => {
    if (!running) throw new Error('a request came before the services were started')
    return running
  }
  const guardOf = (h: Host): Guard =>
    createGuard({
      keys: createKeyring({ stream: (t, s, after) => h.stream(t, s, after), clock }),
      clock,
      entitled: licenseOf(h).entitled,
    })
  const mountOf = (name: ServiceName): GatewayOptions['mounts'][string] => {
    const url = urls[name]
    if (url) return new URL(url)
    return (request) => {
      const face = faces.get(name)
      if (face) return face.fetch(request)
      return problem(
        'unavailable',
        'service-away',
        `${name} runs neither here nor at ATTESTRY_${name.toUpperCase()}_URL.`,
      )
    }
  }

  // A service is loaded where it runs: a process that hosts one has the memory and the start of one.
  const load: Record<ServiceName, () => Promise<(h: Host) => Service>> = {
    licensing: () =>
      Promise.resolve((h) =>
        licensingService(h, guardOf(h), {
          service: c.ATTESTRY_LICENSE_URL ?? vendor.service,
          // What checks a licence is part of the product; a demonstration brings its own licence service.
          keys:
            origin === 'demo' ? { ...vendor.keys, ...readVendorKeys(c.ATTESTRY_LICENSE_KEYS) } : vendor.keys,
          key: c.ATTESTRY_LICENSE_KEY ?? null,
          fleetVisibility: c.ENABLE_FLEET_VISIBILITY,
          secretKey: c.SECRET_KEY,
          random: (bytes) => randomBytes(bytes),
        }),
      ),
    discovery: async () => {
      const { discoveryService } = await import('@attestry/discovery')
      return (h) =>
        discoveryService(h, guardOf(h), {
          azure: { endpoint: c.ATTESTRY_AZURE_ENDPOINT, env: environment },
          vaultLimit: () => licenseOf(h).limit('vaults'),
          subscriptionLimit: () => licenseOf(h).limit('subscriptions'),
          autoConnect: origin === 'demo',
        })
    },
    compliance: async () => {
      const { complianceService } = await import('@attestry/compliance')
      return (h) => complianceService(h, guardOf(h))
    },
    rotation: async () => {
      const { azureRotation, rotationService } = await import('@attestry/rotation')
      return (h) =>
        rotationService(h, guardOf(h), {
          ...azureRotation({ endpoint: c.ATTESTRY_AZURE_ENDPOINT, env: environment }),
          secretKey: c.SECRET_KEY,
          mailUrl: c.ATTESTRY_MAIL_URL?.text(),
          mailFrom: c.ATTESTRY_MAIL_FROM,
          publicUrl: c.ATTESTRY_PUBLIC_URL,
          manualLimit: () => licenseOf(h).limit('manualRotations'),
        })
    },
    sync: async () => {
      const { syncService } = await import('@attestry/sync')
      return (h) => {
        const { entitled } = licenseOf(h)
        return syncService(h, guardOf(h), {
          endpoint: c.ATTESTRY_AZURE_ENDPOINT,
          env: environment,
          secretKey: c.SECRET_KEY,
          licensed: async () => (await entitled('sync')) && entitled('cloud-writes'),
          demonstration: c.ATTESTRY_DEMO_CONNECTORS,
        })
      }
    },
    evidence: async () => {
      const { evidenceService } = await import('@attestry/evidence')
      const forEvidence = await azure()
      return (h) =>
        evidenceService(h, guardOf(h), {
          stateDir: c.ATTESTRY_STATE_DIR,
          secretKey: c.SECRET_KEY,
          tsa: c.ATTESTRY_TSA,
          tsaRootsFile: c.ATTESTRY_TSA_ROOTS,
          tsaSpacingSeconds: c.ATTESTRY_TSA_SPACING_SECONDS,
          signingKey: c.ATTESTRY_SIGNING_KEY,
          documentKey: c.ATTESTRY_DOCUMENT_KEY,
          documentCertificateFile: c.ATTESTRY_DOCUMENT_CERTIFICATE,
          azure: () => forEvidence,
          anchorMinutes: c.ATTESTRY_ANCHOR_MINUTES,
          anchorBlob: c.ATTESTRY_ANCHOR_BLOB,
          anchorWebhook: c.ATTESTRY_ANCHOR_WEBHOOK,
          anchorMail: c.ATTESTRY_ANCHOR_MAIL,
          audit: {
            syslog: c.ATTESTRY_AUDIT_SYSLOG
              ? { address: c.ATTESTRY_AUDIT_SYSLOG, caFile: c.ATTESTRY_AUDIT_SYSLOG_CA }
              : undefined,
            webhook:
              c.ATTESTRY_AUDIT_WEBHOOK && c.ATTESTRY_AUDIT_WEBHOOK_KEY
                ? { address: c.ATTESTRY_AUDIT_WEBHOOK, key: c.ATTESTRY_AUDIT_WEBHOOK_KEY }
                : undefined,
            blob: c.ATTESTRY_AUDIT_BLOB
              ? { container: c.ATTESTRY_AUDIT_BLOB, credential: () => forEvidence.credential }
              : undefined,
          },
        })
    },
    gateway: async () => {
      const { gatewayService, SESSION_LIMITS } = await import('@attestry/gateway')
      return (h) =>
        gatewayService(h, guardOf(h), {
          tenant: c.ATTESTRY_TENANT,
          secretKey: c.SECRET_KEY,
          stateDir: c.ATTESTRY_STATE_DIR,
          announce: options.announce,
          limits: {
            ...SESSION_LIMITS,
            idleMinutes: c.ATTESTRY_SESSION_IDLE_MINUTES,
            maxHours: c.ATTESTRY_SESSION_MAX_HOURS,
          },
          oneTimeHours: c.ATTESTRY_ONE_TIME_PASSWORD_HOURS,
          mounts: {
            discovery: mountOf('discovery'),
            compliance: mountOf('compliance'),
            rotation: mountOf('rotation'),
            sync: mountOf('sync'),
            evidence: mountOf('evidence'),
            licensing: mountOf('licensing'),
            audit: mountOf('evidence'),
          },
          ...(options.staticDir ? { staticDir: options.staticDir } : {}),
          https: c.ATTESTRY_PUBLIC_URL?.startsWith('https:') ?? false,
          ready: async () => {
            await pool.query('select 1')
            return running !== null
          },
          license: licenseOf(h).status,
          userLimit: () => licenseOf(h).limit('users'),
          live: (tenant, stop) => tail(pool, { tenant, bell: host().delivered, everyMs: 1000, signal: stop }),
          ledger: {
            page: (tenant, filter) => readActivity(pool, tenant, filter),
            verify: async (tenant, stop) => {
              const result = await verifyLedger(pool, { tenant, signal: stop })
              return result.ok
                ? {
                    ok: true,
                    events: result.events,
                    head: Buffer.from(result.link).toString('hex'),
                    firstBad: null,
                  }
                : { ok: false, events: 0, head: '', firstBad: { seq: result.seq, reason: result.reason } }
            },
            lag: (tenant) => host().lag(tenant),
          },
          stuck: {
            list: (tenant) => host().stuck(tenant),
            replay: (tenant, service, id) => host().replay(tenant, service, id),
          },
        })
    },
  }

  const ids = createIds(clock)
  const closing: (() => Promise<void>)[] = []
  const stop = async () => {
    const results = await Promise.allSettled(closing.map((close) => close()))
    results.push(...(await Promise.allSettled([running?.stop()])))
    results.push(...(await Promise.allSettled([bus.close(), telemetry.stop()])))
    results.push(...(await Promise.allSettled([pool.end(), admin === pool ? undefined : admin.end()])))
    for (const r of results)
      if (r.status === 'rejected') log.warn({ error: r.reason }, 'Something did not stop well')
  }
  try {
    const services = await Promise.all(names.map(async (name) => ({ name, make: await load[name]() })))
    running = await run({
      services: services.map(({ name, make }) => ({
        name,
        make: (h) => {
          const service = make(h)
          faces.set(name, service)
          return service
        },
      })),
      pool,
      admin,
      logins: admin === pool ? [] : [decodeURIComponent(new URL(c.DATABASE_URL.text()).username)],
      bus,
      clock,
      log,
      productVersion,
      origin,
      tenant: c.ATTESTRY_TENANT,
      sweepMs: options.delivery ? options.delivery.sweepMs : c.ATTESTRY_SWEEP_SECONDS * 1000,
      gapReads: options.delivery?.gapReads ?? true,
    })
    signal.throwIfAborted()
    let url: string | null = null
    for (const name of names) {
      const face = faces.get(name)
      // In one process the gateway is the one HTTP face; alone, a service listens on its own port.
      if (!face || (name !== 'gateway' && names.includes('gateway'))) continue
      const serving = await serve({
        fetch: face.fetch,
        port: c.ATTESTRY_PORT ?? SERVICE_PORTS[name],
        variable: 'ATTESTRY_PORT',
        hostname: c.ATTESTRY_HOST,
        log,
        requestId: () => ids.uuid(),
        behindGateway: name !== 'gateway',
        ...(c.ATTESTRY_TRUST_PROXY ? { trustedProxies: 'peer' as const } : {}),
        publicOrigin: c.ATTESTRY_PUBLIC_URL ?? null,
      })
      closing.push(() => serving.close())
      if (name === 'gateway') url = serving.url
    }
    return { url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
