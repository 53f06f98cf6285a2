import type { EventOf, Vault, VaultItem } from '@attestry/contracts'
import { RuleId } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { evaluate } from '../evaluate.ts'
import published from '../fixtures/rules.json' with { type: 'json' }
import {
  application,
  apps,
  certificate,
  copied,
  copyFailed,
  credential,
  edge,
  ENVIRONMENT,
  estateAfter,
  excluded,
  happened,
  id,
  inDays,
  key,
  NOW,
  policy,
  POLICY,
  proposed,
  RESOURCE,
  route,
  scanEnded,
  scanned,
  secret,
  unreachable,
  uses,
  VAULT,
  verified,
  worker,
} from '../for-tests.ts'
import { rulesetOf } from '../ruleset.ts'
import { builtIn } from './built-in.ts'
import { isGeneric, isOwnTag } from './naming.ts'

const ruleset = rulesetOf()

/** The verdict of a rule after these events. */
const verdict = (rule: string, ...events: readonly EventOf[]) =>
  evaluate(estateAfter(...events), ruleset, NOW).results.find((r) => r.rule === rule)?.verdict

const withSecret = (more: Partial<VaultItem>) => scanned([secret('billing-db-password', more)])
const withKey = (more: Partial<VaultItem>) => scanned([key('ledger-signing', more)])
const withCertificate = (more: Partial<VaultItem>) => scanned([certificate('shop-tls', more)])
const withVault = (more: Partial<Vault>) => scanned([], more)

const SECRET = id('secret', 'billing-db-password')
const APP_SECRET = id('app-secret', 'shop')
/** Five application secrets with rotation enabled for some. */
const rotatedOf = (enabled: number, all: number): EventOf[] => {
  const names = Array.from({ length: all }, (_, i) => `app${i}`)
  return [
    apps(...names.map((name) => application(name, [credential(name)]))),
    ...names.slice(0, enabled).map((name) => policy(id('app-secret', name), { policy: id('policy', name) })),
  ]
}
/** Policies of which some have a verified match. */
const matchedOf = (ready: number, all: number): EventOf[] =>
  Array.from({ length: all }, (_, i) => `p${i}`).flatMap((name, i) => [
    policy(id('app-secret', name), { policy: id('policy', name) }),
    proposed(name, id('policy', name)),
    ...(i < ready ? [verified(name, id('policy', name))] : []),
  ])
const routesOf = (active: number, all: number): EventOf[] =>
  Array.from({ length: all }, (_, i) => [
    route(`r${i}`),
    ...(i < active ? [] : [happened('sync.route-paused', { route: id('route', `r${i}`) })]),
  ]).flat()
const WORKER = id('worker', 'one')
const startedUntil = (until: string) => happened('sync.worker-started', { worker: WORKER, until })
const seenUntil = (until: string) => happened('sync.worker-seen', { worker: WORKER, until })
const copiesOf = (good: number, all: number): EventOf[] =>
  Array.from({ length: all }, (_, i) => (i < good ? copied(`c${i}`) : copyFailed(`c${i}`)))

const rotated = (dependentsConfirmed: number, dependents: number) =>
  happened('rotation.completed', {
    rotation: id('rotation', 'a'),
    policy: POLICY,
    credential: APP_SECRET,
    dependents,
    dependentsConfirmed,
  })
const rotationFailed = () =>
  happened('rotation.failed', {
    rotation: id('rotation', 'b'),
    policy: POLICY,
    credential: APP_SECRET,
    step: 'verifying',
    reason: 'AADSTS7000215',
  })

