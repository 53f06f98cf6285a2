import { randomUUID } from 'node:crypto'
import { Actor, Cause } from '@attestry/contracts'
import * as z from 'zod'
import { type Clock, iso, pause } from './clock.ts'
import { messageOf, Transient } from './failure.ts'
import { CANCELLED, LEASE_SECONDS, type LeaseKeeper } from './leases.ts'
import type { Logger } from './log.ts'
import { performed } from './measures.ts'
import type { Command, CommandState, Job, Send, Tx } from './service.ts'
import { inSpan, type TraceContext } from './telemetry.ts'

/*
 * Work that a service sends to itself. A row is written in the transaction that wants it; a message on the
 * service's queue wakes whoever is free; the row, not the message, says whether it was done. A lease lets
 * one process at a time work on it, and a process that died loses it within twenty seconds.
 */

const RESEND_SECONDS = 10
/** After so many Transient failures a command is set aside. */
const TRIES = 20

/** Writes commands; one whose id is already there is dropped. */
export async function enqueue(
  tx: Tx,
  sends: readonly Send[],
  clock: Clock,
  trace: object | null,
): Promise<void> {
  if (sends.length === 0) return
  await tx.rows(
    `insert into pending_command (tenant, id, command, session, body, actor, cause, trace, due_at)
     select $1, s.id, s.command, s.session, s.body, s.actor, s.cause, $3::jsonb, s.due
     from jsonb_to_recordset($2::jsonb) as s(id text, command text, session text, body jsonb, actor jsonb, cause jsonb,
       due timestamptz)
     on conflict do nothing`,
    [
      tx.tenant,
      JSON.stringify(
        sends.map(({ id, command: name, session, body, by, cause, dueAt }) => ({
          id,
          command: name,
          session,
          body,
          actor: by,
          cause,
          due: iso(dueAt ?? clock.now()),
        })),
      ),
      trace ? JSON.stringify(trace) : null,
    ],
  )
}

interface Row {
  id: string
  command: string
  session: string
  body: unknown
  actor: unknown
  cause: unknown
  trace: TraceContext | null
  attempts: number
  outcome: 'done' | 'failed' | 'cancelled' | null
  progress: Record<string, unknown> | null
  problem: string | null
  leased: boolean
  cancel_asked: boolean
}

/** Commands that are due and that nobody was told of lately. */
export const dueCommands = (tx: Tx, now: Temporal.Instant): Promise<{ id: string; session: string }[]> =>
  tx.rows(
    `update pending_command set sent_at = now() where (tenant, id) in (
       select tenant, id from pending_command
       where tenant = $1 and outcome is null and due_at <= $2
         and (lease_until is null or lease_until < now())
         and (sent_at is null or sent_at < now() - make_interval(secs => ${RESEND_SECONDS}))
       order by due_at limit 50 for update skip locked)
     returning id, session`,
    [tx.tenant, iso(now)],
  )

/** Whether any command waits, be it for its time, or is under way. */
export const areUnfinished = async (tx: Tx): Promise<boolean> => {
  const [row] = await tx.rows<{ some: boolean }>(
    'select exists (select from pending_command where tenant = $1 and outcome is null) as some',
    [tx.tenant],
  )
  return row?.some ?? false
}

export async function commandStates(tx: Tx, ids: readonly string[]): Promise<CommandState[]> {
  const rows = await tx.rows<Row>(
    `select id, outcome, progress, attempts, problem, coalesce(lease_until > now(), false) as leased
     from pending_command where tenant = $1 and id = any($2)`,
    [tx.tenant, ids],
  )
  return rows.map((r) => ({
    id: r.id,
    state: r.outcome ?? (r.leased ? 'running' : 'waiting'),
    progress: r.progress,
    attempts: r.attempts,
    problem: r.problem,
  }))
}

/** Asks a command to stop. Its work sees it as an aborted signal and records what that means. */
export const askCancel = async (tx: Tx, id: string): Promise<boolean> =>
  (
    await tx.rows(
      'update pending_command set cancel_asked = true where tenant = $1 and id = $2 and outcome is null returning id',
      [tx.tenant, id],
    )
  ).length > 0

