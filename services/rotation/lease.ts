import { type Host, iso, type Tx } from '@attestry/kit'

/*
 * One active rotation a principal (R6), at least two minutes between two, and so many at once in a tenant. A lease
 * belongs to a rotation and ends with it, however often the process dies meanwhile.
 */

const BETWEEN_SECONDS = 120
/** Rotations that are begun at once in a tenant; more wait. */
const MOST_AT_ONCE = 100
const FULL_RETRY_SECONDS = 30

/** What the advisory lock is about. */
const LOCK = 'rotation.lease'

/** Takes a principal's lease for a rotation: null when it is held now, else when to try again. */
export function takeLease(
  host: Pick<Host, 'tx' | 'clock'>,
  tenant: string,
  principal: string,
  rotation: string,
): Promise<Temporal.Instant | null> {
  const now = host.clock.now()
  return host.tx(tenant, async (tx) => {
    await tx.rows('select pg_advisory_xact_lock(hashtext($1), hashtext($2))', [tenant, LOCK])
    const [held] = await tx.rows<{ rotation: string; released_at: string | null }>(
      'select rotation, released_at from lease where tenant = $1 and principal = $2',
      [tenant, principal],
    )
    if (held && held.rotation === rotation && held.released_at === null) return null
    if (held && held.released_at === null) return now.add({ seconds: BETWEEN_SECONDS })
    if (held?.released_at) {
      const free = Temporal.Instant.from(held.released_at).add({
        seconds: BETWEEN_SECONDS,
      })
      if (Temporal.Instant.compare(now, free) < 0) return free
    }
    const [count] = await tx.rows<{ n: number }>(
      'select count(*)::int as n from lease where tenant = $1 and released_at is null',
      [tenant],
    )
    if ((count?.n ?? 0) >= MOST_AT_ONCE) return now.add({ seconds: FULL_RETRY_SECONDS })
    await tx.rows(
      `insert into lease (tenant, principal, rotation, taken_at) values ($1, $2, $3, $4)
       on conflict (tenant, principal) do update set rotation = excluded.rotation, taken_at = excluded.taken_at,
         released_at = null`,
      [tenant, principal, rotation, iso(now)],
    )
    return null
  })
}

/** Ends a rotation's lease. Ended already is as good. */
export const releaseLease = async (tx: Tx, rotation: string, now: Temporal.Instant): Promise<void> => {
  await tx.rows(
    'update lease set released_at = $3 where tenant = $1 and rotation = $2 and released_at is null',
    [tx.tenant, rotation, iso(now)],
  )
}
