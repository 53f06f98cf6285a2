import type { PolicyRow, rotationHttp } from '@attestry/contracts/http'
import { cursorOf, cursorText, instantOf, iso, type Tx } from '@attestry/kit'
import type * as z from 'zod'
import { policyOf } from './known.ts'
import { dueAt } from './policy.ts'
import type { Stage } from './state.ts'

/** Policies as pages list them, with their matches, the rotation at work and the last that ended. */
export async function listPolicies(tx: Tx, query: z.infer<(typeof rotationHttp)['listPolicies']['query']>) {
  const { limit } = query
  const after = cursorOf(query.after)
  const where = `p.tenant = $1 and p.subject is not null and p.settings is not null
    and ($2::text is null or p.policy = $2) and ($3::text is null or p.credential = $3)
    and ($4::text is null or position(lower($4) in lower(p.name)) > 0)
    and ($5::text is null or p.enabled = ($5 = 'enabled'))`
  const args = [
    tx.tenant,
    query.policy ?? null,
    query.credential ?? null,
    query.search ?? null,
    query.state ?? null,
  ]
  const rows = await tx.rows<
    Parameters<typeof policyOf>[0] & {
      name: string
      starts_at: string | null
      ends_at: string | null
      proposed: number
      verified: number
      excluded: number
      vault_names: (string | null)[] | null
      running: { rotation: string; stage: Stage } | null
      last: { rotation: string; stage: Stage; ended_at: string } | null
    }
  >(
    `select p.policy, p.enabled, p.credential, p.cadence_days, p.subject, p.settings, p.selector, p.name,
       coalesce(c.starts_at, i.created, (select max(r.ended_at) from runs r
         where r.tenant = p.tenant and r.policy = p.policy and r.stage = 'complete'), p.since) as starts_at, coalesce(c.ends_at, i.expires) as ends_at,
       (select count(*)::int from matches m where m.tenant = p.tenant and m.policy = p.policy and m.state = 'proposed') as proposed,
       (select count(*)::int from matches m where m.tenant = p.tenant and m.policy = p.policy and m.state = 'verified') as verified,
       (select count(*)::int from matches m where m.tenant = p.tenant and m.policy = p.policy and m.state = 'excluded') as excluded,
       (select array_agg(v.name order by t.n) from jsonb_array_elements(p.settings->'targets') with ordinality as t(target, n)
         left join vaults v on v.tenant = p.tenant and v.vault = t.target->>'vault') as vault_names,
       (select jsonb_build_object('rotation', r.rotation, 'stage', r.stage) from runs r
         where r.tenant = p.tenant and r.policy = p.policy and not r.over and r.stage <> 'planned' order by r.planned_at desc limit 1) as running,
       (select jsonb_build_object('rotation', r.rotation, 'stage', r.stage, 'ended_at', r.ended_at) from runs r
         where r.tenant = p.tenant and r.policy = p.policy and r.over order by r.ended_at desc limit 1) as last
     from policies p
     left join credentials c on c.tenant = p.tenant and c.asset = p.credential
     left join items i on i.tenant = p.tenant and i.asset = p.credential
     where ${where} and ($6::text is null or (p.name, p.policy) > ($6, $7))
     order by p.name, p.policy limit $8`,
    [...args, after?.key ?? null, after?.id ?? null, limit + 1],
  )
  const [count] = await tx.rows<{ total: number }>(
    `select count(*)::int as total from policies p where ${where}`,
    args,
  )
  const items = rows.slice(0, limit).map((r): z.input<typeof PolicyRow> => {
    const policy = policyOf(r)
    const startsAt = instantOf(r.starts_at)
    const endsAt = instantOf(r.ends_at)
    const due = dueAt(policy, { startsAt, endsAt })
    return {
      policy: r.policy,
      enabled: r.enabled,
      credential: r.credential,
      subject: r.subject,
      cadenceDays: r.cadence_days,
      settings: r.settings,
      selector: r.selector,
      vaultNames: (r.vault_names ?? []).map((n) => n ?? ''),
      endsAt,
      dueAt: r.enabled && due ? iso(due) : null,
      matches: { proposed: r.proposed, verified: r.verified, excluded: r.excluded },
      running: r.running,
      last: r.last && {
        rotation: r.last.rotation,
        stage: r.last.stage,
        endedAt: instantOf(r.last.ended_at),
      },
    }
  })
  const end = rows.length > limit ? rows[limit - 1] : undefined
  return { items, next: end ? cursorText({ key: end.name, id: end.policy }) : null, total: count?.total ?? 0 }
}