/** Each rule in a pass and a fail from given facts. */
const BOTH_WAYS: readonly [rule: string, passes: EventOf[], fails: EventOf[]][] = [
  ['P001', [withSecret({})], [withSecret({ expires: null })]],
  ['P002', [withSecret({})], [withSecret({ expires: inDays(3) })]],
  ['P003', [withSecret({})], [withSecret({ expires: inDays(20) })]],
  ['P004', [withSecret({})], [withSecret({ enabled: false })]],
  ['P005', [withVault({})], [unreachable('firewall')]],
  ['P006', [withSecret({})], [withSecret({ tags: [] })]],
  ['P007', [withSecret({})], [withSecret({ expires: inDays(-1) })]],
  ['P008', [withSecret({})], [withSecret({ created: inDays(-91) })]],
  ['P015', [withSecret({})], [scanned([secret('password')])]],
  ['C001', [withCertificate({})], [withCertificate({ expires: null })]],
  ['C002', [withCertificate({})], [withCertificate({ expires: inDays(3) })]],
  ['C003', [withCertificate({})], [withCertificate({ expires: inDays(20) })]],
  ['C004', [withCertificate({})], [withCertificate({ enabled: false })]],
  ['C005', [withCertificate({})], [withCertificate({ expires: inDays(-1) })]],
  ['C006', [withCertificate({})], [withCertificate({ bits: 1024 })]],
  ['K001', [withKey({})], [withKey({ expires: null })]],
  ['K002', [withKey({})], [withKey({ expires: inDays(3) })]],
  ['K003', [withKey({})], [withKey({ expires: inDays(20) })]],
  ['K004', [withKey({})], [withKey({ enabled: false })]],
  ['K005', [withKey({})], [withKey({ expires: inDays(-1) })]],
  ['K006', [withKey({})], [withKey({ bits: 1024 })]],
  ['P009', rotatedOf(4, 5), rotatedOf(3, 5)],
  ['P010', matchedOf(3, 5), matchedOf(2, 5)],
  ['P012', [policy(APP_SECRET), proposed('a'), excluded('a')], [policy(APP_SECRET), proposed('a')]],
  ['P013', [policy(APP_SECRET)], [policy(APP_SECRET, { targetVault: null })]],
  ['P014', matchedOf(5, 5), matchedOf(4, 5)],
  ['CIS-8.5', [withVault({})], [withVault({ softDelete: false })]],
  ['CIS-8.6', [withVault({})], [withVault({ purgeProtection: false })]],
  ['CIS-8.7', [withVault({})], [withVault({ publicNetworkAccess: 'enabled', defaultAction: 'allow' })]],
  ['CIS-RBAC', [withVault({})], [withVault({ rbac: false })]],
  ['KMS-HSM', [withVault({})], [withVault({ sku: 'standard' })]],
  ['VM001', [uses({ found: [edge(SECRET)] })], [uses({ found: [edge(null)] })]],
  [
    'VM002',
    [uses()],
    [uses({ hardCodedFound: [{ setting: id('setting', 's'), name: 'DB', looksLike: 'connection-string' }] })],
  ],
  ['VM003', [withSecret({}), uses({ found: [edge(SECRET)] })], [withSecret({}), uses()]],
  ['VM004', [policy(APP_SECRET), rotated(2, 2)], [policy(APP_SECRET), rotationFailed()]],
  [
    'VM005',
    [
      uses({ found: [edge(SECRET, { confidence: 60 })] }),
      happened('discovery.edge-confirmed', { resource: RESOURCE, edge: edge(SECRET).edge }),
    ],
    [uses({ found: [edge(SECRET, { confidence: 60 })] })],
  ],
  ['SYN001', routesOf(4, 5), routesOf(3, 5)],
  ['SYN002', copiesOf(9, 10), copiesOf(8, 10)],
  ['SYN003', [route(), worker(true)], [route(), worker(true), worker(false)]],
  ['SYN004', [copied('a')], [copyFailed('a')]],
]

describe('the 40 rules', () => {
  test('are the published ones, with their names, severities and families', () => {
    const mine = builtIn.map(({ id, family, name, severity }) => ({ id, family, name, severity }))
    const byId = (a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id)
    expect(mine.toSorted(byId)).toEqual(
      published.map(({ id, family, name, severity }) => ({ id, family, name, severity })).toSorted(byId),
    )
    expect(builtIn.map((r) => r.id).filter((rule) => !RuleId.safeParse(rule).success)).toEqual([])
  })

  test('weigh 30, 15, 8 or 2 by severity', () => {
    expect(new Set(builtIn.map((r) => `${r.severity} ${r.weight}`))).toEqual(
      new Set(['critical 30', 'high 15', 'medium 8', 'low 2']),
    )
  })

  test('are all tried below', () => {
    expect(BOTH_WAYS.map(([rule]) => rule)).toEqual(builtIn.map((r) => r.id))
  })

  test.each(BOTH_WAYS)('%s passes and fails by given facts', (rule, passes, fails) => {
    expect(verdict(rule, ...passes)).toBe('pass')
    expect(verdict(rule, ...fails)).toBe('fail')
  })

  test.each(BOTH_WAYS)('%s is not applicable to an empty estate', (rule) => {
    expect(verdict(rule)).toBe('not-applicable')
  })

  test.each(BOTH_WAYS)('%s says why a subject fails, in a sentence', (rule, _passes, fails) => {
    const estate = estateAfter(...fails)
    const { failing } = evaluate(estate, ruleset, NOW)
    const judged = builtIn.find((r) => r.id === rule)
    for (const subjectId of failing.get(rule) ?? []) {
      const subject = judged && estate.subject(judged.over, subjectId)
      expect(subject && judged.reason(subject, { now: NOW })).toMatch(/^[A-Z].{10,}\.$/)
    }
    expect(failing.get(rule)?.size).toBeGreaterThan(0)
  })
})

