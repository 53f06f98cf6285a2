/// <reference types="node" />
import { readFileSync } from 'node:fs'
import type { Finding } from '@attestry/contracts/http'
import * as z from 'zod'
import { chance, hex } from './chance.fixture.ts'
import type { Estate } from './estate.fixture.ts'
import type { ReplyOfFixture } from './shapes.fixture.ts'

type RuleRow = ReplyOfFixture<'compliance', 'listRules'>['items'][number]
type FrameworkRow = ReplyOfFixture<'compliance', 'listFrameworks'>['items'][number]

const DAY = 86_400_000
const iso = (ms: number): string => new Date(ms).toISOString()
const WEIGHTS = { critical: 30, high: 15, medium: 8, low: 2 } as const

/** A handful of rules and controls in the words of the real ones; the real table is the compliance service's. */
const Table = z.object({
  rules: z.array(
    z.object({
      rule: z.string(),
      family: z.enum(['secret', 'certificate', 'key', 'rotation', 'vault', 'kms', 'dependency', 'sync']),
      severity: z.enum(['critical', 'high', 'medium', 'low']),
      name: z.string(),
      says: z.string(),
      remedy: z.string(),
    }),
  ),
  frameworks: z.array(
    z.object({
      framework: z.string(),
      title: z.string(),
      limits: z.string(),
      controls: z.array(
        z.object({
          control: z.string(),
          title: z.string(),
          published: z.array(z.string()),
          note: z.string(),
          coverage: z.enum(['direct', 'supporting', 'customer']),
          customerAction: z.string().nullable(),
          rules: z.array(z.string()),
        }),
      ),
    }),
  ),
})

const table = Table.parse(
  JSON.parse(readFileSync(new URL('./judgement.fixture.json', import.meta.url), 'utf8')),
)

export interface Judgement {
  readonly rules: readonly RuleRow[]
  readonly frameworks: readonly FrameworkRow[]
  readonly findings: readonly Finding[]
  readonly score: ReplyOfFixture<'compliance', 'readScore'>
}

const RANK = { critical: 0, high: 1, medium: 2, low: 3 } as const

/** What a judge would say of an estate: enough of it to fill every page, the same on every run. */
export function judge(estate: Estate): Judgement {
  const random = chance(11)
  const findings: Finding[] = []
  const find = (
    rule: string,
    subject: { id: string; kind: string; name: string; holder: string },
    reason: string,
  ): void => {
    const known = table.rules.find((r) => r.rule === rule)
    if (!known) throw new Error(`no rule ${rule} in the fixture`)
    const age = 1 + Math.trunc(random() * 40)
    findings.push({
      finding: `finding-${hex(random, 20)}`,
      rule,
      ruleName: known.name,
      severity: known.severity,
      subject: subject.id,
      subjectKind: subject.kind,
      subjectName: subject.name,
      holderName: subject.holder,
      reason,
      remedy: known.remedy,
      state: 'open',
      because: null,
      stale: random() < 0.06,
      reopened: random() < 0.08 ? 1 : 0,
      firstSeen: iso(estate.now - age * DAY),
      lastSeen: iso(estate.now - 3_600_000 * 5),
      resolvedAt: null,
    })
  }
  for (const asset of estate.assets.slice(0, 150)) {
    const subject = { id: asset.asset, kind: asset.kind, name: asset.name, holder: asset.holderName }
    if (asset.kind !== 'secret' && asset.kind !== 'key') continue
    if (asset.expires === null)
      find(asset.kind === 'key' ? 'K001' : 'P001', subject, `The ${asset.kind} has no expiry date.`)
    else {
      const left = (Date.parse(asset.expires) - estate.now) / DAY
      const day = asset.expires.slice(0, 10)
      if (left <= 0)
        find('P007', subject, `It expired ${Math.trunc(-left)} days ago, on ${day}, and is still enabled.`)
      else if (left < 7) find('P002', subject, `It expires in ${Math.trunc(left)} days, on ${day}.`)
      else if (left < 30) find('P003', subject, `It expires in ${Math.trunc(left)} days, on ${day}.`)
    }
    if (asset.bits === 1024) find('K006', subject, 'The key is RSA 1024; at least 2048 bits are asked.')
  }
  for (const vault of estate.vaults) {
    const subject = { id: vault.vault, kind: 'vault', name: vault.facts.name, holder: vault.facts.name }
    if (vault.unreachable) find('P005', subject, `The vault could not be read: ${vault.unreachable}.`)
    if (vault.facts.softDelete === false) find('CIS-8.5', subject, 'Soft delete is off.')
    if (vault.facts.purgeProtection !== true)
      find('CIS-8.6', subject, 'Purge protection is off: deleted items can be destroyed at once.')
    if (vault.facts.rbac === false)
      find('CIS-RBAC', subject, 'Access is by access policies, not by Azure roles.')
  }
  findings.sort((a, b) => RANK[a.severity] - RANK[b.severity] || a.firstSeen.localeCompare(b.firstSeen))
  const gone = findings.slice(0, 6).map(
    (f, n): Finding => ({
      ...f,
      finding: `finding-${hex(random, 20)}`,
      state: 'resolved',
      because: n % 3 === 0 ? 'asset-removed' : 'passed',
      stale: false,
      resolvedAt: iso(estate.now - n * DAY - 7_200_000),
    }),
  )
  const rules = table.rules.map((r, n): RuleRow => {
    const failed = findings.filter((f) => f.rule === r.rule).length
    const population = r.family === 'vault' || r.rule === 'P005' ? estate.vaults.length : 40 + n * 3
    const unknown = r.rule === 'VM002'
    const none = r.family === 'sync'
    return {
      ...r,
      weight: WEIGHTS[r.severity],
      class: table.frameworks.some((f) => f.controls.some((c) => c.rules.includes(r.rule)))
        ? 'framework'
        : 'operational',
      share: r.rule === 'P009' ? 0.8 : 1,
      controls: table.frameworks.flatMap((f) =>
        f.controls
          .filter((c) => c.rules.includes(r.rule))
          .map((c) => ({ framework: f.framework, control: c.control, published: c.published })),
      ),
      result: {
        rule: r.rule,
        verdict: none ? 'not-applicable' : unknown ? 'unknown' : failed > 0 ? 'fail' : 'pass',
        weight: WEIGHTS[r.severity],
        population: none ? 0 : population,
        passed: none || unknown ? 0 : population - failed,
        failed,
        unknown: unknown ? population : 0,
        waived: 0,
      },
    }
  })
  const verdictOf = (ids: readonly string[]): FrameworkRow['controls'][number]['verdict'] => {
    const verdicts = ids.map((id) => rules.find((r) => r.rule === id)?.result?.verdict ?? 'not-applicable')
    if (verdicts.includes('fail')) return 'fail'
    if (verdicts.includes('unknown')) return 'unknown'
    return verdicts.includes('pass') ? 'pass' : 'not-applicable'
  }
  const frameworks = table.frameworks.map((f) => ({
    ...f,
    controls: f.controls.map((c) => ({
      ...c,
      relation: c.published.includes(c.control) ? 'same' : 'renumbered',
      verdict: verdictOf(c.rules),
      passed: c.rules.filter((id) => rules.find((r) => r.rule === id)?.result?.verdict === 'pass').length,
      failed: c.rules.filter((id) => rules.find((r) => r.rule === id)?.result?.verdict === 'fail').length,
      unknown: c.rules.filter((id) => rules.find((r) => r.rule === id)?.result?.verdict === 'unknown').length,
    })),
  }))
  return { rules, frameworks, findings: [...findings, ...gone], score: scoreOf(estate, rules, findings) }
}

