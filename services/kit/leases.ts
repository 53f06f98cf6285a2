import { pause } from './clock.ts'
import type { Logger } from './log.ts'
import type { Tx } from './service.ts'

/** For so long a command belongs to whoever took it last. */
export const LEASE_SECONDS = 20
const BEAT_MS = 500
/** Leases are renewed at a quarter of their length. */
const BEATS_A_RENEWAL = (LEASE_SECONDS * 1000) / 4 / BEAT_MS

/** Why a job's signal aborted. */
export const CANCELLED = 'cancelled by an operator'
const LOST = 'the lease was lost'

/** A command in hand, and what ends its work. */
export interface Held {
  readonly tenant: string
  readonly id: string
  readonly lease: string
  readonly lost: AbortController
}

export interface LeaseKeeper {
  /** Keeps a lease until released; aborts its work when it is lost or somebody asks it to stop. */
  keep(held: Held): () => void
}

/**
 * Keeps the leases of everything that a service works on in this process: one statement a beat and tenant, whether it is
 * one command or a hundred.
 */
export function leaseKeeper(host: {
  tx<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T>
  readonly log: Logger
  readonly signal: AbortSignal
}): LeaseKeeper {
  const all = new Set<Held>()
  let beating = false

  async function look(tenant: string, mine: readonly Held[], renew: boolean): Promise<void> {
    const rows = await host.tx(tenant, (tx) =>
      tx.rows<{ lease: string; cancel_asked: boolean }>(
        renew
          ? `update pending_command set lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
             where tenant = $1 and id = any($2) and lease = any($3) and outcome is null returning lease, cancel_asked`
          : `select lease, cancel_asked from pending_command
             where tenant = $1 and id = any($2) and lease = any($3) and outcome is null`,
        [tenant, mine.map(({ id }) => id), mine.map(({ lease }) => lease)],
      ),
    )
    const found = new Map(rows.map((row) => [row.lease, row]))
    for (const one of mine) {
      // What ended meanwhile is nobody's concern any more.
      if (!all.has(one)) continue
      const row = found.get(one.lease)
      if (row && !row.cancel_asked) continue
      all.delete(one)
      one.lost.abort(row ? CANCELLED : LOST)
    }
  }

  async function beat(): Promise<void> {
    beating = true
    for (let turn = 0; all.size > 0 && !host.signal.aborted; turn++) {
      await pause(BEAT_MS, host.signal)
      const byTenant = Map.groupBy(all, ({ tenant }) => tenant)
      for (const [tenant, mine] of byTenant)
        try {
          await look(tenant, mine, turn % BEATS_A_RENEWAL === 0)
        } catch (error) {
          host.log.warn({ error, tenant, commands: mine.length }, 'Leases of commands could not be looked at')
        }
    }
    beating = false
  }

  return {
    keep(held) {
      all.add(held)
      if (!beating) void beat()
      return () => void all.delete(held)
    },
  }
}
