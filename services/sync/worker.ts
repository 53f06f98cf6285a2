import { type Actor, fact } from '@attestry/contracts'
import { type Host, iso, pause, type Tx } from '@attestry/kit'

/*
 * The worker's sign of life. A row every few seconds tells the other processes of this service; a fact now and then,
 * good for an hour, tells everybody else, so that a sync of which no process is left is seen as such by those that
 * only read facts.
 */

const BEAT_MS = 10_000
/** A row this old is of a process that is no more. */
const LOST_MS = 60_000
/** How long a fact is good for, and how much of it is left when the next one is written. */
const GOOD_FOR_MINUTES = 60
const RENEW_MINUTES = 30

const worker: Actor = { kind: 'service', id: 'sync-worker' }

export interface Worker {
  /** Says at once that a worker runs: a route that was just opened must not look unattended. */
  announce(tenant: string): Promise<void>
  /** Beats until the process stops. */
  run(): Promise<void>
}

/** @param beatMs how often it gives a sign of life */
export function createWorker(host: Host, beatMs: number = BEAT_MS): Worker {
  const id = host.ids.opaque('worker')
  const saidUntil = new Map<string, Temporal.Instant>()

  const say = async (tenant: string, now: Temporal.Instant): Promise<void> => {
    const before = saidUntil.get(tenant)
    if (before && Temporal.Instant.compare(now.add({ minutes: RENEW_MINUTES }), before) < 0) return
    const until = now.add({ minutes: GOOD_FOR_MINUTES })
    const said = { worker: id, until: iso(until) }
    await host.append(tenant, {
      stream: id,
      expected: 'any',
      facts: [before ? fact('sync.worker-seen', said) : fact('sync.worker-started', said)],
      by: worker,
      cause: { correlation: id, causation: 'heartbeat' },
    })
    saidUntil.set(tenant, until)
  }

  const beat = async (tenant: string, force: boolean): Promise<void> => {
    const now = host.clock.now()
    const needed = await host.tx(tenant, async (tx) => {
      const [routes] = await tx.rows<{ open: boolean }>(
        `select exists (select from route where tenant = $1 and state <> 'closed') as open`,
        [tx.tenant],
      )
      // An install that copies nothing needs no worker, and its chain says nothing of one.
      if (!force && !routes?.open) return false
      const [row] = await tx.rows<{ lost: boolean }>(
        'select lost from heartbeat where tenant = $1 and worker = $2',
        [tx.tenant, id],
      )
      // It stood still so long that another process called it lost; it runs again, and says so at once.
      if (row?.lost) saidUntil.delete(tenant)
      await tx.rows(
        `insert into heartbeat (tenant, worker, beat_at, until) values ($1, $2, $3, $4)
         on conflict (tenant, worker) do update
         set beat_at = excluded.beat_at, until = excluded.until, lost = false`,
        [tx.tenant, id, iso(now), iso(now.add({ minutes: GOOD_FOR_MINUTES }))],
      )
      return true
    })
    if (needed) await say(tenant, now)
  }

  return {
    announce: (tenant) => beat(tenant, true),
    run: async () => {
      for (let turn = 0; !host.signal.aborted; turn++) {
        try {
          for (const tenant of await host.tenants()) await beat(tenant, false)
        } catch (error) {
          if (!host.signal.aborted)
            host.log.warn({ error, turn }, 'The worker’s sign of life could not be written')
        }
        await pause(beatMs, host.signal)
      }
    },
  }
}

/** Records that a worker's heartbeat ended, once. */
export async function recordLost(host: Host, tenant: string, id: string): Promise<void> {
  const events = await host.stream(tenant, id)
  const [row] = await host.tx(tenant, (tx) =>
    tx.rows<{ lost: boolean }>('select lost from heartbeat where tenant = $1 and worker = $2', [
      tx.tenant,
      id,
    ]),
  )
  if (row?.lost === false && events.length > 0)
    await host.append(tenant, {
      stream: id,
      expected: events.at(-1)?.position ?? 0,
      facts: [fact('sync.worker-lost', { worker: id })],
      by: worker,
      cause: { correlation: id, causation: 'heartbeat-ended' },
    })
  await host.tx(tenant, (tx) =>
    tx.rows('update heartbeat set lost = true where tenant = $1 and worker = $2', [tx.tenant, id]),
  )
}

/** Workers that gave no sign of life for a minute. */
export const lostWorkers = (tx: Tx, now: Temporal.Instant) =>
  tx.rows<{ worker: string }>(
    'select worker from heartbeat where tenant = $1 and not lost and beat_at < $2 limit 100',
    [tx.tenant, iso(now.subtract({ milliseconds: LOST_MS }))],
  )