/** Rows of the question and verdict table, and what it leaves open. */
type Golden = readonly [question: string, rule: string, verdict: string, events: readonly EventOf[]]
const GOLDEN: readonly Golden[] = [
  // Disabled or backing a certificate: the certificate carries the finding.
  ...(['P001', 'P002', 'P003', 'P007'] as const).flatMap((rule) => [
    [
      `a disabled secret without expiry`,
      rule,
      'not-applicable',
      [withSecret({ enabled: false, expires: null })],
    ] as const,
    [
      `a disabled secret that expired`,
      rule,
      'not-applicable',
      [withSecret({ enabled: false, expires: inDays(-1) })],
    ] as const,
    [
      `a disabled secret that expires soon`,
      rule,
      'not-applicable',
      [withSecret({ enabled: false, expires: inDays(3) })],
    ] as const,
    [
      `a secret that backs a certificate and expires soon`,
      rule,
      'not-applicable',
      [withSecret({ managed: true, expires: inDays(3) })],
    ] as const,
  ]),
  ...(['K001', 'K002', 'K003', 'K005', 'K006'] as const).map(
    (rule) =>
      [
        `a key that backs a certificate`,
        rule,
        'not-applicable',
        [withKey({ managed: true, expires: inDays(3), bits: 1024 })],
      ] as const,
  ),
  ...(['C001', 'C002', 'C003', 'C005'] as const).map(
    (rule) =>
      [
        `a disabled certificate`,
        rule,
        'not-applicable',
        [withCertificate({ enabled: false, expires: inDays(3) })],
      ] as const,
  ),
  // Expiry set but in the past.
  ['an expiry in the past', 'P001', 'pass', [withSecret({ expires: inDays(-5) })]],
  ['an expiry in the past', 'P007', 'fail', [withSecret({ expires: inDays(-5) })]],
  ['an expiry in the past', 'C001', 'pass', [withCertificate({ expires: inDays(-5) })]],
  ['an expiry in the past', 'C005', 'fail', [withCertificate({ expires: inDays(-5) })]],
  ['an expiry in the past', 'K001', 'pass', [withKey({ expires: inDays(-5) })]],
  ['an expiry in the past', 'K005', 'fail', [withKey({ expires: inDays(-5) })]],
  // Windows, to the second and beyond.
  ...(
    [
      ['P002', 7, withSecret],
      ['P003', 30, withSecret],
      ['C002', 7, withCertificate],
      ['C003', 30, withCertificate],
      ['K002', 7, withKey],
      ['K003', 30, withKey],
    ] as const
  ).flatMap(([rule, days, having]) => [
    [`exactly ${days} days left`, rule, 'pass', [having({ expires: inDays(days) })]] as const,
    [`one second above ${days} days left`, rule, 'pass', [having({ expires: inDays(days, 1000) })]] as const,
    [`one second below ${days} days left`, rule, 'fail', [having({ expires: inDays(days, -1000) })]] as const,
    [
      `one millisecond below ${days} days left`,
      rule,
      'fail',
      [having({ expires: inDays(days, -1) })],
    ] as const,
    ['one second left', rule, 'fail', [having({ expires: inDays(0, 1000) })]] as const,
    ['no time left', rule, 'not-applicable', [having({ expires: inDays(0) })]] as const,
    ['expired a second ago', rule, 'not-applicable', [having({ expires: inDays(0, -1000) })]] as const,
    ['no expiry', rule, 'not-applicable', [having({ expires: null })]] as const,
  ]),
  ['one second left', 'P007', 'pass', [withSecret({ expires: inDays(0, 1000) })]],
  ['no time left', 'P007', 'fail', [withSecret({ expires: inDays(0) })]],
  ['no expiry', 'P007', 'pass', [withSecret({ expires: null })]],
  // Vaults: what the platform leaves unsaid.
  ['soft delete unsaid', 'CIS-8.5', 'pass', [withVault({ softDelete: null })]],
  ['purge protection unsaid', 'CIS-8.6', 'fail', [withVault({ purgeProtection: null })]],
  ['role-based access unsaid', 'CIS-RBAC', 'fail', [withVault({ rbac: null })]],
  ['public access disabled, allowed by default', 'CIS-8.7', 'pass', [withVault({ defaultAction: 'allow' })]],
  ['public access disabled, open to all by rule', 'CIS-8.7', 'pass', [withVault({ openToAll: true })]],
  ['public access on, denied by default', 'CIS-8.7', 'pass', [withVault({ publicNetworkAccess: 'enabled' })]],
  ['public access unsaid, denied by default', 'CIS-8.7', 'pass', [withVault({ publicNetworkAccess: null })]],
  [
    'denied by default with 0.0.0.0/0',
    'CIS-8.7',
    'fail',
    [withVault({ publicNetworkAccess: 'enabled', openToAll: true })],
  ],
  ['all unsaid', 'CIS-8.7', 'fail', [withVault({ publicNetworkAccess: null, defaultAction: null })]],
  // Strength: RSA by bits, EC by curve and never by bits.
  ['RSA of 2048 bits', 'K006', 'pass', [withKey({ algorithm: 'RSA', bits: 2048 })]],
  ['RSA of 2047 bits', 'K006', 'fail', [withKey({ algorithm: 'RSA', bits: 2047 })]],
  ['RSA in an HSM of 1024 bits', 'K006', 'fail', [withKey({ algorithm: 'RSA-HSM', bits: 1024 })]],
  ['RSA of unsaid size', 'K006', 'unknown', [withKey({ algorithm: 'RSA', bits: null })]],
  ...['P-256', 'P-256K', 'P-384', 'P-521'].map(
    (curve) => [`EC on ${curve}`, 'K006', 'pass', [withKey({ algorithm: 'EC', bits: 256, curve })]] as const,
  ),
  ['EC on P-192', 'K006', 'fail', [withKey({ algorithm: 'EC', bits: 4096, curve: 'P-192' })]],
  [
    'EC in an HSM on P-256',
    'C006',
    'pass',
    [withCertificate({ algorithm: 'EC-HSM', bits: null, curve: 'P-256' })],
  ],
  ['EC on an unsaid curve', 'K006', 'unknown', [withKey({ algorithm: 'EC', bits: 521, curve: null })]],
  ['a symmetric key', 'K006', 'not-applicable', [withKey({ algorithm: 'oct-HSM', bits: 256 })]],
  ['an algorithm nobody named', 'K006', 'unknown', [withKey({ algorithm: null, bits: null })]],
  // P008: the newest version's creation.
  ['a newest version of exactly 90 days', 'P008', 'pass', [withSecret({ created: inDays(-90) })]],
  ['a newest version of 90 days and a second', 'P008', 'fail', [withSecret({ created: inDays(-90, -1000) })]],
  [
    'tags edited yesterday on an old version',
    'P008',
    'fail',
    [withSecret({ created: inDays(-100), updated: inDays(-1) })],
  ],
  ['a newest version of unsaid creation', 'P008', 'unknown', [withSecret({ created: null })]],
  ['an old disabled secret', 'P008', 'fail', [withSecret({ enabled: false, created: inDays(-100) })]],
  // Vaults that cannot be read.
  ...(['firewall', 'forbidden', 'throttled', 'failed'] as const).flatMap((why) => [
    [`a vault that is unreadable (${why})`, 'P005', 'fail', [withSecret({}), unreachable(why)]] as const,
    [
      `secrets of a vault that is unreadable (${why})`,
      'P001',
      'unknown',
      [withSecret({}), unreachable(why)],
    ] as const,
    [
      `settings of a vault that is unreadable (${why})`,
      'CIS-8.6',
      'pass',
      [withSecret({}), unreachable(why)],
    ] as const,
  ]),
  ['a vault that was never read', 'P001', 'unknown', [unreachable('firewall')]],
  ['a vault that was never read', 'K006', 'unknown', [unreachable('forbidden')]],
  ['a vault that is gone, and what it held', 'P005', 'not-applicable', [withSecret({}), unreachable('gone')]],
  ['a vault that is gone, and what it held', 'P001', 'not-applicable', [withSecret({}), unreachable('gone')]],
  [
    'a failing secret beside an unreadable vault',
    'P001',
    'fail',
    [withSecret({ expires: null }), unreachable('firewall', id('vault', 'other'))],
  ],
  [
    'a passing secret beside an unreadable vault',
    'P001',
    'unknown',
    [withSecret({}), unreachable('firewall', id('vault', 'other'))],
  ],
  [
    'a vault that can be read again',
    'P001',
    'pass',
    [withSecret({}), unreachable('firewall'), withSecret({})],
  ],
  // P006: any tag that is not the system's.
  [
    'a tag of the command line tool alone',
    'P006',
    'fail',
    [withSecret({ tags: [['file-encoding', 'utf-8']] })],
  ],
  [
    'a tag of the command line tool and one of one’s own',
    'P006',
    'pass',
    [
      withSecret({
        tags: [
          ['file-encoding', 'utf-8'],
          ['env', 'prod'],
        ],
      }),
    ],
  ],
  ['a tag with an empty value', 'P006', 'pass', [withSecret({ tags: [['production', '']] })]],
  // Rotation: applicability follows the population only.
  ['application secrets and no rotation at all', 'P009', 'fail', rotatedOf(0, 3)],
  [
    'applications with certificates alone',
    'P009',
    'not-applicable',
    [apps(application('a', [credential('a', { kind: 'certificate' })]))],
  ],
  ['applications that may not be listed', 'P009', 'unknown', [scanEnded(['applications'])]],
  [
    'a policy that was disabled',
    'P009',
    'fail',
    [...rotatedOf(1, 1), happened('rotation.policy-disabled', { policy: id('policy', 'app0') })],
  ],
  [
    'no enabled policy',
    'P010',
    'not-applicable',
    [policy(APP_SECRET), happened('rotation.policy-disabled', { policy: POLICY })],
  ],
  [
    'a match that was verified, then excluded',
    'P014',
    'fail',
    [policy(APP_SECRET), proposed('a'), verified('a'), excluded('a')],
  ],
  [
    'an undecided match of a disabled policy',
    'P012',
    'not-applicable',
    [policy(APP_SECRET), proposed('a'), happened('rotation.policy-disabled', { policy: POLICY })],
  ],
  ['no match at all', 'P012', 'not-applicable', [policy(APP_SECRET)]],
  ['no match at all', 'P014', 'fail', [policy(APP_SECRET)]],
  // Dependencies.
  ['settings that may not be looked at', 'VM002', 'unknown', [uses({ settingsRead: false })]],
  ['resources that may not be listed', 'VM001', 'unknown', [scanEnded(['resources'])]],
  [
    'a secret nobody uses while resources may not be listed',
    'VM003',
    'unknown',
    [withSecret({}), scanEnded(['resources'])],
  ],
  [
    'a secret somebody uses while resources may not be listed',
    'VM003',
    'pass',
    [withSecret({}), uses({ found: [edge(SECRET)] }), scanEnded(['resources'])],
  ],
  [
    'a secret whose only dependency was rejected',
    'VM003',
    'fail',
    [
      withSecret({}),
      uses({ found: [edge(SECRET)] }),
      happened('discovery.edge-rejected', { resource: RESOURCE, edge: edge(SECRET).edge }),
    ],
  ],
  [
    'a secret whose only user is gone',
    'VM003',
    'fail',
    [withSecret({}), uses({ found: [edge(SECRET)] }), uses({ gone: true })],
  ],
  [
    'a secret that backs a certificate and nobody uses',
    'VM003',
    'not-applicable',
    [withSecret({ managed: true })],
  ],
  ['a resource without references', 'VM001', 'not-applicable', [uses()]],
  [
    'one mapped and one unmapped reference',
    'VM001',
    'fail',
    [uses({ found: [edge(SECRET), edge(null, { setting: 'X' })] })],
  ],
  ['a rotation with an unconfirmed dependent', 'VM004', 'fail', [policy(APP_SECRET), rotated(1, 2)]],
  [
    'a failed rotation, then a completed one',
    'VM004',
    'pass',
    [policy(APP_SECRET), rotationFailed(), rotated(2, 2)],
  ],
  ['a policy that never rotated', 'VM004', 'not-applicable', [policy(APP_SECRET)]],
  [
    'a dependency of exactly 70 %',
    'VM005',
    'not-applicable',
    [uses({ found: [edge(SECRET, { confidence: 70 })] })],
  ],
  ['a dependency of 69 %', 'VM005', 'fail', [uses({ found: [edge(SECRET, { confidence: 69 })] })]],
  // Sync.
  ['an active route and no worker ever', 'SYN003', 'fail', [route()]],
  [
    'a worker whose last word still holds',
    'SYN003',
    'pass',
    [route(), startedUntil(inDays(-1)), seenUntil(inDays(0, 1000))],
  ],
  ['a worker whose last word lapsed', 'SYN003', 'fail', [route(), startedUntil(inDays(0))]],
  [
    'a resumed route',
    'SYN001',
    'pass',
    [...routesOf(0, 1), happened('sync.route-resumed', { route: id('route', 'r0') })],
  ],
  ['a paused route and no worker', 'SYN003', 'not-applicable', routesOf(0, 1)],
  ['a failure exactly 24 hours ago', 'SYN004', 'fail', [copyFailed('a', inDays(-1)), copied('a')]],
  [
    'a failure 24 hours and a second ago',
    'SYN004',
    'pass',
    [copyFailed('a', inDays(-1, -1000)), copied('a')],
  ],
  ['a failure that was made good', 'SYN002', 'pass', [copyFailed('a', inDays(0, -5000)), copied('a')]],
  ['nothing tried for a day', 'SYN002', 'not-applicable', [copied('a', inDays(-2))]],
  [
    'a closed route',
    'SYN001',
    'not-applicable',
    [route(), happened('sync.route-closed', { route: id('route', 'payments') })],
  ],
  ['all routes paused', 'SYN001', 'fail', routesOf(0, 2)],
]

