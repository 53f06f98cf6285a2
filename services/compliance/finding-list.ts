import type { ClosedBecause, Severity } from '@attestry/contracts'
import type { complianceHttp, Finding } from '@attestry/contracts/http'
import { iso, isStorable, timeOf, type Tx } from '@attestry/kit'
import * as z from 'zod'
import { Estate } from './estate.ts'
import { judge, reasonOf } from './evaluate.ts'
import { labelOf } from './label.ts'
import { RECORD } from './memory.ts'
import type { EstateRecord } from './record.ts'
import type { Rule } from './rules/rule.ts'
import type { Ruleset } from './ruleset.ts'

/** A timestamp as Postgres writes it, in the contracts' spelling. */
export const instantOf = (text: string): string => iso(Temporal.Instant.from(text))

interface FindingRow {
  readonly finding: string
  readonly rule: string
  readonly subject: string
  readonly severity: Severity
  readonly rank: number
  readonly state: 'open' | 'resolved'
  readonly because: ClosedBecause | null
  readonly reopened: number
  readonly first_seen: string
  readonly resolved_at: string | null
}

/** Where a page ends: what the list is sorted by. */
const Place = z.tuple([z.int().min(0).max(99), z.string(), z.string()])

const placeText = (row: FindingRow): string =>
  Buffer.from(JSON.stringify([row.rank, row.first_seen, row.finding])).toString('base64url')

/** The place in a text, or null where the text is none of ours: then the list begins at its start. */
function placeOf(text: string | undefined): z.infer<typeof Place> | null {
  if (text === undefined) return null
  try {
    const [rank, at, finding] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    const seen = timeOf(at)
    return seen === null || !isStorable(finding) ? null : [rank, seen, finding]
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null
    throw error
  }
}

/** A text to be looked for as it stands, in a LIKE pattern. */
const literally = (text: string): string => `%${text.replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`

/** What the list is asked for. */
export type FindingQuery = z.infer<(typeof complianceHttp)['listFindings']['query']>

const REFERENCES = 4

/** The records that these subjects are told by: themselves, what they refer to, what refers to them. */
async function recordsAround(tx: Tx, subjects: readonly string[]): Promise<EstateRecord[]> {
  const found = new Map<string, EstateRecord>()
  const take = (rows: readonly EstateRecord[]) => {
    for (const row of rows) found.set(row.id, row)
  }
  take(
    await tx.rows<EstateRecord>(
      `select ${RECORD} from estate e where tenant = $1 and (kind in ('environment', 'worker')
         or (holder = any($2) and kind in ('edge', 'setting', 'match'))
         or (kind = 'edge' and facts ->> 'target' = any($2))
         or (kind = 'policy' and facts ->> 'credential' = any($2)))`,
      [tx.tenant, subjects],
    ),
  )
  let wanted = subjects
  // A copy leads to its secret, that to its vault: references are short.
  for (let depth = 0; depth < REFERENCES && wanted.length > 0; depth++) {
    const rows = await tx.rows<EstateRecord>(
      `select ${RECORD} from estate e where tenant = $1 and id = any($2)`,
      [tx.tenant, wanted],
    )
    take(rows)
    const next = rows.flatMap(({ holder, facts: f }) => [holder, f.secret, f.credential, f.source, f.env])
    wanted = [...new Set(next)].filter((id): id is string => typeof id === 'string' && !found.has(id))
  }
  return [...found.values()]
}

/** What is shown of a finding beside its row. */
interface Shown {
  readonly reason: string
  readonly stale: boolean
  readonly lastSeen: string
}

