import { contextOf, type EventOf, type Severity } from '@attestry/contracts'
import type { Fold, Tx } from '@attestry/kit'
import { type Change, changesOf, CONTEXTS, squashed } from './record.ts'

/** Rows in one statement: enough for a page of events, few enough for one parameter. */
const ROWS = 5000

/** Notes how far a context was folded, in the transaction that folds it. */
const folded = (tx: Tx, context: string, seq: number) =>
  tx.rows(
    `insert into horizon (tenant, context, folded) values ($1, $2, $3)
     on conflict (tenant, context) do update set folded = greatest(horizon.folded, excluded.folded)`,
    [tx.tenant, context, seq],
  )

async function writeChanges(tx: Tx, context: string, events: readonly EventOf[]): Promise<void> {
  const told = new Map<string, EventOf>()
  const changes: Change[] = []
  for (const event of events)
    for (const change of changesOf(event)) {
      told.set(change.id, event)
      changes.push(change)
    }
  const rows = squashed(changes)
  for (let from = 0; from < rows.length; from += ROWS) {
    const page = rows.slice(from, from + ROWS)
    // An empty name and no holder mean: as it was.
    await tx.rows(
      `insert into estate (tenant, context, id, kind, holder, name, gone, facts, seq, changed_at)
       select $1, $2, c.id, c.kind, c.holder, c.name, c.gone, c.facts, c.seq, c.changed_at
       from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::jsonb[], $9::bigint[],
                   $10::timestamptz[]) as c (id, kind, holder, name, gone, facts, seq, changed_at)
       on conflict (tenant, id) do update set
         holder = coalesce(excluded.holder, estate.holder),
         name = case when excluded.name = '' then estate.name else excluded.name end,
         gone = excluded.gone, facts = estate.facts || excluded.facts,
         seq = excluded.seq, changed_at = excluded.changed_at`,
      [
        tx.tenant,
        context,
        page.map((c) => c.id),
        page.map((c) => c.kind),
        page.map((c) => c.holder ?? null),
        page.map((c) => c.name ?? ''),
        page.map((c) => c.gone),
        page.map((c) => JSON.stringify(c.merge)),
        page.map((c) => told.get(c.id)?.seq),
        page.map((c) => told.get(c.id)?.at),
      ],
    )
  }
}

/** What others told, as rows. */
export const estateView: Fold = {
  name: 'estate',
  contexts: CONTEXTS,
  version: 1,
  apply: async (events, tx) => {
    const last = events.at(-1)
    if (!last) return
    const context = contextOf(last.type)
    await writeChanges(tx, context, events)
    await folded(tx, context, last.seq)
  },
  clear: async (tx) => {
    await tx.rows('delete from estate where tenant = $1', [tx.tenant])
    await tx.rows('update horizon set folded = 0 where tenant = $1 and context = any($2)', [
      tx.tenant,
      CONTEXTS,
    ])
  },
}

/** Worst first. */
export const RANK: Readonly<Record<Severity, number>> = { critical: 0, high: 1, medium: 2, low: 3 }

/** What a run of events does to one finding. */
interface Net {
  readonly finding: string
  readonly rule: string
  readonly subject: string
  readonly severity: Severity
  state: 'open' | 'resolved'
  because: string | null
  reopened: number
  readonly firstSeen: string
  resolvedAt: string | null
}

/** What events do to findings, one entry a finding. Pure; the same events again change nothing more. */
export function netOf(events: readonly EventOf<'compliance.findings-changed'>[]): Net[] {
  const nets = new Map<string, Net>()
  for (const { at, data } of events) {
    const net = (ref: (typeof data.opened)[number]): Net => {
      const known = nets.get(ref.finding)
      if (known) return known
      const fresh: Net = {
        ...ref,
        state: 'open',
        because: null,
        reopened: 0,
        firstSeen: at,
        resolvedAt: null,
      }
      nets.set(ref.finding, fresh)
      return fresh
    }
    for (const ref of data.opened) Object.assign(net(ref), { state: 'open', because: null, resolvedAt: null })
    for (const ref of data.reopened) {
      const n = net(ref)
      Object.assign(n, { state: 'open', because: null, resolvedAt: null, reopened: n.reopened + 1 })
    }
    for (const { because, ...ref } of data.resolved)
      Object.assign(net(ref), { state: 'resolved', because, resolvedAt: at })
  }
  return [...nets.values()]
}

