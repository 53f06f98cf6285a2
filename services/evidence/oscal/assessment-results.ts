import type { FrameworkPacket, RuleResult } from '@attestry/contracts'
import type { Known } from '../reports/known.ts'
import { danglingReference } from './references.ts'
import { uuidOf } from './uuid.ts'

/** The version of OSCAL that documents are written in. */
export const OSCAL_VERSION = '1.2.1'

/** The namespace of our own properties. */
const NS = 'urn:attestry:oscal'

/** Subjects of one rule that are listed; the rest is counted, and the CSV has them all. */
const MOST_SUBJECTS = 100

/** What a document says beside the results. */
export interface OscalSetting {
  readonly bundle: string
  readonly tenant: string
  readonly product: { readonly name: string; readonly version: string }
  readonly generatedAt: string
  readonly period: { readonly from: string; readonly to: string }
  readonly demonstration: boolean
  /** Files of the bundle that hold the violations, with their digests; none where that report was not asked for. */
  readonly evidence: readonly { readonly path: string; readonly sha256: string }[]
  readonly limits: readonly string[]
}

type Props = { name: string; value: string; ns: string }[]

/** A property, without the values that OSCAL would not take: empty, or with white space at an end. */
const props = (values: Readonly<Record<string, string | number | null>>): Props =>
  Object.entries(values).flatMap(([name, value]) => {
    const text = line(String(value ?? ''))
    return text === '' ? [] : [{ name, value: text, ns: NS }]
  })

/** Text as one line without white space at its ends. */
const line = (text: string): string => text.toWellFormed().replaceAll(/\s+/g, ' ').trim()

/** An id as OSCAL takes it: a letter first, then letters, digits, dots, dashes and underscores. */
export const tokenOf = (framework: string, control: string): string =>
  `${framework}_${control}`.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').replaceAll(/-+$/g, '')

/** How the evidence of a control is called, and never "compliant". */
const COVERAGE = {
  direct: 'direct technical evidence',
  supporting: 'supporting technical evidence: further evidence is needed beside it',
  customer: 'customer responsibility: nothing of it is evidenced here',
} as const

/**
 * What the rules say of a framework’s controls, as OSCAL assessment results: one observation a rule, one finding a
 * control. The objective of each finding is ours and stands in the document: that the rules named for the control hold.
 * The same input gives the same document, ids included.
 * @throws when the document refers to something that is not in it: a bug
 */
