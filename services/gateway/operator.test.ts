import type { EventOf, Fact } from '@attestry/contracts'
import { fact } from '@attestry/contracts'
import { isRefused } from '@attestry/kit'
import { describe, expect, test } from 'vitest'
import {
  attempt,
  type Change,
  decide,
  evolve,
  lockDue,
  NO_LIMIT,
  type Operator,
  standingOf,
} from './operator.ts'
import { endOf, isLive, type Session, SESSION_LIMITS } from './session.ts'

const operator = 'operator-0123456789'
const start = Temporal.Instant.from('2026-11-22T10:00:00Z')
const minutes = (n: number) => start.add({ minutes: n })

/** The state after facts, each recorded at a minute. */
const given = (...facts: readonly (readonly [number, Fact])[]): Operator | null =>
  facts.reduce<Operator | null>((state, [minute, f], i) => {
    const place = { tenant: 'acme', seq: i + 1, stream: operator, position: i + 1, id: `${i}` }
    const by = { kind: 'operator', id: operator } as const
    const cause = { correlation: 'c', causation: 'c' }
    // A fact with its place is an event; TypeScript cannot follow that through the union of all of them.
    const event = { ...place, ...f, at: minutes(minute).toString(), by, cause } as unknown as EventOf
    return evolve(state, event)
  }, null)

const added = (roles: Operator['roles'] = ['viewer']): readonly [number, Fact] => [
  0,
  fact('gateway.operator-added', { operator, name: 'Ada', roles: [...roles] }),
]
const refusal = (minute: number): readonly [number, Fact] => [
  minute,
  fact('gateway.sign-in-refused', { operator, name: 'Ada', reason: 'wrong-password' }),
]
const disabled: readonly [number, Fact] = [1, fact('gateway.operator-disabled', { operator })]
const locked: readonly [number, Fact] = [
  1,
  fact('gateway.account-locked', { operator, until: minutes(16).toString(), refusals: 5 }),
]
const mustBe = (state: Operator | null): Operator => {
  if (!state) throw new Error('the operator is missing')
  return state
}

