import type { EventOf, Unreachable } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { Estate } from './estate.ts'
import { conclude, evaluate, Standing } from './evaluate.ts'
import { findingsOf } from './findings.ts'
import {
  application,
  apps,
  certificate,
  copied,
  copyFailed,
  credential,
  edge,
  ENVIRONMENT,
  excluded,
  happened,
  id,
  inDays,
  key,
  NOW,
  policy,
  proposed,
  route,
  scanEnded,
  scanned,
  secret,
  unreachable,
  uses,
  verified,
  worker,
} from './for-tests.ts'
import { changesOf, merged, squashed } from './record.ts'
import type { EstateRecord } from './record.ts'
import { rulesetOf } from './ruleset.ts'
import { SUBJECT_KINDS } from './subject.ts'

const ruleset = rulesetOf()

describe('a rule’s verdict', () => {
  test.each([
    [1, 0, 0, 0, 'not-applicable'],
    [1, 5, 0, 0, 'pass'],
    [1, 5, 0, 1, 'unknown'],
    [1, 5, 1, 1, 'fail'],
    [0.8, 4, 1, 0, 'pass'],
    [0.8, 3, 1, 0, 'fail'],
    [0.8, 4, 0, 1, 'pass'],
    [0.8, 3, 1, 1, 'unknown'],
    [0.8, 3, 2, 0, 'fail'],
    [0.6, 3, 2, 0, 'pass'],
    [0.9, 9, 1, 0, 'pass'],
    [0.9, 899, 101, 0, 'fail'],
    [0.8, 0, 0, 2, 'unknown'],
  ])('with share %f: %i passed, %i failed, %i unknown is %s', (share, passed, failed, unknown, verdict) => {
    expect(conclude({ share }, { passed, failed, unknown })).toBe(verdict)
  })
})

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Something that may happen in an estate of a few vaults, applications, resources and routes. */
function anything(roll: (below: number) => number): EventOf {
  const one = <T>(...of: T[]): T => of[roll(of.length)] as T // roll stays below the length
  const vault = id('vault', `v${roll(3)}`)
  const name = `thing-${roll(6)}`
  const when = () => one(null, inDays(-1), inDays(0), inDays(roll(40)), inDays(7), inDays(7, 1), inDays(30))
  const more = () => ({
    expires: when(),
    created: one(null, inDays(-90), inDays(-90, 1), inDays(-roll(120))),
    enabled: roll(4) > 0,
    managed: roll(5) === 0,
    bits: one(null, 1024, 2048),
    tags: one<[string, string][]>([], [['env', 'prod']], [['file-encoding', 'utf-8']]),
  })
  const resource = id('resource', `r${roll(3)}`)
  const target = one(null, id('secret', name))
  const copyName = `c${roll(4)}`
  const at = inDays(0, -roll(2 * 86_400_000))
  const policyId = id('policy', `p${roll(3)}`)
  const matchName = `m${roll(4)}`
  switch (roll(18)) {
    case 0:
    case 1:
    case 2:
      return scanned(
        [secret(name, more()), key(`k${roll(3)}`, more()), certificate(`z${roll(3)}`, more())],
        {},
        vault,
      )
    case 3:
      return happened('discovery.vault-scanned', {
        vault,
        facts: null,
        found: [],
        changed: [],
        lost: [id('secret', name)],
      })
    case 4:
      return unreachable(one<Unreachable>('firewall', 'gone', 'failed'), vault)
    case 5:
      return apps(application(`a${roll(2)}`, [credential(`s${roll(4)}`), credential(`s${roll(4)}`)]))
    case 6:
      return happened('discovery.apps-scanned', {
        directory: id('directory', 'd'),
        found: [],
        changed: [],
        lost: [id('application', `a${roll(2)}`)],
      })
    case 7:
    case 8:
      return uses({
        resource,
        gone: roll(5) === 0,
        settingsRead: roll(2) === 0,
        found: [{ ...edge(target, { confidence: one(40, 70, 100) }), edge: id('edge', `e${roll(5)}`) }],
        lost: roll(3) === 0 ? [id('edge', `e${roll(5)}`)] : [],
        hardCodedFound: roll(4) === 0 ? [{ setting: id('setting', 'x'), name: 'X', looksLike: 'token' }] : [],
        hardCodedCleared: roll(3) === 0 ? [id('setting', 'x')] : [],
      })
    case 9:
      return happened(one('discovery.edge-confirmed', 'discovery.edge-rejected'), {
        resource,
        edge: id('edge', `e${roll(5)}`),
      })
    case 10:
      return policy(id('app-secret', `s${roll(4)}`), { policy: policyId, targetVault: one(null, vault) })
    case 11:
      return happened('rotation.policy-disabled', { policy: policyId })
    case 12:
      return one<(name: string, policyId?: string) => EventOf>(
        proposed,
        verified,
        excluded,
      )(matchName, policyId)
    case 13:
      return roll(2) === 0 ? copied(copyName, at) : copyFailed(copyName, at)
    case 14:
      return roll(2) === 0
        ? route(`r${roll(3)}`)
        : happened('sync.route-paused', { route: id('route', `r${roll(3)}`) })
    case 15:
      return worker(roll(2) === 0)
    case 16:
      return scanEnded(one([], ['resources'], ['applications'], ['resources', 'applications']))
    default:
      return roll(6) === 0
        ? happened('discovery.environment-disconnected', { environment: ENVIRONMENT })
        : happened('discovery.environment-connected', {
            environment: ENVIRONMENT,
            cloud: 'azure',
            name: 'prod',
            scope: { subscriptions: [] },
            settingsScan: true,
            everyHours: null,
          })
  }
}