export function assessmentResults(packet: FrameworkPacket, known: Known, setting: OscalSetting): object {
  const { framework, evaluatedAt } = packet
  const { bundle, product, generatedAt, period } = setting
  const id = (...name: string[]) => uuidOf(bundle, framework, ...name)
  const rules = new Map(packet.controls.flatMap((c) => c.results).map((r) => [r.rule, r]))
  const subjects = new Map(
    [...rules.keys()].map((rule) => [rule, [...(known.judgement.open.get(rule) ?? [])].sort()]),
  )
  const listed = [...new Set([...subjects.values()].flatMap((s) => s.slice(0, MOST_SUBJECTS)))].sort()
  const tool = id('tool')
  const origins = [{ actors: [{ type: 'tool', 'actor-uuid': tool }] }]
  const plan = id('no-plan')
  const evidence = id('violations')
  const tokens = packet.controls.map(({ control }) => tokenOf(framework, control))

  const observationOf = (result: RuleResult) => {
    const statement = known.judgement.rules.get(result.rule)
    const failing = subjects.get(result.rule) ?? []
    return {
      uuid: id('observation', result.rule),
      title: line(`${result.rule} ${statement?.name ?? ''}`),
      description: line(
        `${statement?.says ?? 'A rule of the product.'} Of ${result.population} it is asked of, ${result.passed} pass, ${result.failed} fail, ${result.unknown} could not be read and ${result.waived} are waived.`,
      ),
      props: props({
        rule: result.rule,
        verdict: result.verdict,
        severity: statement?.severity ?? null,
        weight: result.weight,
        'share-percent': statement?.sharePercent ?? null,
        population: result.population,
        passed: result.passed,
        failed: result.failed,
        unknown: result.unknown,
        waived: result.waived,
        'subjects-not-listed': Math.max(0, failing.length - MOST_SUBJECTS),
      }),
      methods: ['EXAMINE'],
      types: ['control-objective'],
      origins,
      ...(failing.length === 0
        ? {}
        : {
            subjects: failing.slice(0, MOST_SUBJECTS).map((subject) => ({
              'subject-uuid': id('subject', subject),
              type: 'inventory-item',
              title: line(known.estate.nameOf(subject).name) || subject,
            })),
          }),
      ...(setting.evidence.length === 0
        ? {}
        : {
            'relevant-evidence': [
              { href: `#${evidence}`, description: 'Every finding of the period, row by row.' },
            ],
          }),
      collected: evaluatedAt ?? generatedAt,
    }
  }

  const findingOf = (control: FrameworkPacket['controls'][number], index: number) => {
    const status = statusOf(control.results)
    return {
      uuid: id('finding', control.control),
      title: line(`${control.control} ${control.title}`),
      description: line(
        `${sentence(COVERAGE[control.coverage])} ${status.says} ${control.customerAction ?? ''} Whether the control is met is for the auditor to decide.`,
      ),
      props: props({
        'product-control': control.control,
        'published-controls': control.published.join('; '),
        relation: control.relation,
        'relation-note': control.note,
        coverage: control.coverage,
      }),
      origins,
      target: {
        type: 'objective-id',
        'target-id': `${tokens[index]}_obj`,
        title: line(`The rules named for ${control.control} hold`),
        status: { state: status.state, reason: status.reason, remarks: status.says },
      },
      ...(control.results.length === 0
        ? {}
        : {
            'related-observations': control.results.map(({ rule }) => ({
              'observation-uuid': id('observation', rule),
            })),
          }),
    }
  }

  const document = {
    'assessment-results': {
      uuid: id('assessment-results'),
      metadata: {
        title: line(
          `${setting.demonstration ? 'DEMONSTRATION: ' : ''}What the rules of ${product.name} say of ${packet.title}`,
        ),
        'last-modified': generatedAt,
        version: bundle,
        'oscal-version': OSCAL_VERSION,
        props: props({
          tenant: setting.tenant,
          framework,
          'product-version': product.version,
          'ruleset-digest': known.judgement.last?.data.rulesetDigest ?? null,
        }),
        remarks: [...setting.limits, packet.limits].join('\n\n'),
      },
      'import-ap': {
        href: `#${plan}`,
        remarks: 'There is no assessment plan; the resource says so.',
      },
      'local-definitions': {
        'objectives-and-methods': packet.controls.map((control, index) => ({
          'control-id': tokens[index],
          parts: [
            {
              id: `${tokens[index]}_obj`,
              name: 'assessment-objective',
              title: line(control.title),
              prose:
                control.rules.length === 0
                  ? 'No rule of the product speaks to this control: it is for the customer to evidence.'
                  : `These rules hold: ${control.rules.join(', ')}.`,
            },
          ],
        })),
      },
      results: [
        {
          uuid: id('result'),
          title: line(`Evaluation of ${evaluatedAt ?? 'nothing yet'}`),
          description: line(
            `The last evaluation of the rules before the period’s end, by the state that scans had recorded until then. ${evaluatedAt === null ? 'There was none.' : ''}`,
          ),
          start: period.from,
          end: period.to,
          'local-definitions': {
            components: [
              {
                uuid: tool,
                type: 'software',
                title: line(`${product.name} ${product.version}`),
                description:
                  'Reads metadata of the estate and judges it by rules. It reads no value of a credential.',
                status: { state: 'operational' },
              },
            ],
            ...(listed.length === 0
              ? {}
              : {
                  'inventory-items': listed.map((subject) => {
                    const { kind, name, holder } = known.estate.nameOf(subject)
                    return {
                      uuid: id('subject', subject),
                      description: line(`${kind} ${name}${holder ? ` in ${holder}` : ''}`) || subject,
                      props: props({ 'asset-id': subject, kind, name, holder }),
                    }
                  }),
                }),
          },
          'reviewed-controls': {
            description: line(
              `Rows of the product for ${packet.title}. Each has the numbers of the published standard beside it.`,
            ),
            'control-selections': [{ 'include-controls': tokens.map((token) => ({ 'control-id': token })) }],
          },
          ...(rules.size === 0 ? {} : { observations: [...rules.values()].map(observationOf) }),
          findings: packet.controls.map(findingOf),
        },
      ],
      'back-matter': {
        resources: [
          {
            uuid: plan,
            title: 'No assessment plan',
            description:
              'Nobody drew up an assessment plan for these results. They are what fixed rules say of the recorded state; the rules and their digest stand in the ledger that comes with the bundle.',
          },
          ...(setting.evidence.length === 0
            ? []
            : [
                {
                  uuid: evidence,
                  title: 'Rule violations',
                  description: 'Every finding that was open at any time in the period.',
                  rlinks: setting.evidence.map(({ path, sha256 }) => ({
                    href: path.slice(path.lastIndexOf('/') + 1),
                    'media-type': 'text/csv',
                    hashes: [{ algorithm: 'SHA-256', value: sha256 }],
                  })),
                },
              ]),
        ],
      },
    },
  }
  const dangling = danglingReference(document)
  if (dangling !== null)
    throw new Error(`the OSCAL document for ${framework} refers to ${dangling}, which is not in it`)
  return document
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** Whether the rules of a control hold. What could not be read, or is asked of nothing, is never satisfied. */
export function statusOf(results: readonly RuleResult[]): {
  state: 'satisfied' | 'not-satisfied'
  reason: 'pass' | 'fail' | 'other'
  says: string
} {
  const of = (verdict: RuleResult['verdict']) =>
    results.filter((r) => r.verdict === verdict).map((r) => r.rule)
  const [failed, unknown, passed] = [of('fail'), of('unknown'), of('pass')]
  if (failed.length > 0)
    return { state: 'not-satisfied', reason: 'fail', says: `These rules fail: ${failed.join(', ')}.` }
  if (unknown.length > 0)
    return {
      state: 'not-satisfied',
      reason: 'other',
      says: `These rules could not be judged: ${unknown.join(', ')}.`,
    }
  if (passed.length === 0)
    return { state: 'not-satisfied', reason: 'other', says: 'No rule that speaks to it was judged.' }
  return { state: 'satisfied', reason: 'pass', says: 'Every rule named for it that applies holds.' }
}
