import type { FindingRef } from '@attestry/contracts'
import { cell, column, type Report } from './report.ts'

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
  says: 'Every finding that was open at any time in the period, with the asset, the rule, the controls that ask for the rule, and when it opened and closed. For a framework: of the rules that its controls name.',
  kind: 'posture',
  columns: [
    column('finding', 'id', 'Opaque id of rule and asset together', 'compliance.findings-changed finding'),
    column('rule', 'text', 'Rule that was violated', 'compliance.findings-changed rule'),
    column('rule_name', 'text', 'What the rule asks', 'compliance.ruleset-adopted name'),
    column('severity', 'text', 'critical, high, medium or low', 'compliance.findings-changed severity'),
    column('subject', 'id', 'Opaque id of the asset', 'compliance.findings-changed subject'),
    column('subject_kind', 'text', 'What it is', 'discovery.vault-scanned, discovery.apps-scanned kind'),
    column('subject_name', 'text', 'Its name', 'discovery.vault-scanned, discovery.apps-scanned name'),
    column('holder', 'text', 'Vault or application that holds it', 'discovery.vault-scanned facts.name'),
    column('opened_at', 'instant', 'When an evaluation first found it', 'envelope.at'),
    column('reopened', 'integer', 'How often it came back', 'compliance.findings-changed reopened', 'times'),
    column('last_reopened_at', 'instant', 'When it last came back', 'envelope.at'),
    column('resolved_at', 'instant', 'When an evaluation found it gone', 'envelope.at'),
    column(
      'resolved_because',
      'text',
      'passed, asset-removed, or not-applicable: the rule no longer speaks of it (disabled, or judged by another rule)',
      'compliance.findings-changed because',
    ),
    column('at_start', 'boolean', 'Whether it was open at the period’s beginning', 'derived'),
    column('at_end', 'boolean', 'Whether it was open at the period’s end', 'derived'),
    column(
      'controls',
      'text',
      'Controls that name the rule: framework, the product’s row, and in brackets the published numbers',
      'compliance.frameworks-adopted',
    ),
  ],
  printed: ['severity', 'rule', 'rule_name', 'subject_name', 'holder', 'opened_at', 'resolved_at', 'at_end'],
  limits: [
    'A finding is the product’s judgement by its own rules; whether a control is met is the auditor’s.',
    'A finding opens and closes when an evaluation notices, not when the cause arose or ended.',
    'What could not be read is unknown: it neither opens nor closes a finding.',
    'A finding that closed and came back within the period is one row; how often it came back is counted.',
  ],
  fold({ period, framework }, { estate, judgement }) {
    const violations = new Map<string, Violation>()
    const from = Date.parse(period.from)
    const shown = () =>
      [...violations.values()]
        .filter((v) => v.resolvedAt === null || Date.parse(v.resolvedAt) >= from)
        .filter((v) => framework === null || judgement.controlsOf(v.ref.rule, framework).length > 0)
        .sort(
          (a, b) =>
            RANK[a.ref.severity] - RANK[b.ref.severity] ||
            order(a.ref.rule, b.ref.rule) ||
            order(a.ref.finding, b.ref.finding),
        )
    /** Open at the beginning: opened before it, and not resolved before it. Of one that came back the last time counts. */
    const atStart = (v: Violation) => Date.parse(v.lastReopenedAt ?? v.openedAt) <= from
    const open = (ref: FindingRef, at: string, again: boolean) => {
      const known = again ? violations.get(ref.finding) : undefined
      violations.set(ref.finding, {
        ref,
        openedAt: known?.openedAt ?? at,
        reopened: (known?.reopened ?? 0) + (again ? 1 : 0),
        lastReopenedAt: again ? at : null,
        resolvedAt: null,
        because: '',
      })
    }
    return {
      apply({ event }) {
        if (event.type !== 'compliance.findings-changed') return []
        const { opened, reopened, resolved } = event.data
        for (const ref of opened) open(ref, event.at, false)
        for (const ref of reopened) open(ref, event.at, true)
        for (const { finding, because } of resolved) {
          const known = violations.get(finding)
          if (known) Object.assign(known, { resolvedAt: event.at, because })
        }
        return []
      },
      end: () =>
        shown().map((v) => {
          const subject = estate.nameOf(v.ref.subject)
          return [
            v.ref.finding,
            v.ref.rule,
            cell(judgement.rules.get(v.ref.rule)?.name),
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
            cell(atStart(v)),
            cell(v.resolvedAt === null),
            judgement
              .controlsOf(v.ref.rule, framework)
              .map(
                ({ framework: id, control }) => `${id} ${control.control} [${control.published.join(', ')}]`,
              )
              .join('; '),
          ]
        }),
      totals() {
        const all = shown()
        const still = all.filter((v) => v.resolvedAt === null)
        const of = (severity: string) => still.filter((v) => v.ref.severity === severity).length
        return [
          { name: 'Open at the beginning', value: all.filter(atStart).length },
          { name: 'Open at the end', value: still.length },
          { name: 'critical', value: of('critical') },
          { name: 'high', value: of('high') },
          { name: 'medium', value: of('medium') },
          { name: 'low', value: of('low') },
          { name: 'Resolved in the period', value: all.length - still.length },
          { name: 'Rules violated', value: new Set(all.map((v) => v.ref.rule)).size },
          { name: 'Evaluations up to the end of the period', value: judgement.evaluations },
        ]
      },
    }
  },
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
