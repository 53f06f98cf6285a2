import { type EventOf, fact, OpaqueId } from '@attestry/contracts'
import { type Command, command, Denied, type Host, type Job, messageOf, Transient } from '@attestry/kit'
import * as z from 'zod'
import type { Cloud } from './cloud.ts'
import { type Environment, environmentOf, mayConnect } from './environment.ts'
import { forEachOf } from './in-flight.ts'
import { inventoryDigest } from './inventory.ts'
import {
  missing,
  noCounts,
  type Progress,
  scanApplications,
  scanResources,
  scanVault,
  type Step,
  type Tally,
  VAULTS_AT_ONCE,
} from './walk.ts'

export const ScanBody = z.object({
  scan: OpaqueId,
  environment: OpaqueId,
  trigger: z.enum(['operator', 'schedule', 'first-run']),
})
export type ScanBody = z.infer<typeof ScanBody>

export interface ScanParts {
  readonly host: Host
  /** Kept between scans of an environment, so that clients need not be challenged again. */
  readonly cloudOf: (tenant: string, environment: string) => Promise<Cloud>
  readonly overridden: boolean
}

/** Attempts of the whole scan while the cloud cannot be reached. */
const ATTEMPTS = 3
/** The signal's reason when a person asked the command to stop. */
const CANCELLED = 'cancelled by an operator'

/**
 * One scan of one environment. It may die anywhere and be run again under the same id: what it recorded before is
 * known then, so nothing is written twice; a scan whose end is recorded does nothing.
 */
export function scanCommand(parts: ScanParts): Command {
  const { host } = parts
  return command<ScanBody>({
    name: 'scan',
    body: ScanBody,
    work: async (job) => {
      const { scan, environment } = job.body
      try {
        await walk(parts, job)
      } catch (error) {
        const cancelled = job.signal.aborted && job.signal.reason === CANCELLED
        // The process stops or another one took over: whoever runs next goes on from the record.
        if (job.signal.aborted && !cancelled) throw error
        const transient = error instanceof Transient
        if (!cancelled && transient && job.attempt < ATTEMPTS) throw error
        const reason = cancelled
          ? 'cancelled'
          : transient
            ? 'unreachable'
            : error instanceof Denied
              ? 'denied'
              : 'error'
        if (!cancelled) host.log.error({ error, scan, environment, tenant: job.tenant }, 'A scan failed')
        await fail(host, job, reason, cancelled ? 'An operator cancelled the scan.' : messageOf(error))
      }
    },
  })
}

async function fail(
  host: Host,
  job: Job<ScanBody>,
  reason: 'cancelled' | 'denied' | 'unreachable' | 'error',
  detail: string,
): Promise<void> {
  const { scan, environment } = job.body
  const events = await host.stream(job.tenant, scan)
  if (ended(events)) return
  const [request] = await host.tx(job.tenant, (tx) =>
    tx.rows<{ cancelled_by: Job<ScanBody>['by'] | null }>(
      'select cancelled_by from scan_request where tenant = $1 and scan = $2',
      [job.tenant, scan],
    ),
  )
  const result = await host.append(job.tenant, {
    stream: scan,
    expected: events.length,
    facts: [
      fact(
        'discovery.scan-failed',
        { scan, environment, reason, detail: detail.slice(0, 1000) },
        { env: environment, run: scan },
      ),
    ],
    by: (reason === 'cancelled' && request?.cancelled_by) || job.by,
    cause: job.cause,
  })
  if (!result.ok) throw new Transient('The end of a scan met another one; it will be looked at again')
}

const ended = (events: readonly EventOf[]): boolean =>
  events.some((e) => e.type === 'discovery.scan-completed' || e.type === 'discovery.scan-failed')

