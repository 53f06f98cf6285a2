import { expect, test } from 'vitest'
import crosswalk from '../fixtures/crosswalk.json' with { type: 'json' }
import published from '../fixtures/frameworks.json' with { type: 'json' }
import rules from '../fixtures/rules.json' with { type: 'json' }
import { builtIn } from '../rules/built-in.ts'
import type { Framework } from './framework.ts'
import { classOf, frameworks } from './frameworks.ts'

/** What the crosswalk calls each framework. */
const CROSSWALK_NAME: Readonly<Record<string, string>> = {
  'cis-azure-2.0.0': 'CIS Azure 2.0.0',
  'soc2-2017': 'SOC 2 TSC 2017',
  'iso27001-2022': 'ISO/IEC 27001',
  'nist-800-53-r5': 'NIST SP 800-53r5',
  'hipaa-164.312': 'HIPAA 164.312',
  'pci-dss-4.0': 'PCI DSS',
  'asb-3.0': 'Azure Security Benchmark v3',
}

test('seven frameworks with 46 controls keep the ids, titles, rules and coverage of the product', () => {
  const rows = frameworks.map((f) => ({
    id: f.id,
    title: f.title,
    controls: f.controls.map(({ id, title, rules, coverage }) => ({ id, title, rules, coverage })),
  }))
  expect(rows).toEqual(published)
  expect(frameworks.flatMap((f) => f.controls)).toHaveLength(46)
})

test('every control carries the published numbers, relation and note of the crosswalk', () => {
  for (const framework of frameworks)
    for (const control of framework.controls) {
      const row = crosswalk.rows.find(
        (r) =>
          r.framework === CROSSWALK_NAME[framework.id] &&
          r.seedControl ===
            (framework.id === 'hipaa-164.312' ? control.id.replace('164.312', '') : control.id),
      )
      expect({
        id: control.id,
        published: control.published,
        relation: control.relation,
        note: control.note,
      }).toEqual({
        id: row && control.id,
        published: row?.canonical,
        relation: row?.relation,
        note: row?.note,
      })
    }
})

test('the 46 controls name exactly the 33 rules that are classed framework', () => {
  const named = builtIn.filter((r) => classOf(r.id) === 'framework').map((r) => r.id)
  expect(named).toHaveLength(33)
  expect(new Set(named)).toEqual(new Set(rules.filter((r) => r.class === 'framework').map((r) => r.id)))
})

test('a control that is the customer’s to show names no rule and says what to do', () => {
  const controls = frameworks.flatMap((f) => f.controls)
  const ids = (of: (control: (typeof controls)[number]) => boolean) => controls.filter(of).map((c) => c.id)
  const customers = ids((c) => c.coverage === 'customer')
  expect(customers).toHaveLength(4)
  expect(ids((c) => c.rules.length === 0)).toEqual(customers)
  expect(ids((c) => c.customerAction !== null)).toEqual(customers)
})

test('no framework says that anybody is compliant', () => {
  expect(JSON.stringify(frameworks)).not.toMatch(/\bcompliant\b/i)
  for (const f of frameworks) expect(f.limits).toMatch(/^[A-Z].+\.$/)
})

test('a misspelt rule id does not compile', () => {
  const misspelt = {
    id: 'asb-3.0',
    title: 'x',
    limits: 'x',
    controls: [
      {
        id: 'x',
        title: 'x',
        // @ts-expect-error P011 is a retired number
        rules: ['P011'],
        coverage: 'direct',
        published: [],
        relation: 'ok',
        note: '',
        customerAction: null,
      },
    ],
  } as const satisfies Framework
  expect(misspelt.controls[0].rules).toEqual(['P011'])
})
