import type { Doing } from './licenses.ts'
import { refuse, type Refused } from './problem.ts'

/*
 * A request that its sender marks (Idempotency-Key) is carried out once, however often it comes: a network that lost
 * the answer costs no second licence and no second line of the audit.
 */

export type MarkReused = Refused<'mark-reused'>

/** Whether this very request was carried out before. */
export function wasDone(sql: SqlStorage, { once }: Doing): boolean | MarkReused {
  if (!once) return false
  const [done] = sql.exec<{ asked: string }>('select asked from done where mark = ?', once.mark).toArray()
  if (!done) return false
  return (
    done.asked === once.asked ||
    refuse('mark-reused', 'This Idempotency-Key came with another request before; take a new one.')
  )
}

/** Notes that it is carried out, in the transaction that does so. */
export function noteDone(sql: SqlStorage, { once, at }: Doing): void {
  if (once) sql.exec('insert into done (mark, asked, at) values (?, ?, ?)', once.mark, once.asked, at)
}
