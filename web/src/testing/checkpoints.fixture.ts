import type { CheckpointRow } from '@attestry/contracts/http'
import { type Handlers, iso, page, refuse } from './answers.fixture.ts'
import type { World } from './world.fixture.ts'

const HOUR = 3_600_000

/** The ledger's checkpoints: an hourly one for the last hours, the newest of which waits for its time. */
export function checkpointHandlers(
  world: World,
): Pick<
  Handlers['evidence'],
  'listCheckpoints' | 'readCheckpoint' | 'anchorNow' | 'readReceipt' | 'readConsistency'
> {
  const row = (size: number, hoursAgo: number): CheckpointRow => ({
    size,
    root: 'ab'.repeat(32),
    at: iso(Date.now() - hoursAgo * HOUR),
    timestamp:
      hoursAgo === 0
        ? { status: 'pending', tsa: null, independent: false, genTime: null }
        : {
            status: 'stamped',
            tsa: hoursAgo > 1 ? 'FreeTSA' : 'Attestry local authority',
            independent: hoursAgo > 1,
            genTime: iso(Date.now() - hoursAgo * HOUR + 2000),
          },
    copies: hoursAgo > 1 ? ['blob', 'webhook'] : [],
  })
  const size = world.activity.length
  const rows = [3, 2, 1].map((hours) => row(Math.max(1, size - 2 * hours), hours)).toReversed()
  return {
    listCheckpoints: ({ query }) => page(rows, query),
    readCheckpoint: ({ params }) => {
      const found = rows.find((r) => String(r.size) === params.size)
      if (!found) return refuse(404, 'no-such-checkpoint', 'There is no such checkpoint.')
      const note = `attestry/contoso\n${found.size}\nq6s=\n\n— attestry/contoso AQID\n`
      return { ...found, note, token: null }
    },
    anchorNow: () => {
      rows.unshift(row(world.activity.length, 0))
      world.happen('evidence.anchored')
      return undefined
    },
    readReceipt: () => new TextEncoder().encode('c2sp.org/tlog-proof@v1\n'),
    readConsistency: () => refuse(404, 'no-such-checkpoint', 'There is no such checkpoint.'),
  }
}
