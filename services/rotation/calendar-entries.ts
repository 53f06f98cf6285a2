import type { CalendarEntry } from '@attestry/contracts/http'
import { instantOf, iso, type Tx } from '@attestry/kit'
import type * as z from 'zod'
import { calendarOf } from './calendar.ts'
import { policyOf, readFreezes } from './known.ts'
import { dueAt } from './policy.ts'

/** Freezes, what is due, the window in which it would be done, and what runs, between two instants. */
export async function calendarEntries(
  tx: Tx,
  from: Temporal.Instant,
  until: Temporal.Instant,
): Promise<z.input<typeof CalendarEntry>[]> {
  const freezes = await readFreezes(tx)
  const within = (at: string) =>
    Temporal.Instant.compare(at, from) >= 0 && Temporal.Instant.compare(at, until) < 0
  const entries: z.input<typeof CalendarEntry>[] = freezes
    .filter((f) => Temporal.Instant.compare(f.until, from) > 0 && Temporal.Instant.compare(f.from, until) < 0)
    .map((f) => ({
      kind: 'freeze',
      from: f.from,
      until: f.until,
      name: f.name,
      policy: f.policies[0] ?? null,
      rotation: null,
      freeze: f.freeze,
    }))
  const policies = await tx.rows<
    Parameters<typeof policyOf>[0] & { starts_at: string | null; ends_at: string | null }
  >(
    `select p.policy, p.enabled, p.credential, p.cadence_days, p.subject, p.settings, p.selector,
       coalesce(c.starts_at, i.created, (select max(r.ended_at) from runs r
         where r.tenant = p.tenant and r.policy = p.policy and r.stage = 'complete'), p.since) as starts_at, coalesce(c.ends_at, i.expires) as ends_at
     from policies p left join credentials c on c.tenant = p.tenant and c.asset = p.credential
     left join items i on i.tenant = p.tenant and i.asset = p.credential
     where p.tenant = $1 and p.enabled and p.subject is not null and p.settings is not null
     order by p.policy limit 5000`,
    [tx.tenant],
  )
  for (const row of policies) {
    const policy = policyOf(row)
    const due = dueAt(policy, { startsAt: instantOf(row.starts_at), endsAt: instantOf(row.ends_at) })
    if (!due) continue
    const late = Temporal.Instant.compare(due, from) < 0
    const at = late ? from : due
    const common = { name: policy.subject.name, policy: policy.policy, rotation: null, freeze: null }
    if (within(iso(at))) entries.push({ kind: 'due', from: iso(at), until: null, ...common })
    const opening =
      policy.settings.window && calendarOf(policy.settings.window, freezes, policy.policy).next(at)
    if (opening && within(iso(opening.opensAt)))
      entries.push({
        kind: 'window',
        from: iso(opening.opensAt),
        until: opening.closesAt && iso(opening.closesAt),
        ...common,
      })
  }
  const runs = await tx.rows<{
    rotation: string
    policy: string
    name: string
    at: string
    ended_at: string | null
  }>(
    `select rotation, policy, name, coalesce(opens_at, planned_at) as at, ended_at from runs
     where tenant = $1 and stage not in ('planned', 'rejected', 'expired')
       and coalesce(opens_at, planned_at) < $3 and coalesce(ended_at, 'infinity') >= $2
     order by planned_at desc limit 500`,
    [tx.tenant, iso(from), iso(until)],
  )
  for (const r of runs)
    entries.push({
      kind: 'running',
      from: instantOf(r.at),
      until: instantOf(r.ended_at),
      name: r.name,
      policy: r.policy,
      rotation: r.rotation,
      freeze: null,
    })
  return entries.toSorted((a, b) => (a.from < b.from ? -1 : 1))
}
