import { Rating, RuleResult, ScoreParts, type Severity, type Verdict } from '@attestry/contracts'
import type { complianceHttp, Control, Evaluation, Framework, Rule } from '@attestry/contracts/http'
import type { Handlers, Host, Tx } from '@attestry/kit'
import * as z from 'zod'
import { instantOf, listFindings } from './finding-list.ts'
import type { Control as ControlRow } from './frameworks/framework.ts'
import { classOf, controlsOf, frameworks } from './frameworks/frameworks.ts'
import type { Ruleset } from './ruleset.ts'
import { percent } from './score.ts'
import { RANK } from './views.ts'

/** How many evaluations the trend goes back. */
const TREND = 90

interface EvaluationRow {
  readonly evaluation: string
  readonly at: string
  readonly now: string
  readonly scan: string | null
  readonly score: unknown
  readonly rating: string | null
  readonly ruleset_digest: string
  readonly opened: number
  readonly reopened: number
  readonly resolved: number
}

function evaluationOf(row: EvaluationRow): z.infer<typeof Evaluation> {
  const parts = ScoreParts.parse(row.score)
  return {
    evaluation: row.evaluation,
    at: instantOf(row.at),
    now: instantOf(row.now),
    scan: row.scan,
    score: percent(parts.weightPassed, parts.weightEvaluated),
    coverage: percent(parts.weightEvaluated, parts.weightEnabled) ?? 0,
    assetProgress: percent(parts.assetsPassed, parts.assetsEvaluated),
    rating: Rating.nullable().parse(row.rating),
    parts,
    rulesetDigest: row.ruleset_digest,
  }
}

/** Results of the last evaluation, by rule. */
async function lastResults(tx: Tx): Promise<ReadonlyMap<string, RuleResult>> {
  const [row] = await tx.rows<{ results: unknown }>(
    'select results from evaluation where tenant = $1 order by seq desc limit 1',
    [tx.tenant],
  )
  return new Map(
    z
      .array(RuleResult)
      .parse(row?.results ?? [])
      .map((r) => [r.rule, r]),
  )
}

/** What the rules of a control say together: the worst of them. Without any it is not ours to say. */
function controlOf(control: ControlRow, results: ReadonlyMap<string, RuleResult>): z.infer<typeof Control> {
  const verdicts = control.rules.map((rule): Verdict => results.get(rule)?.verdict ?? 'unknown')
  const count = (of: Verdict) => verdicts.filter((v) => v === of).length
  const worst = (['fail', 'unknown', 'pass', 'waived'] as const).find((v) => verdicts.includes(v))
  return {
    control: control.id,
    title: control.title,
    published: [...control.published],
    relation: control.relation,
    note: control.note,
    coverage: control.coverage,
    customerAction: control.customerAction,
    rules: [...control.rules],
    verdict: worst ?? 'not-applicable',
    passed: count('pass'),
    failed: count('fail'),
    unknown: count('unknown'),
  }
}

const frameworksOf = (results: ReadonlyMap<string, RuleResult>): z.infer<typeof Framework>[] =>
  frameworks.map(({ id, title, limits, controls }) => ({
    framework: id,
    title,
    limits,
    controls: controls.map((control) => controlOf(control, results)),
  }))

const rulesOf = (ruleset: Ruleset, results: ReadonlyMap<string, RuleResult>): z.infer<typeof Rule>[] =>
  ruleset.rules.map((r) => ({
    rule: r.id,
    family: r.family,
    name: r.name,
    says: r.says,
    remedy: r.remedy,
    severity: r.severity,
    weight: r.weight,
    class: classOf(r.id),
    share: r.share,
    controls: controlsOf(r.id).map(({ framework, control }) => ({
      framework: framework.id,
      control: control.id,
      published: [...control.published],
    })),
    result: results.get(r.id) ?? null,
  }))

async function readScore(tx: Tx) {
  const rows = await tx.rows<EvaluationRow>(
    `select evaluation, at, now, scan, score, rating, ruleset_digest, opened, reopened, resolved
     from evaluation where tenant = $1 order by seq desc limit $2`,
    [tx.tenant, TREND],
  )
  const counts = await tx.rows<{ severity: Severity; count: number }>(
    `select severity, count(*)::int as count from finding where tenant = $1 and state = 'open' group by severity`,
    [tx.tenant],
  )
  // What was folded since the last judgement waits for the next one.
  const [waiting] = await tx.rows<{ pending: boolean }>(
    `select exists (select 1 from horizon h join estate e on e.tenant = h.tenant and e.context = h.context
       and e.seq > h.judged where h.tenant = $1) as pending`,
    [tx.tenant],
  )
  const [latest, before] = rows
  return {
    current: latest ? evaluationOf(latest) : null,
    trend: rows.map(evaluationOf).toReversed(),
    moved: {
      opened: latest?.opened ?? 0,
      resolved: latest?.resolved ?? 0,
      reopened: latest?.reopened ?? 0,
      rulesChanged: before !== undefined && before.ruleset_digest !== latest?.ruleset_digest,
    },
    open: counts.toSorted((a, b) => RANK[a.severity] - RANK[b.severity]),
    pending: waiting?.pending ?? false,
  }
}

/** The HTTP face: reads of this service's own rows. */
export const complianceHandlers = (host: Host, ruleset: Ruleset): Handlers<typeof complianceHttp> => ({
  readScore: ({ who }) => host.tx(who.tenant, readScore),
  listRules: ({ who }) =>
    host.tx(who.tenant, async (tx) => ({ items: rulesOf(ruleset, await lastResults(tx)) })),
  listFindings: ({ who, query }) =>
    host.tx(who.tenant, (tx) => listFindings(tx, ruleset, query, host.clock.now().epochMilliseconds)),
  listFrameworks: ({ who }) =>
    host.tx(who.tenant, async (tx) => ({ items: frameworksOf(await lastResults(tx)) })),
})
