import type { EventOf } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import type { Estate } from './estate.ts'
import { Standing } from './evaluate.ts'
import { FINDINGS_PER_EVENT, type FindingsChanged, findingsOf, pages } from './findings.ts'
import {
  application,
  apps,
  credential,
  estateAfter,
  happened,
  id,
  inDays,
  NOW,
  policy,
  scanned,
  secret,
  unreachable,
  VAULT,
} from './for-tests.ts'
import { changesOf } from './record.ts'
import { rulesetOf } from './ruleset.ts'

const ruleset = rulesetOf()
const idOf = (rule: string, subject: string) => `finding-${rule}${subject}`
const SECRET = id('secret', 'billing-db-password')

/** An estate whose findings are carried along as events happen. */
function watch(...events: EventOf[]) {
  const estate: Estate = estateAfter(...events)
  const standing = new Standing(estate, ruleset)
  const record = new Map<string, Map<string, 'open' | 'resolved'>>()
  const take = (): FindingsChanged => {
    const change = findingsOf(standing, ruleset.rules, record, idOf, false)
    for (const [refs, state] of [
      [[...change.opened, ...change.reopened], 'open'],
      [change.resolved, 'resolved'],
    ] as const)
      for (const r of refs) record.set(r.rule, (record.get(r.rule) ?? new Map()).set(r.subject, state))
    standing.settle()
    return change
  }
  standing.advance(new Map(), NOW)
  const first = take()
  return {
    first,
    after(event: EventOf, now = NOW) {
      standing.advance(estate.apply(changesOf(event)), now)
      return take()
    },
    wait(now: number) {
      standing.advance(new Map(), now)
      return take()
    },
  }
}

/** `P001 opened`, sorted, for one rule. */
const of = (change: FindingsChanged, rule: string) => [
  ...change.opened.filter((f) => f.rule === rule).map(() => 'opened'),
  ...change.reopened.filter((f) => f.rule === rule).map(() => 'reopened'),
  ...change.resolved.filter((f) => f.rule === rule).map((f) => f.because),
]

const having = (more: Parameters<typeof secret>[1]) => scanned([secret('billing-db-password', more)])

describe('a finding', () => {
  test('opens when a subject fails, and names rule, subject and severity', () => {
    const { first } = watch(having({ expires: null }))
    expect(first.opened.find((f) => f.rule === 'P001')).toEqual({
      finding: idOf('P001', SECRET),
      rule: 'P001',
      subject: SECRET,
      severity: 'high',
    })
  })

  test('is resolved by a pass and reopened by a new failure', () => {
    const w = watch(having({ expires: null }))
    expect(of(w.after(having({})), 'P001')).toEqual(['passed'])
    expect(of(w.after(having({ expires: null })), 'P001')).toEqual(['reopened'])
  })

  test('is said once: nothing new happens while nothing moves', () => {
    const w = watch(having({ expires: null }))
    expect(of(w.after(having({ expires: null })), 'P001')).toEqual([])
    expect(of(w.wait(NOW + 1000), 'P001')).toEqual([])
  })

  test('closes as asset-removed when its subject is gone', () => {
    const w = watch(having({ expires: null }))
    const lost = happened('discovery.vault-scanned', {
      vault: VAULT,
      facts: null,
      found: [],
      changed: [],
      lost: [SECRET],
    })
    expect(of(w.after(lost), 'P001')).toEqual(['asset-removed'])
  })

  test('closes as not applicable when the rule no longer speaks of its subject', () => {
    const w = watch(having({ expires: inDays(-1) }))
    expect(of(w.after(having({ expires: inDays(-1), enabled: false })), 'P007')).toEqual(['not-applicable'])
  })

  test('stays open while its subject cannot be read', () => {
    const w = watch(having({ expires: null }))
    expect(of(w.after(unreachable('firewall')), 'P001')).toEqual([])
    expect(of(w.after(having({ expires: null })), 'P001')).toEqual([])
  })

  test('moves on by time alone, and by the instant of its window', () => {
    const w = watch(having({ expires: inDays(8) }))
    expect(of(w.wait(NOW + 86_400_000), 'P002')).toEqual([])
    expect(of(w.wait(NOW + 86_400_000 + 1), 'P002')).toEqual(['opened'])
    const expiry = NOW + 8 * 86_400_000
    expect(of(w.wait(expiry - 1), 'P007')).toEqual([])
    const expired = w.wait(expiry)
    expect(of(expired, 'P007')).toEqual(['opened'])
    expect(of(expired, 'P002')).toEqual(['not-applicable'])
  })

  test('of a share exists only while the rule fails as a whole', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const enable = (name: string) => policy(id('app-secret', name), { policy: id('policy', name) })
    const w = watch(
      apps(...names.map((n) => application(n, [credential(n)]))),
      enable('a'),
      enable('b'),
      enable('c'),
    )
    expect(of(w.first, 'P009')).toEqual(['opened', 'opened'])
    expect(of(w.after(enable('d')), 'P009')).toEqual(['passed', 'passed'])
    const off = happened('rotation.policy-disabled', { policy: id('policy', 'd') })
    expect(of(w.after(off), 'P009')).toEqual(['reopened', 'reopened'])
  })
})

test('pages of findings hold all of them in order, at most 100 each', () => {
  const ref = (i: number) => ({ finding: `f${i}`, rule: 'P001', subject: `s${i}`, severity: 'high' as const })
  const many = (n: number, from: number) => Array.from({ length: n }, (_, i) => ref(from + i))
  const change: FindingsChanged = {
    opened: many(150, 0),
    reopened: many(30, 1000),
    resolved: many(145, 2000).map((r) => ({ ...r, because: 'passed' as const })),
  }
  const parts = pages(change)
  const sizes = parts.map((p) => p.opened.length + p.reopened.length + p.resolved.length)
  expect(sizes).toEqual([FINDINGS_PER_EVENT, FINDINGS_PER_EVENT, FINDINGS_PER_EVENT, 25])
  expect(parts.flatMap((p) => p.opened)).toEqual(change.opened)
  expect(parts.flatMap((p) => p.reopened)).toEqual(change.reopened)
  expect(parts.flatMap((p) => p.resolved)).toEqual(change.resolved)
  expect(pages({ opened: [], reopened: [], resolved: [] })).toEqual([])
})
