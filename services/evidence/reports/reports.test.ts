import type { DataOf } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { strengthOf } from './algorithm-strength.ts'
import { reports } from './catalog.ts'
import { application, Chain, item, LEGACY, PAYMENTS, scanned, vault } from './chain.fixture.ts'
import { conformance } from './cryptoperiod.ts'
import { recoverabilityOf } from './recoverability.ts'
import { networkOf } from './vault-posture.ts'

describe('every report', () => {
  test.each(Object.entries(reports))(
    '%s says what each column holds and where it comes from',
    (type, report) => {
      expect(report.type).toBe(type)
      const names = report.columns.map((c) => c.name)
      expect(new Set(names).size).toBe(names.length)
      for (const c of report.columns) {
        expect(c.name).toMatch(/^[a-z][a-z0-9_]*$/)
        expect(c.says).not.toBe('')
        expect(c.source).not.toBe('')
        // A whole number counts something.
        expect(c.unit === null).toBe(c.type !== 'integer')
      }
      expect(report.printed.filter((name) => !names.includes(name))).toEqual([])
      expect(report.limits.length).toBeGreaterThan(0)
      expect(JSON.stringify(report)).not.toMatch(/\bcompliant\b/i)
    },
  )

  test.each(Object.keys(reports))('%s of an empty chain has no rows and zero everywhere', (type) => {
    const { raw, totals } = new Chain().report(type as keyof typeof reports)
    expect(raw).toEqual([])
    expect(totals.filter((t) => t.value !== 0)).toEqual([])
  })

  test('of a period is not touched by what came after it', () => {
    const before = new Chain().told(
      '02-01',
      scanned(PAYMENTS, { facts: vault('kv-pay'), found: [item('secret-0001', 'a')] }),
    )
    const rows = Object.keys(reports).map((type) => before.report(type as keyof typeof reports).raw)
    before.told(
      '04-02',
      scanned(PAYMENTS, { facts: vault('kv-pay', { rbac: false }), lost: ['secret-0001'] }),
    )
    expect(Object.keys(reports).map((type) => before.report(type as keyof typeof reports).raw)).toEqual(rows)
  })
})

describe('posture over a period', () => {
  const chain = new Chain()
    .told('02-01', scanned(PAYMENTS, { facts: vault('kv-pay') }))
    .told('02-01', scanned(LEGACY, { facts: vault('kv-old', { rbac: null, purgeProtection: null }) }))
    .told('03-10', scanned(PAYMENTS, { facts: vault('kv-pay', { publicNetworkAccess: 'enabled' }) }))
    .told('03-12', scanned(PAYMENTS, { facts: vault('kv-pay') }))
    .add('03-20', 'discovery.vault-unreachable', { vault: LEGACY, facts: null, why: 'gone' })

  test('gives the state at both ends and every stretch between, with what ended each', () => {
    const { rows, total } = chain.report('vault-posture')
    expect(
      rows.map((r) => [
        r['name'],
        r['network'],
        r['state_from'],
        r['state_until'],
        r['ended_because'],
        r['at_start'],
        r['at_end'],
      ]),
    ).toEqual([
      ['kv-old', 'closed', '2026-02-01T00:00:00.000Z', '2026-03-20T00:00:00.000Z', 'gone', 'true', 'false'],
      [
        'kv-pay',
        'closed',
        '2026-02-01T00:00:00.000Z',
        '2026-03-10T00:00:00.000Z',
        'changed',
        'true',
        'false',
      ],
      ['kv-pay', 'open', '2026-03-10T00:00:00.000Z', '2026-03-12T00:00:00.000Z', 'changed', 'false', 'false'],
      ['kv-pay', 'closed', '2026-03-12T00:00:00.000Z', '', '', 'false', 'true'],
    ])
    expect(total('Vaults at the period’s beginning')).toBe(2)
    expect(total('Vaults at the period’s end')).toBe(1)
    expect(total('Vaults whose state changed in the period')).toBe(1)
    expect(total('Vaults gone in the period')).toBe(1)
  })

  test('leaves out a stretch that ended before the period, and a thing that came after it', () => {
    const later = { from: '2026-03-15T00:00:00.000Z', to: '2026-03-16T00:00:00.000Z' }
    expect(
      chain
        .report('vault-posture', { period: later })
        .rows.map((r) => [r['name'], r['at_start'], r['at_end']]),
    ).toEqual([
      ['kv-old', 'true', 'true'],
      ['kv-pay', 'true', 'true'],
    ])
  })

  test('a vault without a word on its access model is told as one with access policies', () => {
    const old = chain.report('vault-posture').rows.find((r) => r['name'] === 'kv-old')
    expect(old?.['access_model']).toBe('access-policies')
    expect(chain.report('recoverability').rows.find((r) => r['name'] === 'kv-old')).toMatchObject({
      posture: 'purgeable',
      purge_protection: 'not-set',
    })
  })
})

