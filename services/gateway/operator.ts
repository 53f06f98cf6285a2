import { type EventOf, type Fact, fact, type Role } from '@attestry/contracts'
import { type Refused, refuse } from '@attestry/kit'
import {
  callsForLock,
  isLocked,
  type Lockout,
  lockEnd,
  lockHasEnded,
  refusedOnce,
  unlocked,
} from './lockout.ts'

/** Somebody who may sign in: a person or a machine. Everything here comes from the operator's own stream. */
export interface Operator {
  readonly operator: string
  readonly name: string
  readonly roles: readonly Role[]
  readonly disabled: boolean
  /** The password was given by an administrator and is good for choosing one's own alone. */
  readonly mustChangePassword: boolean
  readonly addedAt: string
  readonly lastSignIn: string | null
  /** Sessions trusted before this instant are void. */
  readonly sessionsSince: string
  readonly lockout: Lockout
}

/** Operators that may sign in: how many there are, and how many the licence admits; null is no limit. */
export interface Users {
  readonly now: number
  readonly most: number | null
}

/** Where nobody asks a licence. */
export const NO_LIMIT: Users = { now: 0, most: null }

/** What administrators ask for. */
export type Change =
  | {
      readonly do: 'add'
      readonly operator: string
      readonly name: string
      readonly roles: readonly Role[]
      readonly users: Users
    }
  | { readonly do: 'set-roles'; readonly roles: readonly Role[]; readonly othersAdminister: boolean }
  | { readonly do: 'disable'; readonly othersAdminister: boolean }
  | { readonly do: 'enable'; readonly users: Users }
  | { readonly do: 'reset-password' }

export type ChangeRefusal =
  | 'name-taken'
  | 'no-such-operator'
  | 'last-administrator'
  | 'already-disabled'
  | 'already-enabled'
  | 'too-many-users'

export const administers = (o: Pick<Operator, 'roles' | 'disabled'>): boolean =>
  !o.disabled && o.roles.includes('tenant-admin')

const lastAdministrator = () =>
  refuse('last-administrator', 'Nobody else could administer: make another operator an administrator first.')

/** One more would be too many. Whoever is there already stays and signs in. */
const beyond = ({ now, most }: Users) =>
  most === null || now < most
    ? null
    : refuse(
        'too-many-users',
        `The licence admits ${most} people and machines and ${now} may sign in. Disable one who no longer needs it, or ask the vendor for a licence that admits more.`,
      )

/**
 * What follows from an administrator's wish.
 * @refuses 'name-taken' | 'no-such-operator' | 'last-administrator' | 'already-disabled' | 'already-enabled' |
 * 'too-many-users'
 */
export function decide(
  state: Operator | null,
  change: Change,
  now: Temporal.Instant,
): readonly Fact[] | Refused<ChangeRefusal> {
  if (change.do === 'add') {
    if (state)
      return refuse('name-taken', 'An operator of this name exists; a disabled one can be enabled again.')
    const { operator, name, roles } = change
    return (
      beyond(change.users) ?? [fact('gateway.operator-added', { operator, name, roles: [...new Set(roles)] })]
    )
  }
  if (!state) return refuse('no-such-operator', 'There is no such operator.')
  const { operator } = state
  if (change.do === 'set-roles') {
    if (administers(state) && !change.roles.includes('tenant-admin') && !change.othersAdminister)
      return lastAdministrator()
    const given = [...new Set(change.roles)].filter((role) => !state.roles.includes(role))
    const taken = state.roles.filter((role) => !change.roles.includes(role))
    return [
      ...given.map((role) => fact('gateway.role-granted', { operator, role })),
      ...taken.map((role) => fact('gateway.role-revoked', { operator, role })),
    ]
  }
  if (change.do === 'disable') {
    if (state.disabled) return refuse('already-disabled', 'The operator is disabled already.')
    if (administers(state) && !change.othersAdminister) return lastAdministrator()
    return [fact('gateway.operator-disabled', { operator })]
  }
  const unlock = state.lockout.lockedUntil === null ? [] : [fact('gateway.account-unlocked', { operator })]
  if (change.do === 'reset-password') return [fact('gateway.password-reset', { operator }), ...unlock]
  if (!state.disabled && !isLocked(state.lockout, now))
    return refuse('already-enabled', 'The operator may sign in already.')
  const full = state.disabled ? beyond(change.users) : null
  if (full) return full
  return [...(state.disabled ? [fact('gateway.operator-enabled', { operator })] : []), ...unlock]
}

/** What a password that proved right is for. */
export type Purpose =
  | { readonly for: 'sign-in'; readonly session: string; readonly as: 'cookie' | 'bearer' }
  | { readonly for: 'reauthenticate'; readonly session: string }
  | { readonly for: 'change-password' }

/** How an attempt to prove a password ended, and what is to be recorded of it. */
export interface Attempt {
  readonly outcome: 'admitted' | 'refused' | 'locked' | 'expired'
  readonly facts: readonly Fact[]
}

