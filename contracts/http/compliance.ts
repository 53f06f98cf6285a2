import * as z from 'zod'
import { ClosedBecause, Rating, RuleId, RuleResult, ScoreParts, Severity, Verdict } from '../compliance.ts'
import { Count, Instant, OpaqueId } from '../event.ts'
import { endpoints, pageOf, Paging, READERS } from './endpoint.ts'

export const Evaluation = z.object({
  evaluation: OpaqueId,
  at: Instant,
  now: Instant,
  scan: OpaqueId.nullable(),
  /** Percent with two digits, truncated; null when nothing could be evaluated. */
  score: z.number().nullable(),
  coverage: z.number(),
  assetProgress: z.number().nullable(),
  rating: Rating.nullable(),
  parts: ScoreParts,
  rulesetDigest: z.string(),
})

export const Rule = z.object({
  rule: RuleId,
  family: z.enum(['secret', 'certificate', 'key', 'rotation', 'vault', 'kms', 'dependency', 'sync']),
  name: z.string(),
  says: z.string(),
  /** What to do about a failure. */
  remedy: z.string(),
  severity: Severity,
  weight: z.int(),
  class: z.enum(['framework', 'operational']),
  share: z.number(),
  controls: z.array(z.object({ framework: z.string(), control: z.string(), published: z.array(z.string()) })),
  result: RuleResult.nullable(),
})

export const Finding = z.object({
  finding: OpaqueId,
  rule: RuleId,
  ruleName: z.string(),
  severity: Severity,
  subject: OpaqueId,
  subjectKind: z.string(),
  subjectName: z.string(),
  /** Vault, application or resource that holds the subject. */
  holderName: z.string(),
  /** Why it fails, in one sentence, with the fact that made it fail. */
  reason: z.string(),
  remedy: z.string(),
  state: z.enum(['open', 'resolved']),
  because: ClosedBecause.nullable(),
  /** The last evaluation could not read the subject: the finding stays open. */
  stale: z.boolean(),
  reopened: Count,
  firstSeen: Instant,
  lastSeen: Instant,
  resolvedAt: Instant.nullable(),
})
export type Finding = z.infer<typeof Finding>

export const Control = z.object({
  control: z.string(),
  title: z.string(),
  /** The published standard's numbers, where the product's row differs from them. */
  published: z.array(z.string()),
  relation: z.string(),
  note: z.string(),
  coverage: z.enum(['direct', 'supporting', 'customer']),
  customerAction: z.string().nullable(),
  rules: z.array(RuleId),
  verdict: Verdict,
  passed: Count,
  failed: Count,
  unknown: Count,
})

export const Framework = z.object({
  framework: z.string(),
  title: z.string(),
  limits: z.string(),
  controls: z.array(Control),
})

export const complianceHttp = endpoints({
  readScore: {
    method: 'GET',
    path: '/api/compliance/score',
    summary: 'The current score with coverage, its parts, and how it moved.',
    roles: READERS,
    reply: z.object({
      current: Evaluation.nullable(),
      trend: z.array(Evaluation),
      /** What moved the score since the evaluation before: findings by rule. */
      moved: z.object({ opened: Count, resolved: Count, reopened: Count, rulesChanged: z.boolean() }),
      open: z.array(z.object({ severity: Severity, count: Count })),
      /** Whether an evaluation is due or running. */
      pending: z.boolean(),
    }),
    refusals: {},
  },
  listRules: {
    method: 'GET',
    path: '/api/compliance/rules',
    summary: 'The 40 rules with weight, controls and last result.',
    roles: READERS,
    reply: z.object({ items: z.array(Rule) }),
    refusals: {},
  },
  listFindings: {
    method: 'GET',
    path: '/api/compliance/findings',
    summary: 'Findings, worst first.',
    roles: READERS,
    query: Paging.extend({
      state: z.enum(['open', 'resolved', 'all']).default('open'),
      severity: Severity.optional(),
      rule: RuleId.optional(),
      subject: OpaqueId.optional(),
      search: z.string().max(100).optional(),
    }),
    reply: pageOf(Finding),
    refusals: {},
  },
  listFrameworks: {
    method: 'GET',
    path: '/api/compliance/frameworks',
    summary: 'Seven frameworks, their controls and what the last evaluation says of each.',
    roles: READERS,
    reply: z.object({ items: z.array(Framework) }),
    refusals: {},
  },
})
