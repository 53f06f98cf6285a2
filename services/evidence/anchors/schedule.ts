import { type Clock, iso, type Schedule, type Send } from '@attestry/kit'
import { lastCheckpoint } from './checkpoints.ts'

/** How often it is looked whether an anchor is due. */
const LOOK_MS = 60_000
/** How often what waits for a timestamp or a copy is tried again. */
const AGAIN_MINUTES = 5

const by = { kind: 'schedule', id: 'anchors' } as const

/** Anchors each tenant's chain once in `everyMinutes` while events arrive, and sees to what had to wait. */
export function anchorSchedule(everyMinutes: number, places: readonly string[]): Schedule {
  return {
    name: 'anchors',
    everyMs: LOOK_MS,
    due: async (now, tx) => {
      const sends: Send[] = []
      const send = (command: 'anchor' | 'stamp', minutes: number) => {
        const slot = Math.floor(now.epochMilliseconds / (minutes * 60_000))
        const id = `${command}-${slot}`
        sends.push({
          command,
          id,
          session: 'anchors',
          body: {},
          by,
          cause: { correlation: id, causation: id },
        })
      }
      const last = await lastCheckpoint(tx)
      const age = last === null ? null : now.since(last.at).total('minutes')
      if (age === null || age >= everyMinutes) send('anchor', everyMinutes)
      const [waiting] = await tx.rows<{ waits: boolean }>(
        `select exists (select from checkpoint where tenant = $1 and status = 'pending')
           or exists (select from bundle where tenant = $1 and state = 'sealed' and stamp->>'status' = 'pending')
           or exists (select from checkpoint where tenant = $1 and status = 'stamped' and not copies @> $2) as waits`,
        [tx.tenant, places],
      )
      if (waiting?.waits) send('stamp', AGAIN_MINUTES)
      return sends
    },
  }
}

/** The command that an operator's wish for an anchor sends. */
export const anchorWish = (clock: Clock, by: Send['by'], cause: Send['cause']): Send => ({
  command: 'anchor',
  id: `anchor-wish-${iso(clock.now())}`,
  session: 'anchors',
  body: {},
  by,
  cause,
})