describe('decide(): state × command', () => {
  const states: Record<string, Operator | null> = {
    none: null,
    active: given(added()),
    administrator: given(added(['tenant-admin'])),
    disabled: given(added(), disabled),
    locked: given(added(), locked),
    'disabled and locked': given(added(), disabled, locked),
  }
  const commands: Record<string, Change> = {
    add: { do: 'add', operator, name: 'Ada', roles: ['viewer', 'viewer'], users: NO_LIMIT },
    promote: { do: 'set-roles', roles: ['auditor', 'viewer', 'auditor'], othersAdminister: false },
    disable: { do: 'disable', othersAdminister: false },
    'disable with others': { do: 'disable', othersAdminister: true },
    enable: { do: 'enable', users: NO_LIMIT },
    reset: { do: 'reset-password' },
  }
  /** Types of the facts without their context, or the refusal in capitals. */
  const outcome = (state: Operator | null, change: Change): string => {
    const decided = decide(state, change, minutes(2))
    return isRefused(decided)
      ? decided.refused.toUpperCase()
      : decided.map((f) => f.type.replace('gateway.', '')).join(' ')
  }

  test.each([
    ['none', 'add', 'operator-added'],
    ['none', 'promote', 'NO-SUCH-OPERATOR'],
    ['none', 'disable', 'NO-SUCH-OPERATOR'],
    ['none', 'disable with others', 'NO-SUCH-OPERATOR'],
    ['none', 'enable', 'NO-SUCH-OPERATOR'],
    ['none', 'reset', 'NO-SUCH-OPERATOR'],
    ['active', 'add', 'NAME-TAKEN'],
    ['active', 'promote', 'role-granted'],
    ['active', 'disable', 'operator-disabled'],
    ['active', 'disable with others', 'operator-disabled'],
    ['active', 'enable', 'ALREADY-ENABLED'],
    ['active', 'reset', 'password-reset'],
    ['administrator', 'add', 'NAME-TAKEN'],
    ['administrator', 'promote', 'LAST-ADMINISTRATOR'],
    ['administrator', 'disable', 'LAST-ADMINISTRATOR'],
    ['administrator', 'disable with others', 'operator-disabled'],
    ['administrator', 'enable', 'ALREADY-ENABLED'],
    ['administrator', 'reset', 'password-reset'],
    ['disabled', 'add', 'NAME-TAKEN'],
    ['disabled', 'promote', 'role-granted'],
    ['disabled', 'disable', 'ALREADY-DISABLED'],
    ['disabled', 'disable with others', 'ALREADY-DISABLED'],
    ['disabled', 'enable', 'operator-enabled'],
    ['disabled', 'reset', 'password-reset'],
    ['locked', 'add', 'NAME-TAKEN'],
    ['locked', 'promote', 'role-granted'],
    ['locked', 'disable', 'operator-disabled'],
    ['locked', 'disable with others', 'operator-disabled'],
    ['locked', 'enable', 'account-unlocked'],
    ['locked', 'reset', 'password-reset account-unlocked'],
    ['disabled and locked', 'add', 'NAME-TAKEN'],
    ['disabled and locked', 'promote', 'role-granted'],
    ['disabled and locked', 'disable', 'ALREADY-DISABLED'],
    ['disabled and locked', 'disable with others', 'ALREADY-DISABLED'],
    ['disabled and locked', 'enable', 'operator-enabled account-unlocked'],
    ['disabled and locked', 'reset', 'password-reset account-unlocked'],
  ] as const)('%s, %s: %s', (state, command, expected) => {
    const change = commands[command]
    if (!change || !(state in states)) throw new Error('the table names a state or command that is not there')
    expect(outcome(states[state] ?? null, change)).toBe(expected)
  })

  test.each([
    ['none', 'add', 'TOO-MANY-USERS'],
    ['disabled', 'enable', 'TOO-MANY-USERS'],
    // Who is there already signs in, whatever the number: a lock is ended, and a name that is taken is said to be so.
    ['locked', 'enable', 'account-unlocked'],
    ['active', 'add', 'NAME-TAKEN'],
  ] as const)('%s, %s, where the licence admits no more: %s', (state, command, expected) => {
    const change = commands[command]
    if (!change || !('users' in change)) throw new Error('the table names a command without a limit')
    expect(outcome(states[state] ?? null, { ...change, users: { now: 6, most: 5 } })).toBe(expected)
    expect(outcome(states[state] ?? null, { ...change, users: { now: 4, most: 5 } })).toBe(
      outcome(states[state] ?? null, change),
    )
  })

  test('set-roles grants and takes exactly what differs', () => {
    const decided = decide(
      given(added(['viewer', 'auditor'])),
      { do: 'set-roles', roles: ['auditor', 'analyst'], othersAdminister: true },
      start,
    )
    expect(decided).toEqual([
      fact('gateway.role-granted', { operator, role: 'analyst' }),
      fact('gateway.role-revoked', { operator, role: 'viewer' }),
    ])
    expect(
      decide(given(added()), { do: 'set-roles', roles: ['viewer'], othersAdminister: true }, start),
    ).toEqual([])
  })
})

describe('attempt(): state × proof', () => {
  const signIn = { for: 'sign-in', session: 'session-0123456789', as: 'cookie' } as const
  const after = (state: Operator | null, proof: 'right' | 'wrong', minute: number) => {
    const { outcome, facts } = attempt(mustBe(state), proof, signIn, minutes(minute))
    return [outcome, ...facts.map((f) => f.type.replace('gateway.', ''))].join(' ')
  }

  test.each([
    ['active', given(added()), 'right', 2, 'admitted signed-in'],
    ['active', given(added()), 'wrong', 2, 'refused sign-in-refused'],
    ['disabled', given(added(), disabled), 'right', 2, 'refused sign-in-refused'],
    ['disabled', given(added(), disabled), 'wrong', 2, 'refused sign-in-refused'],
    ['locked', given(added(), locked), 'right', 15, 'locked'],
    ['locked', given(added(), locked), 'wrong', 15, 'locked'],
    ['no longer locked', given(added(), locked), 'right', 16, 'admitted account-unlocked signed-in'],
    ['no longer locked', given(added(), locked), 'wrong', 16, 'refused account-unlocked sign-in-refused'],
  ] as const)('%s, %#: %s', (_name, state, proof, minute, expected) => {
    expect(after(state, proof, minute)).toBe(expected)
  })

  test('a disabled operator’s refusal says so in the record and nowhere else', () => {
    const { facts } = attempt(mustBe(given(added(), disabled)), 'right', signIn, minutes(2))
    expect(facts[0]).toMatchObject({ data: { reason: 'disabled' } })
  })

  test.each([
    ['reauthenticate', 'gateway.reauthenticated'],
    ['change-password', 'gateway.password-changed'],
  ] as const)('a right password for %s records %s', (purpose, type) => {
    const made = attempt(
      mustBe(given(added())),
      'right',
      { for: purpose, session: 'session-0123456789' },
      minutes(1),
    )
    expect(made.facts.map((f) => f.type)).toEqual([type])
  })
})