test.each([
  ['disabled', 'allow', true, 'closed'],
  ['enabled', 'deny', false, 'restricted'],
  ['enabled', 'deny', true, 'open'],
  ['enabled', 'allow', false, 'open'],
  [null, null, false, 'open'],
] as const)(
  'public access %s with default %s, open to all %s, is %s',
  (publicNetworkAccess, defaultAction, openToAll, says) => {
    expect(networkOf({ publicNetworkAccess, defaultAction, openToAll })).toBe(says)
  },
)

test.each([
  [true, true, 'protected'],
  [null, true, 'protected'],
  [true, false, 'purgeable'],
  [true, null, 'purgeable'],
  [false, true, 'unprotected'],
] as const)('soft delete %s with purge protection %s is %s', (softDelete, purgeProtection, says) => {
  expect(recoverabilityOf({ softDelete, purgeProtection })).toBe(says)
})

test.each([
  ['RSA', 1024, null, 80],
  ['RSA', 512, null, 0],
  ['RSA', 2048, null, 112],
  ['RSA-HSM', 3072, null, 128],
  ['RSA', 4096, null, 128],
  ['EC', null, 'P-256', 128],
  ['EC-HSM', null, 'P-384', 192],
  ['EC', null, 'P-521', 256],
  ['EC', null, 'P-192', null],
  ['oct-HSM', 256, null, 256],
  ['RSA', null, null, null],
  [null, null, null, null],
] as const)('the strength of %s %s %s is %s', (algorithm, bits, curve, strength) => {
  expect(strengthOf(algorithm, bits, curve)).toBe(strength)
})

test.each([
  ['2026-01-01T00:00:00.000Z', '90', '2026-04-01T00:00:00.000Z', 'within', null],
  ['2026-01-01T00:00:00.000Z', '90', '2026-04-01T00:00:00.001Z', 'exceeded', '2026-04-01T00:00:00.000Z'],
  ['2026-01-01T00:00:00.000Z', '', '2026-04-01T00:00:00.000Z', 'undeclared', null],
  ['', '90', '2026-04-01T00:00:00.000Z', 'unknown', null],
])(
  'a version of %s with %s days declared is at %s %s, exact to the millisecond',
  (since, days, end, conforms, exceededAt) => {
    expect(conformance(since, days, Date.parse(end))).toMatchObject({ conforms, exceededAt })
  },
)