async function walk(parts: ScanParts, job: Job<ScanBody>): Promise<void> {
  const { host, overridden } = parts
  const { tenant, signal } = job
  const { scan, trigger } = job.body
  const past = await host.stream(tenant, scan)
  if (ended(past)) return
  const environment = environmentOf(await host.stream(tenant, job.body.environment))
  if (!environment?.connected) throw new Denied('not-connected', 'The environment is not connected any more.')
  const startedAt = await begin(host, job, past, environment, trigger)
  signal.throwIfAborted()
  const refusal = mayConnect(host.origin, overridden)
  if (refusal) throw new Denied(refusal.refused, refusal.detail)

  const cloud = await parts.cloudOf(tenant, environment.environment)
  const callsBefore = cloud.calls()
  const where = { env: environment.environment, run: scan }
  const tally: Tally = { counts: noCounts(), unreachable: [], refused: new Set(), lines: [] }
  let progress: Progress = { phase: 'subscriptions', vaultsDone: 0, vaultsTotal: 0, items: 0, calls: 0 }
  const show = (change: Partial<Progress>) => {
    progress = { ...progress, ...change, calls: cloud.calls() - callsBefore }
    return job.progress({ ...progress })
  }
  const step: Step = { host, job, cloud, environment, where, tally, show }
  await show({})

  const visible = await cloud.subscriptions(signal)
  const declared = new Set(environment.scope.subscriptions)
  const scope = visible.filter(({ id }) => declared.size === 0 || declared.has(id))
  const subscriptions = scope.map(({ id }) => id)
  tally.counts.subscriptions = subscriptions.length
  await show({ phase: 'vaults' })

  const vaults = await cloud.vaults(subscriptions, signal)
  tally.counts.vaults = vaults.items.length
  await show({ phase: 'items', vaultsTotal: vaults.items.length })
  const vaultIds = new Map(vaults.items.map(({ vault, facts }) => [facts.name.toLowerCase(), vault]))
  let resources: Awaited<ReturnType<typeof scanResources>> = null
  let done = 0
  // None waits for another, so they go on side by side; the phase is the first that is not over.
  const looks: [Progress['phase'], () => Promise<void>][] = [
    [
      'items',
      () =>
        forEachOf(vaults.items, VAULTS_AT_ONCE, signal, async (listed) => {
          const items = await scanVault(step, listed)
          await show({ vaultsDone: ++done, items: progress.items + items })
        }),
    ],
    [
      'applications',
      () =>
        scanApplications(step, scope.map(({ directory }) => directory).find((d) => d !== null) ?? 'default'),
    ],
    [
      'resources',
      async () => {
        resources = await scanResources(step, subscriptions, vaultIds)
      },
    ],
  ]
  const open = new Map(looks)
  await forEachOf(looks, looks.length, signal, async ([phase, look]) => {
    await look()
    open.delete(phase)
    const [next] = open.keys()
    if (next) await show({ phase: next })
  })

  await missing(step, subscriptions, vaults, resources)

  const result = await host.append(tenant, {
    stream: scan,
    expected: (await host.stream(tenant, scan)).length,
    facts: [
      fact(
        'discovery.scan-completed',
        {
          scan,
          environment: environment.environment,
          counts: tally.counts,
          unreachable: tally.unreachable.toSorted((a, b) => (a.vault < b.vault ? -1 : 1)),
          refused: [...tally.refused].toSorted(),
          inventoryDigest: inventoryDigest(tally.lines),
          calls: cloud.calls() - callsBefore,
          durationMs: Math.max(0, host.clock.now().epochMilliseconds - Date.parse(startedAt)),
        },
        where,
      ),
    ],
    by: job.by,
    cause: job.cause,
  })
  if (!result.ok) throw new Transient('The end of a scan met another one; it will be looked at again')
  await show({ phase: 'done' })
}

/** Records the start, once, and says when that was. */
async function begin(
  host: Host,
  job: Job<ScanBody>,
  past: readonly EventOf[],
  { environment, scope }: Environment,
  trigger: ScanBody['trigger'],
): Promise<string> {
  const [first] = past
  if (first) return first.at
  const { scan } = job.body
  const result = await host.append(job.tenant, {
    stream: scan,
    expected: 0,
    facts: [
      fact('discovery.scan-started', { scan, environment, trigger, scope }, { env: environment, run: scan }),
    ],
    by: job.by,
    cause: job.cause,
  })
  if (!result.ok) throw new Transient('The start of a scan met another one; it will be looked at again')
  return result.at
}