function shownOf(
  estate: Estate,
  rule: Rule,
  row: FindingRow,
  now: number,
  evaluatedAt: string | null,
): Shown {
  const firstSeen = instantOf(row.first_seen)
  if (row.state === 'resolved') {
    const at = row.resolved_at === null ? firstSeen : instantOf(row.resolved_at)
    const how = row.because === 'passed' ? 'It passed' : 'It left what the rule is about'
    return { reason: `${how} on ${at.slice(0, 16).replace('T', ' ')} UTC.`, stale: false, lastSeen: at }
  }
  const subject = estate.subject(rule.over, row.subject)
  if (!subject)
    return {
      reason: 'It is no longer in the estate; the next evaluation closes this.',
      stale: false,
      lastSeen: firstSeen,
    }
  const stale = judge(rule, subject, { now }) === 'unknown'
  const holder = estate.get(row.subject)?.holder
  const since = stale && holder ? estate.get(holder)?.facts.since : undefined
  const seen = stale ? (since ?? firstSeen) : (evaluatedAt ?? firstSeen)
  return { reason: reasonOf(rule, subject, { now }), stale, lastSeen: seen < firstSeen ? firstSeen : seen }
}

/**
 * A page of findings, worst first and then longest open. Names and reasons are told from the estate as it is
 * known now, so that they are never older than it.
 */
export async function listFindings(
  tx: Tx,
  ruleset: Ruleset,
  query: FindingQuery,
  now: number,
): Promise<{ items: Finding[]; next: string | null; total: number }> {
  const place = placeOf(query.after)
  const searched = query.search !== undefined && query.search !== ''
  // Names are only joined in when they are searched: counting tens of thousands of findings is then cheap.
  const from = searched
    ? `finding f left join estate e on e.tenant = f.tenant and e.id = f.subject
         left join estate h on h.tenant = e.tenant and h.id = e.holder`
    : 'finding f'
  const named = searched
    ? 'and (e.name ilike $6 or h.name ilike $6 or f.rule ilike $6)'
    : 'and $6::text is null'
  const where = `f.tenant = $1 and ($2::text is null or f.state = $2) and ($3::text is null or f.severity = $3)
    and ($4::text is null or f.rule = $4) and ($5::text is null or f.subject = $5) ${named}`
  const values = [
    tx.tenant,
    query.state === 'all' ? null : query.state,
    query.severity ?? null,
    query.rule ?? null,
    query.subject ?? null,
    searched ? literally(query.search ?? '') : null,
  ]
  const rows = await tx.rows<FindingRow>(
    `select f.finding, f.rule, f.subject, f.severity, f.rank, f.state, f.because, f.reopened, f.first_seen,
       f.resolved_at
     from ${from} where ${where}
       and ($7::smallint is null or (f.rank, f.first_seen, f.finding) > ($7, $8::timestamptz, $9))
     order by f.rank, f.first_seen, f.finding limit $10`,
    [...values, ...(place ?? [null, null, null]), query.limit + 1],
  )
  const [count] = await tx.rows<{ total: number }>(
    `select count(*)::int as total from ${from} where ${where}`,
    values,
  )
  const page = rows.slice(0, query.limit)
  const estate = new Estate()
  estate.load(await recordsAround(tx, [...new Set(page.map((r) => r.subject))]))
  const [last] = await tx.rows<{ at: string }>(
    'select at from evaluation where tenant = $1 order by seq desc limit 1',
    [tx.tenant],
  )
  const rules = new Map(ruleset.rules.map((r) => [r.id, r]))
  const items = page.flatMap((row) => {
    const rule = rules.get(row.rule)
    // A finding of a rule that there no longer is cannot be explained.
    if (!rule) return []
    const label = labelOf(estate, rule.over, row.subject)
    return [
      {
        finding: row.finding,
        rule: row.rule,
        ruleName: rule.name,
        severity: row.severity,
        subject: row.subject,
        subjectKind: rule.over,
        subjectName: label.name,
        holderName: label.holderName,
        ...shownOf(estate, rule, row, now, last ? instantOf(last.at) : null),
        remedy: rule.remedy,
        state: row.state,
        because: row.because,
        reopened: row.reopened,
        firstSeen: instantOf(row.first_seen),
        resolvedAt: row.resolved_at === null ? null : instantOf(row.resolved_at),
      },
    ]
  })
  const end = page.at(-1)
  return { items, next: rows.length > page.length && end ? placeText(end) : null, total: count?.total ?? 0 }
}