export interface WorkerHost {
  readonly leases: LeaseKeeper
  tx<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/**
 * Works on one command if it is there, due, and nobody else does. Never throws for the work's own failure:
 * Transient is tried again later with growing delay, anything else is set aside as stuck.
 */
export async function perform(
  host: WorkerHost,
  commands: readonly Command[],
  tenant: string,
  id: string,
): Promise<void> {
  const lease = randomUUID()
  const row = await host.tx(tenant, async (tx) => {
    const [waiting] = await tx.rows<{ session: string }>(
      'select session from pending_command where tenant = $1 and id = $2 and outcome is null',
      [tenant, id],
    )
    if (!waiting) return undefined
    // One at a time decides about a session: two that look at the same moment would both find it free.
    await tx.rows('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${tenant} ${waiting.session}`])
    // Waits for the row instead of skipping it: the sender holds it while its message is already on the way here.
    const [taken] = await tx.rows<Row>(
      `update pending_command p set lease = $3, lease_until = now() + make_interval(secs => ${LEASE_SECONDS}),
         attempts = attempts + 1
       where (tenant, id) = (
         select tenant, id from pending_command
         where tenant = $1 and id = $2 and outcome is null and due_at <= $4
           and (lease_until is null or lease_until < now()) for update)
         and not exists (select 1 from pending_command o where o.tenant = p.tenant and o.session = p.session
           and o.id <> p.id and o.outcome is null and o.lease_until > now())
       returning id, command, session, body, actor, cause, trace, attempts, problem, cancel_asked`,
      [tenant, id, lease, iso(host.clock.now())],
    )
    return taken
  })
  if (!row) return
  await inSpan(
    `command ${row.command}`,
    { tenant, id, attempt: row.attempts },
    () => workOn(host, commands, tenant, row, lease),
    row.trace ? [row.trace] : [],
  )
}

/** One attempt, under a lease that was just taken. */
async function workOn(
  host: WorkerHost,
  commands: readonly Command[],
  tenant: string,
  row: Row,
  lease: string,
): Promise<void> {
  const { id } = row
  const began = performance.now()
  const command = commands.find((c) => c.name === row.command)
  const lost = new AbortController()
  const end = async (outcome: 'done' | 'failed' | 'cancelled', problem: string | null) => {
    performed(began, row.command, outcome)
    await host.tx(tenant, async (tx) => {
      await tx.rows(
        `update pending_command set outcome = $4, problem = $5, ended_at = now(), lease_until = null
         where tenant = $1 and id = $2 and lease = $3`,
        [tenant, id, lease, outcome, problem],
      )
      // Whoever waited for this session's turn was told in vain: tell them again.
      await tx.rows(
        'update pending_command set sent_at = null where tenant = $1 and session = $2 and outcome is null',
        [tenant, row.session],
      )
      if (outcome === 'failed')
        await tx.rows(
          `insert into stuck (tenant, id, consumer, reason, since) values ($1, $2, $3, $4, $5)
           on conflict (tenant, id) do update set attempts = stuck.attempts + 1, reason = excluded.reason`,
          [tenant, `command:${id}`, `command ${row.command}`, problem, iso(host.clock.now())],
        )
      else await tx.rows('delete from stuck where tenant = $1 and id = $2', [tenant, `command:${id}`])
    })
  }
  const later = async (delayMs: number, problem: string) => {
    performed(began, row.command, 'later')
    await host.tx(tenant, (tx) =>
      tx.rows(
        `update pending_command set due_at = $4, sent_at = null, lease_until = null, problem = $5
         where tenant = $1 and id = $2 and lease = $3`,
        [tenant, id, lease, iso(host.clock.now().add({ milliseconds: delayMs })), problem],
      ),
    )
  }
  if (!command) return end('failed', `no command is called ${row.command}`)
  // Work that ends the process with it counts as tried too, or it would do so for ever.
  if (row.attempts > TRIES) return end('failed', `given up after ${TRIES} attempts; the last: ${row.problem}`)
  const read = z
    .object({ body: command.body, actor: Actor, cause: Cause })
    .safeParse({ body: row.body, actor: row.actor, cause: row.cause })
  if (!read.success)
    return end('failed', `what was asked cannot be read: ${read.error.message}`.slice(0, 500))
  const over = new AbortController()
  const release = host.leases.keep({ tenant, id, lease, lost })
  let shown: Readonly<Record<string, unknown>> | null = null
  let busy = false
  let written = Promise.resolve()
  /** One write at a time, and only of the newest state: progress must not slow the work. */
  const write = async () => {
    for (busy = true; shown; await pause(200, over.signal)) {
      const state = JSON.stringify(shown)
      shown = null
      try {
        await host.tx(tenant, (tx) =>
          tx.rows('update pending_command set progress = $4 where tenant = $1 and id = $2 and lease = $3', [
            tenant,
            id,
            lease,
            state,
          ]),
        )
      } catch (error) {
        host.log.warn({ error, id, tenant }, 'Progress of a command could not be written')
      }
    }
    busy = false
  }
  const job: Job<never> = {
    tenant,
    id,
    body: read.data.body,
    by: read.data.actor,
    cause: read.data.cause,
    attempt: row.attempts,
    signal: AbortSignal.any([host.signal, lost.signal]),
    progress: (state) => {
      shown = state
      if (!busy) written = write()
      return Promise.resolve()
    },
  }
  if (row.cancel_asked) lost.abort(CANCELLED)
  try {
    await command.work(job)
    over.abort()
    await written
    await end(lost.signal.reason === CANCELLED ? 'cancelled' : 'done', null)
  } catch (error) {
    over.abort()
    // The process stops, or another one took the lease: whoever comes next starts from the record.
    if (host.signal.aborted) return await later(0, 'the process stopped')
    if (lost.signal.aborted && lost.signal.reason !== CANCELLED) return performed(began, row.command, 'lost')
    if (lost.signal.reason === CANCELLED) return await end('cancelled', null)
    if (error instanceof Transient && row.attempts < TRIES) {
      const delay = error.retryAfterMs ?? Math.min(60_000, 250 * 2 ** Math.min(row.attempts, 8))
      host.log.warn({ error, command: row.command, id, tenant }, 'A command will be tried again')
      return await later(delay, error.message)
    }
    host.log.error({ error, command: row.command, id, tenant }, 'A command failed')
    await end('failed', messageOf(error).slice(0, 500))
  } finally {
    over.abort()
    release()
  }
}

/** The body of a message that wakes a worker. */
export const CommandMessage = z.object({ tenant: z.string(), id: z.string() })
