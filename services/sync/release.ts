import type { Host, Reaction, Schedule, Tx } from '@attestry/kit'
import { markReleased } from './kill-switch.ts'
import { sendRun } from './send-run.ts'

/* When a kill switch is released, what it kept is run: asked for in the same transaction that forgets it. */

interface HeldRow {
  readonly route: string
  readonly connector: string
  readonly secret: string
}

/** Runs what no switch keeps any more; what another switch still keeps stays. `why` makes it idempotent. */
async function releaseHeld(host: Host, tx: Tx, why: string): Promise<void> {
  const rows = await tx.rows<HeldRow>(
    `delete from held h where tenant = $1
       and not exists (select from kill_switch s where s.tenant = h.tenant and s.connector = any(array['all', h.connector]))
     returning route, connector, secret`,
    [tx.tenant],
  )
  for (const [route, held] of Map.groupBy(rows, (row) => row.route)) {
    const [first] = held
    if (!first) continue
    const secrets = held.map((row) => row.secret)
    await sendRun(
      host,
      tx,
      { route, connector: first.connector },
      {
        trigger: 'released',
        by: { kind: 'service', id: 'sync-switch' },
        secrets: secrets.includes('all') ? [] : secrets.slice(0, 1000),
        id: `released ${route} ${why}`,
      },
    )
  }
}

export const releaseReaction = (host: Host): Reaction => ({
  name: 'released',
  on: ['sync.switch-released'],
  react: async (event, tx) => {
    if (event.type !== 'sync.switch-released') return {}
    // Whoever released it, and the fold, take the row away in transactions that may come later.
    await markReleased(tx, event.data.connector, event.at)
    await releaseHeld(host, tx, `${event.seq}`)
    return {}
  },
})

/** What was kept at the very moment of a release is found a little later. */
export const releaseSchedule = (host: Host): Schedule => ({
  name: 'released',
  everyMs: 30_000,
  due: async (now, tx) => {
    await releaseHeld(host, tx, now.toString())
    return []
  },
})
