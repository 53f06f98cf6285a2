import { type Fold, refuse, type Refused, type Tx } from '@attestry/kit'

/* Rotations that a person asks for, which a licence may admit so many of a month. Those of policies are not counted. */

/** Folds who asked into rows: a machine's schedule is nobody. */
export const askedView: Fold = {
  name: 'asked',
  contexts: ['rotation'],
  version: 1,
  apply: async (events, tx) => {
    for (const event of events)
      if (event.type === 'rotation.requested' && event.by.kind === 'operator')
        await tx.rows(
          'insert into asked (tenant, rotation, at) values ($1, $2, $3) on conflict (tenant, rotation) do nothing',
          [tx.tenant, event.data.rotation, event.at],
        )
  },
  clear: async (tx) => {
    await tx.rows('delete from asked where tenant = $1', [tx.tenant])
  },
}

/** The calendar month of an instant, UTC, and the first day of the next. */
function monthOf(now: Temporal.Instant): { readonly from: string; readonly next: string } {
  const first = now.toZonedDateTimeISO('UTC').toPlainDate().with({ day: 1 })
  return { from: `${first.toString()}T00:00:00Z`, next: first.add({ months: 1 }).toString() }
}

/**
 * Refuses what would be one too many this month. Counted where the fold stands: of some that are asked for in the
 * same moment one too many may pass, and is then carried out.
 */
export async function tooManyAsked(
  tx: Tx,
  most: number,
  now: Temporal.Instant,
): Promise<Refused<'too-many-rotations'> | null> {
  const { from, next } = monthOf(now)
  const [row] = await tx.rows<{ n: number }>(
    'select count(*)::int as n from asked where tenant = $1 and at >= $2',
    [tx.tenant, from],
  )
  const n = row?.n ?? 0
  if (n < most) return null
  return refuse(
    'too-many-rotations',
    `The licence admits ${most} rotations by hand a month, and ${n} were asked for. The next may be asked for on ${next} (UTC), or with a licence that admits more. Those of policies go on, and break-glass is never refused for a number.`,
  )
}
