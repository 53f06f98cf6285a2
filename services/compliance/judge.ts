import type { Actor } from '@attestry/contracts'
import { command, type Host, iso, type Job, pause, Transient } from '@attestry/kit'
import * as z from 'zod'
import { evaluationId, factsOf, saysMore } from './evaluation.ts'
import { findingsOf } from './findings.ts'
import { Memory, readHorizon } from './memory.ts'
import type { Ruleset } from './ruleset.ts'

/** What asks for an evaluation. */
export const Evaluate = z.object({
  /** The scan whose end asks for it; null when a change or the hour does. */
  scan: z.string().nullable(),
  /** Places of the chain that must have been folded first. */
  after: z.array(z.tuple([z.string(), z.number()])),
})
export type Evaluate = z.infer<typeof Evaluate>

/** How long a command waits for its own folds before it gives way to others, and how often it looks. */
const WAIT_MS = 5000
const LOOK_EVERY_MS = 25

const BY: Actor = { kind: 'service', id: 'compliance' }

/**
 * Judges the estate and appends what it says. It may run again after a crash: the stream of an evaluation takes
 * facts once, and findings that are on record are not opened twice.
 */
export function judging(host: Host, ruleset: Ruleset) {
  const memories = new Map<string, Memory>()

  /** Waits until the folds have caught up with what must be seen. */
  const caughtUp = async (job: Job<Evaluate>, memory: Memory): Promise<number> => {
    for (let waited = 0; waited <= WAIT_MS; waited += LOOK_EVERY_MS) {
      if (job.signal.aborted) throw new Transient('the process stops')
      const horizon = await host.tx(job.tenant, readHorizon)
      const own = horizon.get('compliance') ?? { folded: 0, judged: 0 }
      const estateIsThere = job.body.after.every(
        ([context, seq]) => (horizon.get(context)?.folded ?? 0) >= seq,
      )
      const recordIsThere = own.folded >= own.judged || memory.recordedTo(own.judged)
      if (estateIsThere && recordIsThere) return Math.max(own.folded, own.judged)
      await pause(LOOK_EVERY_MS, job.signal)
    }
    throw new Transient('the estate is not folded as far as this evaluation needs', { retryAfterMs: 500 })
  }

  /** Notes what was judged, and what was appended last, for whoever evaluates next. */
  const noteJudged = (tenant: string, upTo: readonly (readonly [string, number])[]) =>
    host.tx(tenant, (tx) =>
      tx.rows(
        `insert into horizon (tenant, context, judged)
         select $1, c.context, c.judged from unnest($2::text[], $3::bigint[]) as c (context, judged)
         on conflict (tenant, context) do update set judged = greatest(horizon.judged, excluded.judged)`,
        [tenant, upTo.map(([context]) => context), upTo.map(([, seq]) => seq)],
      ),
    )

  const turns = new Map<string, Promise<void>>()

  /**
   * One evaluation of a tenant at a time, in this process by waiting for the one before, among processes by a
   * lock that ends with its transaction. What is decided on must be what is on record when it is appended.
   */
  const work = (job: Job<Evaluate>): Promise<void> => {
    const { tenant } = job
    const mine = (turns.get(tenant) ?? Promise.resolve()).then(() =>
      host.tx(tenant, async (tx) => {
        await tx.rows('select pg_advisory_xact_lock(hashtext($1), hashtext($2))', [
          'compliance.evaluate',
          tenant,
        ])
        await evaluate(job)
      }),
    )
    const ended = () => undefined
    // A failure is told to whoever asked for that turn; the next one begins all the same.
    turns.set(tenant, mine.then(ended, ended))
    return mine
  }

  const evaluate = async (job: Job<Evaluate>): Promise<void> => {
    const { tenant } = job
    const memory = memories.get(tenant) ?? new Memory(ruleset)
    memories.set(tenant, memory)
    const own = await caughtUp(job, memory)
    const reread = !memory.recordedTo(own)
    await host.tx(tenant, async (tx) => {
      await memory.refresh(tx)
      if (reread) await memory.readRecord(tx, own)
    })
    const { scan } = job.body
    if (scan === null && memory.tooEarly) return

    const now = host.clock.now()
    memory.judge(now.epochMilliseconds)
    const opaque = await host.opaque(tenant)
    const idOf = (rule: string, subject: string) => opaque('finding', `${rule}\0${subject}`)
    const results = memory.standing.results()
    const change = findingsOf(memory.standing, ruleset.rules, memory.record, idOf, reread)
    const asOf = [...memory.asOf].toSorted(([a], [b]) => (a < b ? -1 : 1))
    if (scan === null && !saysMore(memory.before, results, ruleset, change)) {
      memory.standing.settle()
      await noteJudged(tenant, asOf)
      return
    }
    const evaluation = evaluationId(scan, job.id)
    const facts = factsOf({
      evaluation,
      scan,
      asOf,
      now: iso(now),
      ruleset,
      results,
      change,
      adopted: memory.adopted,
      mapped: memory.mapped,
    })
    // Until the append answered, nobody knows whether it went through.
    memory.forgetRecord()
    const appended = await host.append(tenant, {
      stream: evaluation,
      expected: 0,
      facts,
      by: BY,
      cause: { correlation: job.cause.correlation, causation: job.cause.causation },
    })
    if (appended.ok) {
      memory.recorded(change, results, appended.lastSeq)
      await noteJudged(tenant, [...asOf, ['compliance', appended.lastSeq]])
      return
    }
    // An earlier try of this command got through. What it appended is read before anything else is judged.
    const last = (await host.stream(tenant, evaluation)).at(-1)
    await noteJudged(tenant, last ? [['compliance', last.seq]] : [])
  }

  return command({ name: 'evaluate', body: Evaluate, work })
}