describe('cryptoperiod', () => {
  test('takes the policy before the tag, the tag before the validity, and starts a row with every version', () => {
    const chain = new Chain()
      .told(
        '02-01',
        scanned(PAYMENTS, {
          facts: vault('kv-pay'),
          found: [
            item('secret-0001', 'by-validity'),
            item('secret-0002', 'by-tag', { tags: [['Rotation-Days', '30']] }),
            item('secret-0003', 'undeclared', { expires: null }),
          ],
        }),
      )
      .add('02-01', 'discovery.apps-scanned', {
        directory: 'directory-0001',
        found: [application('shop')],
        changed: [],
        lost: [],
      })
      .add('02-02', 'rotation.policy-enabled', {
        policy: 'policy-0001',
        credential: 'app-secret-shop',
        cadenceDays: 60,
        targetVault: null,
      })
      .told(
        '03-15',
        scanned(PAYMENTS, {
          changed: [
            item('secret-0002', 'by-tag', {
              tags: [['rotation-days', '30']],
              created: '2026-03-14T00:00:00.000Z',
            }),
          ],
        }),
      )
    const { rows, total } = chain.report('cryptoperiod')
    expect(
      rows.map((r) => [
        r['name'],
        r['declared_days'],
        r['declared_by'],
        r['age_days'],
        r['conforms'],
        r['exceeded_at'],
      ]),
    ).toEqual([
      ['shop secret', '60', 'policy', '90', 'exceeded', '2026-03-02T00:00:00.000Z'],
      ['by-validity', '150', 'validity', '81', 'within', ''],
      ['by-tag', '30', 'tag', '64', 'exceeded', '2026-02-09T00:00:00.000Z'],
      ['by-tag', '30', 'tag', '18', 'within', ''],
      ['undeclared', '', '', '81', 'undeclared', ''],
    ])
    expect(total('Assets that exceeded their declaration')).toBe(2)
  })
})

describe('dependencies', () => {
  const edge = (id: string, target: string | null, confidence = 100) => ({
    edge: id,
    via: 'key-vault-reference' as const,
    setting: 'DB',
    target,
    targetName: 'db-password',
    confidence,
    status: null,
  })
  const resource = (
    id: string,
    name: string,
    found: ReturnType<typeof edge>[],
  ): readonly ['discovery.resource-scanned', DataOf<'discovery.resource-scanned'>] => [
    'discovery.resource-scanned',
    {
      resource: id,
      facts: { name, resourceId: `/r/${name}`, type: 'app-service', subscription: 's-1' },
      gone: false,
      found,
      lost: [],
      settingsRead: true,
      hardCodedFound: [],
      hardCodedCleared: [],
    },
  ]

  test('counts the resources that use a credential, without those that a person rejected', () => {
    const chain = new Chain()
      .told(
        '02-01',
        scanned(PAYMENTS, { facts: vault('kv-pay'), found: [item('secret-0001', 'db-password')] }),
      )
      .told('02-01', resource('resource-0001', 'shop', [edge('edge-0001', 'secret-0001')]))
      .told('02-01', resource('resource-0002', 'admin', [edge('edge-0002', 'secret-0001', 40)]))
      .told('02-01', resource('resource-0003', 'batch', [edge('edge-0003', 'secret-0001', 40)]))
      .add('03-05', 'discovery.edge-rejected', { resource: 'resource-0003', edge: 'edge-0003' })
    const { rows, total } = chain.report('dependencies')
    expect(
      rows.map((r) => [r['resource_name'], r['holder'], r['blast_radius'], r['reviewed'], r['at_end']]),
    ).toEqual([
      ['shop', 'kv-pay', '2', '', 'true'],
      ['admin', 'kv-pay', '2', '', 'true'],
      ['batch', 'kv-pay', '', '', 'false'],
      ['batch', 'kv-pay', '2', 'rejected', 'true'],
    ])
    expect(total('Uses below 70 percent that nobody reviewed at the end')).toBe(1)
    expect(total('Largest blast radius at the end')).toBe(2)
  })
})

