import * as z from 'zod'
import { Count, Digest, events, OpaqueId } from './event.ts'

export const Severity = z.enum(['critical', 'high', 'medium', 'low'])
export type Severity = z.infer<typeof Severity>

/** What is said of a rule, or of one asset under a rule. Unreadable data is `unknown`, never a pass. */
export const Verdict = z.enum(['pass', 'fail', 'unknown', 'not-applicable', 'waived'])
export type Verdict = z.infer<typeof Verdict>

export const Rating = z.enum(['strong', 'healthy', 'significant-gaps', 'weak', 'insufficient-evidence'])
export type Rating = z.infer<typeof Rating>

export const RuleId = z.string().regex(/^[A-Z][A-Z0-9]*(-[A-Z0-9.]+)?$/)

/** One rule's result: counts, so that a score can be explained and recomputed. */
export const RuleResult = z.object({
  rule: RuleId,
  verdict: Verdict,
  weight: z.int().min(1).max(30),
  population: Count,
  passed: Count,
  failed: Count,
  unknown: Count,
  waived: Count,
})
export type RuleResult = z.infer<typeof RuleResult>

/** The score as the integers it is made of: 100 · passed ÷ evaluated, coverage evaluated ÷ enabled. */
export const ScoreParts = z.object({
  weightPassed: Count,
  weightEvaluated: Count,
  weightEnabled: Count,
  assetsPassed: Count,
  assetsEvaluated: Count,
})
export type ScoreParts = z.infer<typeof ScoreParts>

/**
 * Why a finding closed: an evaluation saw it pass, its subject is gone, or the rule no longer speaks of its subject
 * (disabled, or judged by another rule now). Only the first is an improvement that was seen.
 */
export const ClosedBecause = z.enum(['passed', 'asset-removed', 'not-applicable'])
export type ClosedBecause = z.infer<typeof ClosedBecause>

export const FindingRef = z.object({
  finding: OpaqueId,
  rule: RuleId,
  subject: OpaqueId,
  severity: Severity,
})
export type FindingRef = z.infer<typeof FindingRef>

/** A rule as it was judged by: what an auditor needs to read a verdict. */
export const RuleStatement = z.object({
  rule: RuleId,
  name: z.string(),
  says: z.string(),
  severity: Severity,
  weight: z.int().min(1).max(30),
  /** Percent of the population that must hold. */
  sharePercent: z.int().min(1).max(100),
})
export type RuleStatement = z.infer<typeof RuleStatement>

/** The frameworks that rules are mapped to. */
export const FrameworkId = z.enum([
  'cis-azure-2.0.0',
  'soc2-2017',
  'iso27001-2022',
  'nist-800-53-r5',
  'hipaa-164.312',
  'pci-dss-4.0',
  'asb-3.0',
])
export type FrameworkId = z.infer<typeof FrameworkId>

/** A control as rules are mapped to it, with both numbers: the product’s row and the published standard’s. */
export const ControlStatement = z.object({
  control: z.string(),
  title: z.string(),
  published: z.array(z.string()),
  /** How our row stands to the published one, such as `ok` or `misnumbered`, and in what it differs. */
  relation: z.string(),
  note: z.string(),
  coverage: z.enum(['direct', 'supporting', 'customer']),
  customerAction: z.string().nullable(),
  rules: z.array(RuleId),
})
export type ControlStatement = z.infer<typeof ControlStatement>

/** A framework as rules are mapped to it, with what the mapping does not say. */
export const FrameworkStatement = z.object({
  framework: FrameworkId,
  title: z.string(),
  limits: z.string(),
  controls: z.array(ControlStatement),
})
export type FrameworkStatement = z.infer<typeof FrameworkStatement>

export const complianceEvents = events('compliance', {
  'frameworks-adopted': {
    v: 1,
    says: 'How rules are mapped to frameworks from now on; written when the digest of the mapping changes.',
    data: z.object({ mappingDigest: Digest, frameworks: z.array(FrameworkStatement) }),
  },
  'ruleset-adopted': {
    v: 1,
    says: 'The rules that evaluations are judged by from now on; written when their digest changes.',
    data: z.object({ rulesetDigest: Digest, rules: z.array(RuleStatement) }),
  },
  'evaluation-completed': {
    v: 1,
    says: 'Every rule was judged against what was known at the named places of the chain.',
    data: z.object({
      evaluation: OpaqueId,
      scan: OpaqueId.nullable(),
      /** The last event of each context that was taken into account. */
      asOf: z.array(z.tuple([z.string(), Count])),
      /** The `now` that time windows were measured against. */
      now: z.iso.datetime(),
      rulesetDigest: Digest,
      score: ScoreParts,
      rating: Rating.nullable(),
      results: z.array(RuleResult),
    }),
  },
  'findings-changed': {
    v: 1,
    says: 'Findings that an evaluation opened, resolved or reopened: at most 100 an event.',
    data: z.object({
      evaluation: OpaqueId,
      opened: z.array(FindingRef),
      reopened: z.array(FindingRef),
      resolved: z.array(FindingRef.extend({ because: ClosedBecause })),
    }),
  },
})
