import { type Actor, fact } from '@attestry/contracts'
import {
  type Command,
  command,
  type Host,
  instantOf,
  iso,
  isRefused,
  type Job,
  type Schedule,
  type Send,
  Transient,
  type Tx,
} from '@attestry/kit'
import * as z from 'zod'
import { calendarOf } from './calendar.ts'
import { decide } from './decide.ts'
import { type DriveParts, wake } from './drive.ts'
import { policyOf, readFreezes } from './known.ts'
import { planRotation } from './planner.ts'
import { dueAt } from './policy.ts'
import { evolve, type Rotation } from './state.ts'

/*
 * What is due by itself. A look each minute finds the policies; one command plans them, many at once, because planning is
 * mostly waiting for answers; each plan is then asked for, and waits for approval where its policy wants one.
 */

const LOOK_EVERY_MS = 60_000
const MOST_DUE = 1000
const PLANS_AT_ONCE = 48
/** A policy whose last rotation ended so is not tried again before so many hours. */
const AFTER_FAILURE_HOURS = 24

const scheduler: Actor = { kind: 'schedule', id: 'schedule-rotations' }

const PlanDue = z.object({
  due: z.array(z.object({ policy: z.string(), rotation: z.string() })).max(MOST_DUE),
})
type PlanDue = z.infer<typeof PlanDue>

/** Policies whose time has come and that have nothing at work, with when it came. */
export async function duePolicies(
  tx: Tx,
  now: Temporal.Instant,
): Promise<{ policy: string; due: Temporal.Instant }[]> {
  const rows = await tx.rows<
    Parameters<typeof policyOf>[0] & { starts_at: string | null; ends_at: string | null }
  >(
    `select p.policy, p.enabled, p.credential, p.cadence_days, p.subject, p.settings, p.selector,
       coalesce(c.starts_at, i.created, last.ended_at) as starts_at, coalesce(c.ends_at, i.expires) as ends_at
     from policies p
     left join credentials c on c.tenant = p.tenant and c.asset = p.credential
     left join items i on i.tenant = p.tenant and i.asset = p.credential
     left join lateral (select max(ended_at) as ended_at from runs r
       where r.tenant = p.tenant and r.policy = p.policy and r.stage = 'complete') last on true
     where p.tenant = $1 and p.enabled and p.subject is not null and p.settings is not null
       and not exists (select 1 from runs r where r.tenant = p.tenant and r.policy = p.policy
         and ((not r.over and r.stage <> 'planned') or (r.over and r.stage <> 'complete' and r.ended_at > $2)))
     order by p.policy`,
    [tx.tenant, iso(now.subtract({ hours: AFTER_FAILURE_HOURS }))],
  )
  return rows
    .flatMap((row) => {
      const policy = policyOf(row)
      const due = dueAt(policy, { startsAt: instantOf(row.starts_at), endsAt: instantOf(row.ends_at) })
      return due && Temporal.Instant.compare(due, now) <= 0 ? [{ policy: policy.policy, due }] : []
    })
    .toSorted((a, b) => Temporal.Instant.compare(a.due, b.due))
    .slice(0, MOST_DUE)
}

/** Looks each minute for what is due. Writes off: nothing is. */
export const dueSchedule = (host: Host, allowed: (tenant: string) => Promise<boolean>): Schedule => ({
  name: 'due rotations',
  everyMs: LOOK_EVERY_MS,
  due: async (now, tx): Promise<Send[]> => {
    if (!(await allowed(tx.tenant))) return []
    const due = await duePolicies(tx, now)
    if (due.length === 0) return []
    const opaque = await host.opaque(tx.tenant)
    // Named by the day and when it came due: a look that comes twice asks for the same plans.
    const day = iso(now).slice(0, 10)
    return [
      {
        command: 'plan-due',
        id: `plan-due-${opaque('due', `${day} ${due.map((d) => d.policy).join(' ')}`)}`,
        session: 'plan-due',
        body: {
          due: due.map((d) => ({
            policy: d.policy,
            rotation: opaque('rotation', `${d.policy} ${iso(d.due)} ${day}`),
          })),
        },
        by: scheduler,
        cause: { correlation: `due ${day}`, causation: iso(now) },
      },
    ]
  },
})

/** Plans what is due and asks for it. One that cannot be planned is left for the next day, and the log says why. */
export const planDueCommand = (parts: DriveParts, allowed: (tenant: string) => Promise<boolean>): Command =>
  command<PlanDue>({
    name: 'plan-due',
    body: PlanDue,
    work: async (job) => {
      if (!(await allowed(job.tenant))) return
      await planAll(parts, job, job.body.due)
    },
  })

export async function planAll(
  parts: DriveParts,
  job: Pick<Job<PlanDue>, 'tenant' | 'signal' | 'by' | 'cause' | 'progress'>,
  due: PlanDue['due'],
): Promise<void> {
  const { host } = parts
  const freezes = await host.tx(job.tenant, readFreezes)
  const queue = [...due]
  let done = 0
  const worker = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      job.signal.throwIfAborted()
      const state = await planOnce(parts, job, one)
      if (state) await ask(parts, job, state, freezes)
      done++
      await job.progress({ planned: done, of: due.length })
    }
  }
  await Promise.all(Array.from({ length: Math.min(PLANS_AT_ONCE, due.length) }, worker))
}

async function planOnce(
  parts: DriveParts,
  job: Pick<Job<PlanDue>, 'tenant' | 'signal' | 'by' | 'cause'>,
  { policy, rotation }: PlanDue['due'][number],
): Promise<Rotation | null> {
  const { host } = parts
  const before = (await host.stream(job.tenant, rotation)).reduce(evolve, null as Rotation | null)
  if (before) return before
  const { by, cause } = job
  const planned = await planRotation(
    parts,
    job.tenant,
    { policy, rotation, mode: 'normal', trigger: 'schedule', by, cause },
    job.signal,
  )
  if (!isRefused(planned)) return planned
  host.log.warn({ policy, reason: planned.refused }, `A due rotation cannot be planned: ${planned.detail}`)
  return null
}

async function ask(
  { host }: DriveParts,
  job: Pick<Job<PlanDue>, 'tenant' | 'by' | 'cause'>,
  state: Rotation,
  freezes: Parameters<typeof calendarOf>[1],
): Promise<void> {
  const facts = decide(
    state,
    { do: 'request', planHash: state.plan.planHash, ticket: null, incident: null, breakGlass: null },
    {
      who: job.by.id,
      now: host.clock.now(),
      calendar: calendarOf(state.plan.window, freezes, state.plan.policy),
    },
  )
  if (isRefused(facts)) {
    if (facts.refused === 'wrong-stage' || facts.refused === 'rotation-over') return
    // Nobody would look at a plan that waits for nothing.
    const reason = facts.detail.slice(0, 500)
    host.log.warn({ rotation: state.rotation, reason: facts.refused }, facts.detail)
    await host.append(job.tenant, {
      stream: state.rotation,
      expected: state.position,
      facts: [fact('rotation.expired', { rotation: state.rotation, reason })],
      by: job.by,
      cause: job.cause,
    })
    return
  }
  const appended = await host.append(job.tenant, {
    stream: state.rotation,
    expected: state.position,
    facts,
    by: job.by,
    cause: job.cause,
  })
  if (!appended.ok) throw new Transient('Somebody decided on a planned rotation meanwhile')
  await host.tx(job.tenant, (tx) => host.send(tx, [wake(state, 'scheduled', job.cause)]))
}