describe('golden cases', () => {
  test.each(GOLDEN)('%s: %s is %s', (_question, rule, expected, events) => {
    expect(verdict(rule, ...events)).toBe(expected)
  })

  test('an environment that is disconnected takes its vaults along', () => {
    const gone = happened('discovery.environment-disconnected', { environment: ENVIRONMENT })
    expect(verdict('P001', withSecret({ expires: null }), gone)).toBe('not-applicable')
    expect(verdict('CIS-8.6', withVault({ purgeProtection: null }), gone)).toBe('not-applicable')
  })

  test('an item that was lost is no longer judged', () => {
    const lost = happened('discovery.vault-scanned', {
      vault: VAULT,
      facts: null,
      found: [],
      changed: [],
      lost: [SECRET],
    })
    expect(verdict('P001', withSecret({ expires: null }), lost)).toBe('not-applicable')
  })
})

describe('what the rules leave open', () => {
  test.each([
    'password',
    'Password',
    'PASSWORD1',
    'key1',
    'key-01',
    'my-secret',
    'mySecret2',
    'secret',
    'test',
    'api-key',
    'apikey',
    'token',
    'new-password',
    'db'.slice(0, 1),
    '12345',
    'client-secret',
    'default',
  ])('%s is a generic name', (name) => expect(isGeneric(name)).toBe(true))
  test.each([
    'billing-db-password',
    'stripe-api-key',
    'sqlAdminPassword',
    'payments2',
    'storage-key-prod',
    'smtp',
    'ledger-signing',
    'db-password',
  ])('%s is a name', (name) => expect(isGeneric(name)).toBe(false))
  test.each([
    'file-encoding',
    'hidden-title',
    'ms-resource-usage',
    'aks-managed-cluster',
    'CertificateId',
    'attestry-rotation',
    ' ',
  ])('the tag “%s” counts for nothing', (tag) => expect(isOwnTag(tag)).toBe(false))
  test.each(['owner', 'env', 'environment', 'team', 'ms'])('the tag “%s” counts', (tag) =>
    expect(isOwnTag(tag)).toBe(true),
  )
})
