import type { FindingRef, RuleStatement } from '@attestry/contracts'
import { KnownEstate } from './assets.ts'
import { beforeEnd, cell, type Report } from './report.ts'

interface Violation {
  readonly ref: FindingRef
  readonly openedAt: string
  reopened: number
  lastReopenedAt: string | null
  resolvedAt: string | null
  because: string
}

const RANK = { critical: 0, high: 1, medium: 2, low: 3 } as const

/** Every finding that was open at any time in the period. */
export const ruleViolations: Report = {
  type: 'rule-violations',
  title: 'Rule violations',
  says: 'Every finding that was open at any time in the period, with the asset, the rule, and when it opened and closed.',
  columns: [
    {
      name: 'finding',
      type: 'id',
      says: 'Opaque id of rule and asset together',
      source: 'compliance.findings-changed',
    },
    { name: 'rule', type: 'text', says: 'Rule that was violated', source: 'rule' },
    { name: 'rule_name', type: 'text', says: 'What the rule asks', source: 'compliance.ruleset-adopted' },
    { name: 'severity', type: 'text', says: 'critical, high, medium or low', source: 'severity' },
    { name: 'subject', type: 'id', says: 'Opaque id of the asset', source: 'subject' },
    { name: 'subject_kind', type: 'text', says: 'What it is', source: 'discovery' },
    { name: 'subject_name', type: 'text', says: 'Its name', source: 'discovery' },
    { name: 'holder', type: 'text', says: 'Vault or application that holds it', source: 'discovery' },
    { name: 'opened_at', type: 'instant', says: 'When an evaluation first found it', source: 'envelope.at' },
    { name: 'reopened', type: 'integer', says: 'How often it came back', source: 'reopened' },
    { name: 'last_reopened_at', type: 'instant', says: 'When it last came back', source: 'envelope.at' },
    { name: 'resolved_at', type: 'instant', says: 'When an evaluation found it gone', source: 'envelope.at' },
    {
      name: 'resolved_because',
      type: 'text',
      says: 'passed, asset-removed, or not-applicable: the rule no longer speaks of it (disabled, or judged by another rule)',
      source: 'because',
    },
    {
      name: 'open_at_end',
      type: 'boolean',
      says: 'Whether it was open at the period’s end',
      source: 'derived',
    },
  ],
  limits: [
    'A finding is the product’s judgement by its own rules; whether a control is met is the auditor’s.',
    'A finding opens and closes when an evaluation notices, not when the cause arose or ended.',
    'What could not be read is unknown: it neither opens nor closes a finding.',
  ],
  fold(period) {
    const estate = new KnownEstate()
    const violations = new Map<string, Violation>()
    const names = new Map<string, RuleStatement>()
    let evaluations = 0
    const shown = () =>
      [...violations.values()]
        .filter((v) => v.resolvedAt === null || Date.parse(v.resolvedAt) >= Date.parse(period.from))
        .sort(
          (a, b) =>
            RANK[a.ref.severity] - RANK[b.ref.severity] ||
            (a.ref.rule < b.ref.rule
              ? -1
              : a.ref.rule > b.ref.rule
                ? 1
                : a.ref.finding < b.ref.finding
                  ? -1
                  : 1),
        )
    return {
      apply(event) {
        if (!beforeEnd(event.at, period)) return []
        estate.apply(event)
        if (event.type === 'compliance.ruleset-adopted')
          for (const rule of event.data.rules) names.set(rule.rule, rule)
        if (event.type === 'compliance.evaluation-completed') evaluations++
        if (event.type !== 'compliance.findings-changed') return []
        for (const ref of event.data.opened)
          violations.set(ref.finding, {
            ref,
            openedAt: event.at,
            reopened: 0,
            lastReopenedAt: null,
            resolvedAt: null,
            because: '',
          })
        for (const ref of event.data.reopened) {
          const known = violations.get(ref.finding)
          violations.set(ref.finding, {
            ref,
            openedAt: known?.openedAt ?? event.at,
            reopened: (known?.reopened ?? 0) + 1,
            lastReopenedAt: event.at,
            resolvedAt: null,
            because: '',
          })
        }
        for (const { finding, because } of event.data.resolved) {
          const known = violations.get(finding)
          if (known) {
            known.resolvedAt = event.at
            known.because = because
          }
        }
        return []
      },
      end: () =>
        shown().map((v) => {
          const subject = estate.nameOf(v.ref.subject)
          return [
            v.ref.finding,
            v.ref.rule,
            cell(names.get(v.ref.rule)?.name),
            v.ref.severity,
            v.ref.subject,
            subject.kind,
            subject.name,
            subject.holder,
            v.openedAt,
            cell(v.reopened),
            cell(v.lastReopenedAt),
            cell(v.resolvedAt),
            v.because,
            cell(v.resolvedAt === null),
          ]
        }),
      totals() {
        const all = shown()
        const open = all.filter((v) => v.resolvedAt === null)
        const of = (severity: string) => open.filter((v) => v.ref.severity === severity).length
        return [
          { name: 'Open at the end', value: open.length },
          { name: 'critical', value: of('critical') },
          { name: 'high', value: of('high') },
          { name: 'medium', value: of('medium') },
          { name: 'low', value: of('low') },
          { name: 'Resolved in the period', value: all.length - open.length },
          { name: 'Evaluations up to the end of the period', value: evaluations },
        ]
      },
    }
  },
}