const everySubject = (estate: Estate) => SUBJECT_KINDS.flatMap((k) => [...estate.subjects(k).values()])

describe('judging only what changed', () => {
  test.each(Array.from({ length: 60 }, (_, i) => i + 1))(
    'gives the same as judging all afresh, whatever happens and however time passes (seed %i)',
    (seed) => {
      const roll = dice(seed)
      const estate = new Estate()
      const standing = new Standing(estate, ruleset)
      const record = new Map<string, Map<string, 'open' | 'resolved'>>()
      const rows = new Map<string, EstateRecord>()
      const idOf = (rule: string, subject: string) => `${rule} ${subject}`
      let now = NOW - 86_400_000
      for (let step = 0; step < 40; step++) {
        const changes = Array.from({ length: roll(4) }, () => changesOf(anything(roll))).flat()
        for (const c of squashed(changes)) rows.set(c.id, merged(rows.get(c.id), c))
        // Hours, seconds, milliseconds, nothing, and now and then a clock that is put back.
        now += [3_600_000 * roll(30), 1000, 1, 0, -5_000_000][roll(40) === 0 ? 4 : roll(4)] ?? 0
        standing.advance(estate.apply(changes), now)

        const fresh = new Estate()
        fresh.load(rows.values())
        expect(everySubject(estate).toSorted(byKey)).toEqual(everySubject(fresh).toSorted(byKey))
        const all = evaluate(fresh, ruleset, now)
        expect(standing.results()).toEqual(all.results)
        for (const r of ruleset.rules)
          expect([r.id, ...[...standing.failing(r.id)].toSorted()]).toEqual([
            r.id,
            ...[...(all.failing.get(r.id) ?? [])].toSorted(),
          ])

        const moved = findingsOf(standing, ruleset.rules, record, idOf, false)
        const afresh = findingsOf(standing, ruleset.rules, record, idOf, true)
        expect(sorted(moved)).toEqual(sorted(afresh))
        if (roll(3) > 0) {
          for (const r of [...moved.opened, ...moved.reopened])
            record.set(r.rule, (record.get(r.rule) ?? new Map()).set(r.subject, 'open'))
          for (const r of moved.resolved) record.get(r.rule)?.set(r.subject, 'resolved')
          standing.settle()
        }
      }
    },
  )
})

const byKey = (a: { kind: string; id: string }, b: { kind: string; id: string }) =>
  `${a.kind} ${a.id}` < `${b.kind} ${b.id}` ? -1 : 1

const sorted = (change: ReturnType<typeof findingsOf>) =>
  Object.entries(change).map(([what, refs]) => [
    what,
    refs.map((r: { finding: string }) => r.finding).toSorted(),
  ])

describe('a ruleset', () => {
  test('has a digest that follows from what its rules say and weigh', () => {
    const [first, ...rest] = ruleset.rules
    if (!first) throw new Error('there are rules')
    expect(rulesetOf().digest).toBe(ruleset.digest)
    expect(rulesetOf(undefined, { P001: 16 }).digest).not.toBe(ruleset.digest)
    expect(rulesetOf(undefined, { P001: 15 }).digest).toBe(ruleset.digest)
    expect(rulesetOf([{ ...first, says: 'Something else.' }, ...rest]).digest).not.toBe(ruleset.digest)
    expect(rulesetOf(rest).digest).not.toBe(ruleset.digest)
  })

  test('refuses a weight out of range or for a rule that there is not', () => {
    expect(() => rulesetOf(undefined, { P001: 31 })).toThrow('P001')
    expect(() => rulesetOf(undefined, { P001: 1.5 })).toThrow('P001')
    expect(() => rulesetOf(undefined, { P011: 1 })).toThrow('P011')
  })
})
