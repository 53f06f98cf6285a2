import { pause } from './clock.ts'
import type { Fold, Host } from './service.ts'

const LOOK_MS = 50

/**
 * Waits until a fold's rows tell what the ledger holds up to `seq`, so that a decision does not begin from yesterday.
 * False when they do not within `withinMs` (or the signal ends): whether that is an error is the caller's to say.
 */
export async function folded(
  host: Pick<Host, 'tx'>,
  tenant: string,
  fold: Pick<Fold, 'name' | 'contexts'>,
  seq: number,
  withinMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  for (let waited = 0; !signal.aborted; waited += LOOK_MS) {
    const behind = await host.tx(tenant, (tx) =>
      tx.rows(
        `select from unnest($4::text[]) as of (context)
         where exists (select from ledger.event e
           where e.tenant = $1 and e.context = of.context and e.seq <= $2 and e.seq > coalesce(
             (select c.seq from cursor c where c.tenant = $1 and c.consumer = $3 and c.context = of.context), 0))
         limit 1`,
        [tx.tenant, seq, fold.name, fold.contexts],
      ),
    )
    if (behind.length === 0) return true
    if (waited >= withinMs) return false
    await pause(LOOK_MS, signal)
  }
  return false
}
