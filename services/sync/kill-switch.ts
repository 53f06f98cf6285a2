import type { Tx } from '@attestry/kit'

/*
 * Rows of kill switches that are thrown. Whoever throws or releases one writes the row at once, the fold of the event
 * does so again when it comes round. Both bear to come late: a row only moves on in time, so an old throw does not make
 * a newer one look old, and a release never lifts a switch that was thrown since.
 */

/** The switch over all connectors. */
export const ALL = 'all'

/** `at` is an instant as ISO 8601 text; `connector` null is the switch over all. */
export const markThrown = (tx: Tx, connector: string | null, at: string, reason: string) =>
  tx.rows(
    `insert into kill_switch (tenant, connector, thrown_at, reason) values ($1, $2, $3, $4)
     on conflict (tenant, connector) do update set thrown_at = excluded.thrown_at, reason = excluded.reason
       where kill_switch.thrown_at < excluded.thrown_at`,
    [tx.tenant, connector ?? ALL, at, reason],
  )

/** Takes the row away, unless it was thrown after `at`. */
export const markReleased = (tx: Tx, connector: string | null, at: string) =>
  tx.rows('delete from kill_switch where tenant = $1 and connector = $2 and thrown_at <= $3', [
    tx.tenant,
    connector ?? ALL,
    at,
  ])
