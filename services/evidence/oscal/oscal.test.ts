import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { packetOf } from '../gather.ts'
import { Chain, item, PAYMENTS, result, scanned, vault } from '../reports/chain.fixture.ts'
import { assessmentResults, type OscalSetting, statusOf, tokenOf } from './assessment-results.ts'
import { danglingReference } from './references.ts'
import { uuid5 } from './uuid.ts'

const schema: object = JSON.parse(
  readFileSync(new URL('../fixtures/oscal-assessment-results-1.2.1.schema.json', import.meta.url), 'utf8'),
)
// The schema names its parts in a way of its own, which strict mode would complain of.
const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: true })
addFormats.default(ajv)
const validate = ajv.compile(schema)
const valid = (document: unknown) => {
  validate(document)
  return validate.errors ?? []
}

const setting: OscalSetting = {
  bundle: 'bundle-0001',
  tenant: 'acme',
  product: { name: 'Attestry', version: '0.1.0' },
  generatedAt: '2026-04-02T00:00:00.000Z',
  period: { from: '2026-03-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z' },
  demonstration: false,
  evidence: [{ path: 'report/rule-violations.csv', sha256: 'b'.repeat(64) }],
  limits: ['It proves little.'],
}

const control = (id: string, rules: string[], more: object = {}) => ({
  control: id,
  title: `Control ${id}`,
  published: [id],
  relation: 'ok',
  note: '',
  coverage: 'direct' as const,
  customerAction: null,
  rules,
  ...more,
})

function world(name = 'smtp-password') {
  const known = new Chain()
    .told('02-01', scanned(PAYMENTS, { facts: vault('kv-pay'), found: [item('secret-0001', name)] }))
    .add('02-01', 'compliance.frameworks-adopted', {
      mappingDigest: 'a'.repeat(64),
      frameworks: [
        {
          framework: 'hipaa-164.312',
          title: 'HIPAA',
          limits: 'Not a certification.',
          controls: [
            control('164.312(a)(1)', ['P001', 'P002']),
            control('164.312(b)', [], { coverage: 'customer', customerAction: 'Keep logs.' }),
          ],
        },
      ],
    })
    .add('02-02', 'compliance.evaluation-completed', {
      evaluation: 'evaluation-0001',
      scan: null,
      asOf: [],
      now: '2026-02-02T00:00:00.000Z',
      rulesetDigest: 'c'.repeat(64),
      score: { weightPassed: 0, weightEvaluated: 0, weightEnabled: 0, assetsPassed: 0, assetsEvaluated: 0 },
      rating: null,
      results: [result('P001', { verdict: 'fail', passed: 0, failed: 1 }), result('P002')],
    })
    .add('02-02', 'compliance.findings-changed', {
      evaluation: 'evaluation-0001',
      opened: [{ finding: 'finding-0001', rule: 'P001', subject: 'secret-0001', severity: 'high' }],
      reopened: [],
      resolved: [],
    })
    .known()
  const packet = packetOf(known.judgement, 'hipaa-164.312')
  if (!packet) throw new Error('the framework was adopted')
  return { known, packet }
}

describe('assessment results', () => {
  test('are valid by the schema of OSCAL 1.2.1, which can tell when they are not', () => {
    const { known, packet } = world()
    const document = assessmentResults(packet, known, setting)
    expect(valid(document)).toEqual([])
    expect(valid({ 'assessment-results': { uuid: 'no' } })).not.toEqual([])
  })

  test.each([
    ['names that begin and end with white space', '  a\n name '],
    ['names in other scripts', '\u043a\u043b\u044e\u0447 \u4e2d'],
    ['an empty name', ''],
  ])('stay valid with %s', (_, name) => {
    const { known, packet } = world(name)
    expect(valid(assessmentResults(packet, known, setting))).toEqual([])
  })

  test('are valid where nothing was ever evaluated and no report is there to point at', () => {
    const { known, packet } = world()
    known.judgement.last = null
    known.judgement.open.clear()
    const bare = {
      ...packet,
      evaluatedAt: null,
      controls: packet.controls.map((c) => ({ ...c, results: [] })),
    }
    expect(valid(assessmentResults(bare, known, { ...setting, evidence: [] }))).toEqual([])
  })

  test('are the same for the same input, with ids that are UUIDs of version 5', () => {
    const { known, packet } = world()
    const text = JSON.stringify(assessmentResults(packet, known, setting))
    expect(JSON.stringify(assessmentResults(packet, known, setting))).toBe(text)
    const ids = [...text.matchAll(/"uuid":"([^"]+)"/g)].map((m) => m[1])
    expect(ids.length).toBeGreaterThan(5)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('say where there is no plan, both numbers of a control, and never that anybody is compliant', () => {
    const { known, packet } = world()
    const text = JSON.stringify(assessmentResults(packet, known, setting))
    expect(text).toContain('No assessment plan')
    expect(text).toContain('"published-controls","value":"164.312(a)(1)"')
    expect(text).toContain('Customer responsibility: nothing of it is evidenced here.')
    expect(text).not.toMatch(/\bcompliant\b/i)
  })
})

describe('danglingReference()', () => {
  test('finds an id, a resource and a control that are not there', () => {
    expect(danglingReference({ findings: [{ 'observation-uuid': 'x' }] })).toBe('x')
    expect(danglingReference({ 'import-ap': { href: '#y' } })).toBe('y')
    expect(danglingReference({ 'control-id': 'z' })).toBe('z')
    expect(
      danglingReference({ a: { uuid: 'x' }, b: { 'actor-uuid': 'x', href: 'elsewhere.csv' } }),
    ).toBeNull()
  })
})

test.each([
  [['pass', 'pass'], 'satisfied', 'pass'],
  [['pass', 'not-applicable', 'waived'], 'satisfied', 'pass'],
  [['pass', 'fail'], 'not-satisfied', 'fail'],
  [['pass', 'unknown'], 'not-satisfied', 'other'],
  [['not-applicable'], 'not-satisfied', 'other'],
  [[], 'not-satisfied', 'other'],
] as const)('rules that %j make an objective %s', (verdicts, state, reason) => {
  expect(statusOf(verdicts.map((verdict, i) => result(`P00${i}`, { verdict })))).toMatchObject({
    state,
    reason,
  })
})

test('an id of a control is a token, whatever the framework calls it', () => {
  expect(tokenOf('hipaa-164.312', '164.312(a)(2)(iv)')).toBe('hipaa-164.312_164.312-a-2-iv')
})

test('uuid5() is that of RFC 9562', () => {
  expect(uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  )
})