const passed = (operator: string, purpose: Purpose): Fact => {
  if (purpose.for === 'sign-in')
    return fact('gateway.signed-in', { operator, session: purpose.session, as: purpose.as })
  if (purpose.for === 'reauthenticate')
    return fact('gateway.reauthenticated', { operator, session: purpose.session })
  return fact('gateway.password-changed', { operator })
}

/**
 * What follows from a password given. While a lock holds nothing is recorded, right or wrong: the caller counts.
 * A one-time password that is right and too old is refused as such: whoever knows it may be told.
 * A refusal may make a lock due (`lockDue`), which is recorded once the refusal has its time.
 */
export function attempt(
  state: Operator,
  proof: 'right' | 'wrong' | 'expired',
  purpose: Purpose,
  now: Temporal.Instant,
): Attempt {
  const { operator, name } = state
  if (isLocked(state.lockout, now)) return { outcome: 'locked', facts: [] }
  const unlock = lockHasEnded(state.lockout, now) ? [fact('gateway.account-unlocked', { operator })] : []
  if (proof === 'right' && !state.disabled)
    return { outcome: 'admitted', facts: [...unlock, passed(operator, purpose)] }
  const expired = proof === 'expired' && !state.disabled
  const reason = state.disabled ? 'disabled' : expired ? 'expired' : 'wrong-password'
  return {
    outcome: expired ? 'expired' : 'refused',
    facts: [...unlock, fact('gateway.sign-in-refused', { operator, name, reason })],
  }
}

/**
 * The lock that refusals so far call for. Whether they came close together is judged by the ledger's time alone,
 * and the lock's end is told in ours, so that two clocks that differ do not keep an account open.
 * @param uncounted refusals since the last lock that were counted and not appended
 */
export function lockDue(state: Operator, now: Temporal.Instant, uncounted: number): readonly Fact[] {
  const { operator, lockout } = state
  if (!callsForLock(lockout)) return []
  return [
    fact('gateway.account-locked', {
      operator,
      until: lockEnd(now),
      refusals: lockout.refusedAt.length + uncounted,
    }),
  ]
}

type Moving =
  | 'gateway.role-granted'
  | 'gateway.role-revoked'
  | 'gateway.operator-disabled'
  | 'gateway.operator-enabled'
  | 'gateway.password-reset'
  | 'gateway.password-changed'
  | 'gateway.signed-in'
  | 'gateway.reauthenticated'
  | 'gateway.sign-in-refused'
  | 'gateway.account-locked'
  | 'gateway.account-unlocked'

/** How each event moves an operator. */
const moves: { readonly [K in Moving]: (o: Operator, event: EventOf<K>) => Operator } = {
  'gateway.role-granted': (o, { data }) => ({ ...o, roles: [...o.roles, data.role] }),
  'gateway.role-revoked': (o, { data }) => ({ ...o, roles: o.roles.filter((r) => r !== data.role) }),
  'gateway.operator-disabled': (o, { at }) => ({ ...o, disabled: true, sessionsSince: at }),
  'gateway.operator-enabled': (o) => ({ ...o, disabled: false }),
  'gateway.password-reset': (o, { at }) => ({ ...o, mustChangePassword: true, sessionsSince: at }),
  'gateway.password-changed': (o, { at }) => ({
    ...o,
    mustChangePassword: false,
    sessionsSince: at,
    lockout: unlocked,
  }),
  'gateway.signed-in': (o, { at }) => ({ ...o, lastSignIn: at, lockout: unlocked }),
  'gateway.reauthenticated': (o) => ({ ...o, lockout: unlocked }),
  'gateway.sign-in-refused': (o, { at }) => ({ ...o, lockout: refusedOnce(o.lockout, at) }),
  'gateway.account-locked': (o, { data }) => ({
    ...o,
    lockout: { refusedAt: [], lockedUntil: data.until },
  }),
  'gateway.account-unlocked': (o) => ({ ...o, lockout: unlocked }),
}

/** The operator after one more event of their stream. Pure: the row and the decision fold with the same lines. */
export function evolve(state: Operator | null, event: EventOf): Operator | null {
  if (event.type === 'gateway.operator-added') {
    const { operator, name, roles } = event.data
    return {
      operator,
      name,
      roles,
      disabled: false,
      mustChangePassword: true,
      addedAt: event.at,
      lastSignIn: null,
      sessionsSince: event.at,
      lockout: unlocked,
    }
  }
  if (!state || !Object.hasOwn(moves, event.type)) return state
  // The table holds the move of exactly this type; TypeScript cannot follow the key to its own event.
  const move = moves[event.type as Moving] as (o: Operator, event: EventOf) => Operator
  return move(state, event)
}

/** How an operator stands, for people. */
export const standingOf = (o: Operator, now: Temporal.Instant): 'active' | 'disabled' | 'locked' =>
  o.disabled ? 'disabled' : isLocked(o.lockout, now) ? 'locked' : 'active'