function scoreOf(
  estate: Estate,
  rules: readonly RuleRow[],
  findings: readonly Finding[],
): Judgement['score'] {
  const random = chance(23)
  const weight = (of: readonly RuleRow[]): number => of.reduce((sum, r) => sum + r.weight, 0)
  const parts = {
    weightPassed: weight(rules.filter((r) => r.result?.verdict === 'pass')),
    weightEvaluated: weight(
      rules.filter((r) => r.result?.verdict === 'pass' || r.result?.verdict === 'fail'),
    ),
    weightEnabled: weight(rules.filter((r) => r.result?.verdict !== 'not-applicable')),
    assetsPassed: 1290,
    assetsEvaluated: 1290 + findings.length,
  }
  const score = Math.trunc((10_000 * parts.weightPassed) / parts.weightEvaluated) / 100
  const evaluation = (days: number, value: number): NonNullable<Judgement['score']['current']> => ({
    evaluation: `evaluation-${hex(random, 16)}`,
    at: iso(estate.now - days * DAY - 5 * 3_600_000),
    now: iso(estate.now - days * DAY - 5 * 3_600_000),
    scan: `scan-${hex(random, 16)}`,
    score: value,
    coverage: Math.trunc((10_000 * parts.weightEvaluated) / parts.weightEnabled) / 100 - days * 0.3,
    assetProgress: Math.trunc((10_000 * parts.assetsPassed) / parts.assetsEvaluated) / 100,
    rating: value >= 90 ? 'strong' : value >= 75 ? 'healthy' : value >= 50 ? 'significant-gaps' : 'weak',
    parts,
    rulesetDigest: hex(random, 64),
  })
  const trend = Array.from({ length: 28 }, (_, n) => {
    const days = 27 - n
    return evaluation(
      days,
      days === 0
        ? score
        : Math.min(98, Math.trunc((score - days * 0.62 + Math.sin(n * 1.1) * 4) * 100) / 100),
    )
  })
  return {
    current: trend.at(-1) ?? null,
    trend,
    moved: { opened: 2, resolved: 5, reopened: 1, rulesChanged: false },
    open: (['critical', 'high', 'medium', 'low'] as const).map((severity) => ({
      severity,
      count: findings.filter((f) => f.severity === severity).length,
    })),
    pending: false,
  }
}
