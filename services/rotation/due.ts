import { type Actor, type Fact, fact } from '@attestry/contracts'
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
  type Tx,
} from '@attestry/kit'
import * as z from 'zod'
import { atOnce } from './at-once.ts'
import { calendarOf } from './calendar.ts'
import { decide } from './decide.ts'
import { type DriveParts, readRotation, wake } from './drive.ts'
import { policyOf, readFreezes } from './known.ts'
import { type ForPlan, readForPlans } from './known-for-plans.ts'
import { lookForPlan } from './planner.ts'
import { dueAt } from './policy.ts'
import { fromFacts, isOver, type Rotation } from './state.ts'

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
       coalesce(c.starts_at, i.created, last.ended_at, p.since) as starts_at, coalesce(c.ends_at, i.expires) as ends_at
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

/** Commands that are handed on in one transaction. */
const WAKES_AT_ONCE = 50

type PlanJob = Pick<Job<PlanDue>, 'tenant' | 'signal' | 'by' | 'cause' | 'progress'>

async function planAll(parts: DriveParts, job: PlanJob, due: PlanDue['due']): Promise<void> {
  const { host } = parts
  const opaque = await host.opaque(job.tenant)
  const { freezes, known } = await host.tx(job.tenant, async (tx) => ({
    freezes: await readFreezes(tx),
    known: await readForPlans(
      tx,
      due.map(({ policy }) => policy),
      opaque,
    ),
  }))
  const wakes: Send[] = []
  const wakeThem = async () => {
    const now = wakes.splice(0, WAKES_AT_ONCE)
    if (now.length > 0) await host.tx(job.tenant, (tx) => host.send(tx, now))
  }
  let done = 0
  await atOnce(PLANS_AT_ONCE, due, async ({ policy, rotation }) => {
    job.signal.throwIfAborted()
    const state = await planOnce(parts, job, { policy, rotation, known: known.get(policy) ?? null, freezes })
    if (state && !isOver(state)) {
      // What waits for approval is woken by whoever gives it, or by the end of its plan.
      const at = state.stage === 'awaiting-approval' ? Temporal.Instant.from(state.plan.expiresAt) : undefined
      wakes.push(wake(state, 'scheduled', job.cause, at ? { at } : {}))
      if (wakes.length >= WAKES_AT_ONCE) await wakeThem()
    }
    done++
    await job.progress({ planned: done, of: due.length })
  })
  while (wakes.length > 0) await wakeThem()
}

interface One {
  readonly policy: string
  readonly rotation: string
  readonly known: ForPlan | null
  readonly freezes: Parameters<typeof calendarOf>[1]
}

/**
 * Plans and asks for one rotation in one append, so that no plan is left that nobody asked for. Planned by an earlier
 * try of the same work: that one. Null: it cannot be planned, and the log says why.
 */
async function planOnce(parts: DriveParts, job: PlanJob, one: One): Promise<Rotation | null> {
  const { host } = parts
  const { tenant, by, cause } = job
  const { policy, rotation } = one
  const planned = await lookForPlan(
    parts,
    tenant,
    { policy, rotation, mode: 'normal', trigger: 'schedule', by, cause },
    one.known,
    job.signal,
  )
  if (isRefused(planned)) {
    // The rotation of an earlier try is what runs.
    const before = planned.refused === 'already-running' && (await readRotation(host, tenant, rotation)).state
    if (before) return before
    host.log.warn({ policy, reason: planned.refused }, `A due rotation cannot be planned: ${planned.detail}`)
    return null
  }
  const at = iso(host.clock.now())
  const facts = [...planned, ...asking(host, fromFacts(planned, by, at), by, one.freezes)]
  const appended = await host.append(tenant, { stream: rotation, expected: 0, facts, by, cause })
  return appended.ok ? fromFacts(facts, by, at) : (await readRotation(host, tenant, rotation)).state
}

/** The facts with which a plan is asked for; a plan that never can be begun ends at once, because nobody would look at it. */
function asking(
  host: DriveParts['host'],
  state: Rotation | null,
  by: Actor,
  freezes: One['freezes'],
): Fact[] {
  if (!state) throw new Error('a plan begins with its plan')
  const { plan, rotation } = state
  const facts = decide(
    state,
    { do: 'request', planHash: plan.planHash, ticket: null, incident: null, breakGlass: null },
    { who: by.id, now: host.clock.now(), calendar: calendarOf(plan.window, freezes, plan.policy) },
  )
  if (!isRefused(facts)) return facts
  host.log.warn({ rotation, reason: facts.refused }, facts.detail)
  return [fact('rotation.expired', { rotation, reason: facts.detail.slice(0, 500) })]
}
