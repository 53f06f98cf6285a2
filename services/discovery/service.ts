import type { Actor } from '@attestry/contracts'
import { command, type Guard, type Host, isRefused, iso, type Send, type Service } from '@attestry/kit'
import { azureAccess } from '@attestry/kit/azure'
import * as z from 'zod'
import { azureCloud } from './azure.ts'
import type { Cloud } from './cloud.ts'
import { decideConnect, dueAt, environmentId, environmentOf } from './environment.ts'
import { requestScan, scanSend } from './request.ts'
import { discoveryRoutes } from './routes.ts'
import { scanCommand } from './scan.ts'
import { estateView } from './views.ts'

export interface DiscoveryOptions {
  readonly azure: {
    /** A stand-in for the cloud on this machine; unset, the real one. */
    readonly endpoint?: string | undefined
    /** The standard AZURE_* variables. */
    readonly env: Readonly<Record<string, string | undefined>>
  }
  /** Connects a demonstration and scans it when there is no environment yet: the embedded default. */
  readonly autoConnect: boolean
  /** Vaults that the licence admits, asked before each scan; null is no limit. */
  readonly vaultLimit?: () => Promise<number | null>
  /** Subscriptions that the licence admits, asked before more are declared; null is no limit. */
  readonly subscriptionLimit?: () => Promise<number | null>
}

/** How often schedules are looked at. */
const SCHEDULE_MS = 30_000

const DEMONSTRATION = 'contoso demonstration'

const install: Actor = { kind: 'install', id: 'install-first-run' }

/** Finds what there is: subscriptions, vaults and what they hold, applications, and who uses it all. */
export function discoveryService(host: Host, guard: Guard, options: DiscoveryOptions): Service {
  const overridden = options.azure.endpoint !== undefined
  const clouds = new Map<string, Promise<Cloud>>()
  const cloudOf = (tenant: string, environment: string): Promise<Cloud> => {
    const key = `${tenant} ${environment}`
    const found = clouds.get(key)
    if (found) return found
    const made = host.opaque(tenant).then((opaque) => azureCloud(azureAccess(options.azure), opaque))
    clouds.set(key, made)
    // A tenant's key that could not be read now may be read the next time.
    made.catch(() => clouds.delete(key))
    return made
  }

  /** Connects the demonstration once; what is already there is left alone. */
  async function firstRun(tenant: string): Promise<void> {
    const opaque = await host.opaque(tenant)
    const environment = environmentId(opaque, DEMONSTRATION)
    const events = await host.stream(tenant, environment)
    const [others] = await host.tx(tenant, (tx) =>
      tx.rows('select 1 from environments where tenant = $1 limit 1', [tenant]),
    )
    if (events.length > 0 || others) return
    const facts = decideConnect(
      environmentOf(events),
      { environment, name: DEMONSTRATION, subscriptions: [], settingsScan: true, everyHours: 24 },
      { origin: host.origin, overridden },
    )
    if (isRefused(facts)) {
      host.log.warn({ reason: facts.refused }, facts.detail)
      return
    }
    const correlation = host.ids.uuid()
    const cause = { correlation, causation: 'first-run' }
    const result = await host.append(tenant, { stream: environment, expected: 0, facts, by: install, cause })
    if (!result.ok) return
    await host.tx(tenant, (tx) =>
      requestScan(
        host,
        tx,
        { scan: opaque('scan', `first-run ${environment}`), environment, trigger: 'first-run' },
        install,
        correlation,
      ),
    )
  }

  return {
    name: 'discovery',
    schema: new URL('./schema/', import.meta.url),
    fetch: discoveryRoutes({
      host,
      guard,
      cloudOf,
      overridden,
      vaultLimit: options.vaultLimit ?? (() => Promise.resolve(null)),
      subscriptionLimit: options.subscriptionLimit ?? (() => Promise.resolve(null)),
    }),
    commands: [
      scanCommand({ host, cloudOf, overridden }),
      command({
        name: 'first-run',
        body: z.object({}),
        work: (job) => firstRun(job.tenant),
      }),
    ],
    reactions: [],
    views: [estateView],
    schedules: [
      {
        name: 'scans',
        everyMs: SCHEDULE_MS,
        due: async (now, tx) => {
          const rows = await tx.rows<{
            environment: string
            every_hours: number
            connected_at: string
            last_at: string | null
          }>(
            `select e.environment, e.every_hours, e.connected_at,
               (select max(r.requested_at) from scan_request r where r.tenant = e.tenant
                and r.environment = e.environment and r.requested_at <= $2) as last_at
             from environments e
             where e.tenant = $1 and e.disconnected_at is null and e.every_hours is not null`,
            // A request of a time to come is of a clock that was ahead: no reason to wait for that time.
            [tx.tenant, iso(now)],
          )
          const opaque = await host.opaque(tx.tenant)
          const sends: Send[] = []
          for (const row of rows) {
            const due = dueAt(
              { everyHours: row.every_hours, connectedAt: row.connected_at, connected: true },
              row.last_at,
            )
            if (!due || Temporal.Instant.compare(due, now) > 0) continue
            const { environment } = row
            const scan = opaque('scan', `${environment} ${iso(due)}`)
            await tx.rows(
              `insert into scan_request (tenant, scan, environment, trigger, requested_at)
               values ($1, $2, $3, 'schedule', $4)
               on conflict (tenant, scan) do update set requested_at = excluded.requested_at`,
              [tx.tenant, scan, environment, iso(now)],
            )
            sends.push(
              scanSend(
                { scan, environment, trigger: 'schedule' },
                { kind: 'schedule', id: 'schedule-scans' },
                scan,
                now,
              ),
            )
          }
          return sends
        },
      },
    ],
    start: async () => {
      if (!options.autoConnect) return
      // As a command: it survives a stop between connecting and asking for the scan, and blocks no start.
      for (const tenant of await host.tenants())
        await host.tx(tenant, (tx) =>
          host.send(tx, [
            {
              command: 'first-run',
              id: 'first-run',
              session: 'first-run',
              body: {},
              by: install,
              cause: { correlation: 'first-run', causation: 'start' },
            },
          ]),
        )
    },
  }
}