describe('rule violations', () => {
  const ref = (finding: string, rule: string, subject: string) => ({
    finding,
    rule,
    subject,
    severity: 'high' as const,
  })
  const chain = new Chain()
    .told('02-01', scanned(PAYMENTS, { facts: vault('kv-pay'), found: [item('secret-0001', 'a')] }))
    .add('02-01', 'compliance.frameworks-adopted', {
      mappingDigest: 'a'.repeat(64),
      frameworks: [
        {
          framework: 'soc2-2017',
          title: 'SOC 2',
          limits: 'Parts only.',
          controls: [
            {
              control: 'CC6.2',
              title: 'Credentials',
              published: ['CC6.1'],
              relation: 'retitled',
              note: '',
              coverage: 'direct',
              customerAction: null,
              rules: ['P001'],
            },
          ],
        },
      ],
    })
    .add('02-02', 'compliance.findings-changed', {
      evaluation: 'evaluation-0001',
      opened: [ref('finding-0001', 'P001', 'secret-0001'), ref('finding-0002', 'P004', 'secret-0001')],
      reopened: [],
      resolved: [],
    })
    .add('03-02', 'compliance.findings-changed', {
      evaluation: 'evaluation-0002',
      opened: [],
      reopened: [],
      resolved: [{ ...ref('finding-0001', 'P001', 'secret-0001'), because: 'passed' }],
    })

  test('name the controls with both numbers', () => {
    expect(
      chain.report('rule-violations').rows.map((r) => [r['rule'], r['controls'], r['at_start'], r['at_end']]),
    ).toEqual([
      ['P001', 'soc2-2017 CC6.2 [CC6.1]', 'true', 'false'],
      ['P004', '', 'true', 'true'],
    ])
  })

  test('of a framework are those of the rules that its controls name', () => {
    expect(chain.report('rule-violations', { framework: 'soc2-2017' }).rows.map((r) => r['rule'])).toEqual([
      'P001',
    ])
  })
})

test('rotation events tell the credential that a step does not name itself', () => {
  const chain = new Chain()
    .add('02-01', 'discovery.apps-scanned', {
      directory: 'directory-0001',
      found: [application('shop')],
      changed: [],
      lost: [],
    })
    .add('02-02', 'rotation.policy-enabled', {
      policy: 'policy-0001',
      credential: 'app-secret-shop',
      cadenceDays: 90,
      targetVault: null,
    })
    .add('03-03', 'rotation.failed', {
      rotation: 'rotation-0001',
      policy: 'policy-0001',
      credential: 'app-secret-shop',
      step: 'storing',
      reason: 'denied',
    })
    .add('03-04', 'rotation.policy-disabled', { policy: 'policy-0001' }, 'operator-0001')
  const { rows, total } = chain.report('rotation-events')
  expect(
    rows.map((r) => [r['event'], r['credential_name'], r['holder'], r['step'], r['reason'], r['actor_kind']]),
  ).toEqual([
    ['rotation.failed', 'shop secret', 'shop', 'storing', 'denied', 'service'],
    ['rotation.policy-disabled', '', '', '', '', 'operator'],
  ])
  expect(total('Rotations failed')).toBe(1)
})

test('sync provenance holds both codes against each other', () => {
  const copied = (copy: string, targetMac: string) => ({
    route: 'route-0001',
    copy,
    secret: 'secret-0001',
    sourceVersion: 'v1',
    targetVersion: 'w1',
    sourceMac: 'aa',
    targetMac,
  })
  const chain = new Chain()
    .told('02-01', scanned(PAYMENTS, { facts: vault('kv-pay'), found: [item('secret-0001', 'a')] }))
    .add('02-02', 'sync.route-opened', { route: 'route-0001', source: PAYMENTS, target: 'connector-0001' })
    .add('03-02', 'sync.copied', copied('copy-0001', 'aa'))
    .add('03-03', 'sync.copied', copied('copy-0002', 'bb'))
    .add('03-04', 'sync.copy-failed', {
      route: 'route-0001',
      copy: 'copy-0003',
      secret: 'secret-0001',
      attempt: 2,
      reason: 'throttled',
      retryAt: null,
    })
  const { rows, total } = chain.report('sync-provenance')
  expect(
    rows.map((r) => [r['outcome'], r['source_vault'], r['name_at_source'], r['agree'], r['reason']]),
  ).toEqual([
    ['copied', 'kv-pay', 'a', 'yes', ''],
    ['copied', 'kv-pay', 'a', 'no', ''],
    ['failed', 'kv-pay', 'a', '', 'throttled'],
  ])
  expect(total('Copies whose two ends disagreed')).toBe(1)
})