describe('lockDue()', () => {
  test('locks for a quarter of an hour once five refusals came within a quarter of an hour', () => {
    const four = given(added(), refusal(1), refusal(2), refusal(3), refusal(4))
    expect(lockDue(mustBe(four), minutes(5), 0)).toEqual([])
    const five = given(added(), refusal(1), refusal(2), refusal(3), refusal(4), refusal(15))
    expect(lockDue(mustBe(five), minutes(16), 7)).toEqual([
      fact('gateway.account-locked', { operator, until: '2026-11-22T10:31:00.000Z', refusals: 12 }),
    ])
  })

  test('forgets refusals that lie further back', () => {
    const spread = given(added(), refusal(1), refusal(5), refusal(9), refusal(13), refusal(17))
    expect(lockDue(mustBe(spread), minutes(17), 0)).toEqual([])
  })

  test('begins anew after a sign-in, a lock and an unlocking', () => {
    const signedIn = fact('gateway.signed-in', { operator, session: 'session-0123456789', as: 'cookie' })
    for (const event of [signedIn, locked[1], fact('gateway.account-unlocked', { operator })]) {
      const state = given(added(), ...[1, 2, 3, 4].map(refusal), [5, event], refusal(6))
      expect(lockDue(mustBe(state), minutes(6), 0)).toEqual([])
    }
  })

  test('is judged by the ledger’s time alone: our clock may be an hour off', () => {
    const five = given(added(), ...[1, 2, 3, 4, 5].map(refusal))
    for (const off of [-60, 60]) expect(lockDue(mustBe(five), minutes(5 + off), 0)).toHaveLength(1)
  })
})

describe('evolve()', () => {
  test('a new operator has a password for one use, until one is chosen', () => {
    expect(mustBe(given(added())).mustChangePassword).toBe(true)
    const chosen = given(added(), [3, fact('gateway.password-changed', { operator })])
    expect(mustBe(chosen).mustChangePassword).toBe(false)
    const reset = given(
      added(),
      [3, fact('gateway.password-changed', { operator })],
      [4, fact('gateway.password-reset', { operator })],
    )
    expect(mustBe(reset).mustChangePassword).toBe(true)
  })

  test('standingOf() tells locked from disabled, and a lock that has ended from one that holds', () => {
    expect(standingOf(mustBe(given(added(), locked)), minutes(2))).toBe('locked')
    expect(standingOf(mustBe(given(added(), locked)), minutes(16))).toBe('active')
    expect(standingOf(mustBe(given(added(), disabled, locked)), minutes(2))).toBe('disabled')
  })
})

describe('isLive()', () => {
  const session: Session = {
    session: 'session-0123456789',
    operator,
    as: 'cookie',
    startedAt: minutes(10),
    lastSeenAt: minutes(10),
    trustedSince: minutes(10),
    reauthenticatedUntil: null,
    endedAt: null,
  }
  const live = (s: Session, facts: readonly (readonly [number, Fact])[], minute: number) =>
    isLive(s, mustBe(given(added(), ...facts)), SESSION_LIMITS, minutes(minute))

  test('a session ends when nobody uses it, when it is old, and when it was ended', () => {
    expect(live(session, [], 69)).toBe(true)
    expect(live(session, [], 70)).toBe(false)
    const used = { ...session, lastSeenAt: minutes(10 + 11 * 60 + 59) }
    expect(endOf(used, SESSION_LIMITS)).toEqual(minutes(10 + 12 * 60))
    expect(live(used, [], 10 + 12 * 60)).toBe(false)
    expect(live({ ...session, endedAt: minutes(11) }, [], 12)).toBe(false)
  })

  test('disabling, a reset and a new password end what was trusted before', () => {
    const cuts = [
      fact('gateway.operator-disabled', { operator }),
      fact('gateway.password-reset', { operator }),
      fact('gateway.password-changed', { operator }),
    ]
    for (const cut of cuts) expect(live(session, [[20, cut]], 21)).toBe(false)
    expect(live({ ...session, trustedSince: minutes(20) }, [[20, cuts[2] ?? disabled[1]]], 21)).toBe(true)
  })

  test('enabling again does not bring old sessions back', () => {
    const back = fact('gateway.operator-enabled', { operator })
    expect(
      live(
        session,
        [
          [20, disabled[1]],
          [21, back],
        ],
        22,
      ),
    ).toBe(false)
  })
})
