import { type Host, pause } from '@attestry/kit'
import { reserve } from './quota.ts'

/**
 * Takes a place in an account's quota, over all processes, and waits for it.
 * @param now epoch milliseconds
 */
export async function waitForTurn(
  host: Host,
  tenant: string,
  place: string,
  writesPerMinute: number,
  signal: AbortSignal,
): Promise<void> {
  const now = host.clock.now().epochMilliseconds
  const waitMs = await host.tx(tenant, async (tx) => {
    const key = [tx.tenant, place]
    await tx.rows('insert into quota (tenant, place, arrival) values ($1, $2, 0) on conflict do nothing', key)
    const [row] = await tx.rows<{ arrival: string | number }>(
      'select arrival from quota where tenant = $1 and place = $2 for update',
      key,
    )
    const next = reserve({ arrival: Number(row?.arrival ?? 0) }, now, writesPerMinute)
    await tx.rows('update quota set arrival = $3 where tenant = $1 and place = $2', [
      ...key,
      Math.round(next.arrival),
    ])
    return next.waitMs
  })
  if (waitMs > 0) await pause(waitMs, signal)
  signal.throwIfAborted()
}
