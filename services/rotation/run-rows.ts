import { type RotationRow, rotationHttp } from '@attestry/contracts/http'
import { cursorText, instantOf, timeCursorOf, type Tx } from '@attestry/kit'
import type * as z from 'zod'

type RunQuery = z.infer<typeof rotationHttp.listRotations.query>

/** A page of rotations, the newest first, and how many there are in all. */
export async function listRuns(tx: Tx, query: RunQuery) {
  const after = timeCursorOf(query.after)
  const where = `tenant = $1 and ($2::text is null or policy = $2)
    and ($3::text is null or credential = $3 or replaced_by = $3)
    and (case $4::text when 'running' then not over when 'ended' then over
      when 'attention' then needs_operator is not null or stage in ('awaiting-approval', 'blocked') else true end)`
  const args = [tx.tenant, query.policy ?? null, query.credential ?? null, query.state ?? null]
  const rows = await tx.rows<{
    rotation: string
    policy: string
    credential: string
    replaced_by: string | null
    kind: z.infer<typeof RotationRow>['kind']
    name: string
    mode: z.infer<typeof RotationRow>['mode']
    trigger: z.infer<typeof RotationRow>['trigger']
    stage: z.infer<typeof RotationRow>['stage']
    since: string
    paused: boolean
    needs_operator: z.infer<typeof RotationRow>['needsOperator']
    planned_at: string
    opens_at: string | null
    ended_at: string | null
    reason: string | null
  }>(
    `select rotation, policy, credential, replaced_by, kind, name, mode, trigger, stage, since, paused, needs_operator, planned_at,
       opens_at, ended_at, reason from runs where ${where}
       and ($5::timestamptz is null or (planned_at, rotation) < ($5, $6)) order by planned_at desc, rotation desc limit $7`,
    [...args, after?.key ?? null, after?.id ?? null, query.limit + 1],
  )
  const [count] = await tx.rows<{ total: number }>(
    `select count(*)::int as total from runs where ${where}`,
    args,
  )
  const page = rows.slice(0, query.limit)
  const end = page.at(-1)
  return {
    items: page.map((r) => ({
      rotation: r.rotation,
      policy: r.policy,
      credential: r.credential,
      replacedBy: r.replaced_by,
      kind: r.kind,
      name: r.name,
      mode: r.mode,
      trigger: r.trigger,
      stage: r.stage,
      since: instantOf(r.since),
      paused: r.paused,
      needsOperator: r.needs_operator,
      plannedAt: instantOf(r.planned_at),
      opensAt: instantOf(r.opens_at),
      endedAt: instantOf(r.ended_at),
      reason: r.reason,
    })),
    next: rows.length > query.limit && end ? cursorText({ key: end.planned_at, id: end.rotation }) : null,
    total: count?.total ?? 0,
  }
}