async function writeFindings(tx: Tx, nets: readonly Net[]): Promise<void> {
  for (let from = 0; from < nets.length; from += ROWS) {
    const page = nets.slice(from, from + ROWS)
    await tx.rows(
      `insert into finding (tenant, finding, rule, subject, severity, rank, state, because, reopened, first_seen,
                            resolved_at)
       select $1, f.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[],
                                  $8::text[], $9::int[], $10::timestamptz[], $11::timestamptz[]) as f
       on conflict (tenant, finding) do update set state = excluded.state, because = excluded.because,
         reopened = finding.reopened + excluded.reopened, resolved_at = excluded.resolved_at`,
      [
        tx.tenant,
        page.map((n) => n.finding),
        page.map((n) => n.rule),
        page.map((n) => n.subject),
        page.map((n) => n.severity),
        page.map((n) => RANK[n.severity]),
        page.map((n) => n.state),
        page.map((n) => n.because),
        page.map((n) => n.reopened),
        page.map((n) => n.firstSeen),
        page.map((n) => n.resolvedAt),
      ],
    )
  }
}

async function writeEvaluation(tx: Tx, event: EventOf<'compliance.evaluation-completed'>): Promise<void> {
  const { data } = event
  await tx.rows(
    `insert into evaluation (tenant, evaluation, seq, at, now, scan, score, rating, ruleset_digest, results)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`,
    [
      tx.tenant,
      data.evaluation,
      event.seq,
      event.at,
      data.now,
      data.scan,
      JSON.stringify(data.score),
      data.rating,
      data.rulesetDigest,
      JSON.stringify(data.results),
    ],
  )
}

/** Evaluations, findings and the ruleset in force, as rows. */
export const findingsView: Fold = {
  name: 'findings',
  contexts: ['compliance'],
  version: 1,
  apply: async (events, tx) => {
    const last = events.at(-1)
    if (!last) return
    const changed: EventOf<'compliance.findings-changed'>[] = []
    for (const event of events) {
      if (event.type === 'compliance.evaluation-completed') await writeEvaluation(tx, event)
      if (event.type === 'compliance.findings-changed') changed.push(event)
      if (event.type === 'compliance.ruleset-adopted')
        await tx.rows(
          `insert into ruleset (tenant, digest) values ($1, $2)
           on conflict (tenant) do update set digest = excluded.digest`,
          [tx.tenant, event.data.rulesetDigest],
        )
    }
    for (const event of events)
      if (event.type === 'compliance.frameworks-adopted')
        await tx.rows(
          `insert into mapping (tenant, digest) values ($1, $2)
           on conflict (tenant) do update set digest = excluded.digest`,
          [tx.tenant, event.data.mappingDigest],
        )
    await writeFindings(tx, netOf(changed))
    for (const [evaluation, of] of Map.groupBy(changed, (e) => e.data.evaluation)) {
      const count = (which: 'opened' | 'reopened' | 'resolved') =>
        of.reduce((sum, e) => sum + e.data[which].length, 0)
      await tx.rows(
        `update evaluation set opened = opened + $3, reopened = reopened + $4, resolved = resolved + $5
         where tenant = $1 and evaluation = $2`,
        [tx.tenant, evaluation, count('opened'), count('reopened'), count('resolved')],
      )
    }
    await folded(tx, 'compliance', last.seq)
  },
  clear: async (tx) => {
    for (const table of ['evaluation', 'finding', 'ruleset', 'mapping'])
      await tx.rows(`delete from ${table} where tenant = $1`, [tx.tenant])
    await tx.rows(`update horizon set folded = 0 where tenant = $1 and context = 'compliance'`, [tx.tenant])
  },
}
