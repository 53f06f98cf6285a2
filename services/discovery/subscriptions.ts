import type { Tx } from '@attestry/kit'

/**
 * Subscriptions that connected environments cover, all but one of them where one is named: what an environment
 * declares, or, where it declares none and takes all it sees, what its last scan found.
 */
export async function countSubscriptions(tx: Tx, except: string | null): Promise<number> {
  const [row] = await tx.rows<{ n: number }>(
    `select coalesce(sum(case when jsonb_array_length(e.subscriptions) > 0 then jsonb_array_length(e.subscriptions)
         else coalesce((s.counts->>'subscriptions')::int, 0) end), 0)::int as n
     from environments e left join lateral (
       select counts from scans where tenant = e.tenant and environment = e.environment and counts is not null
       order by ended_at desc limit 1) s on true
     where e.tenant = $1 and e.disconnected_at is null and e.environment is distinct from $2`,
    [tx.tenant, except],
  )
  return row?.n ?? 0
}
