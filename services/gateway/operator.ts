import { type EventOf, type Fact, fact, type Role } from '@attestry/contracts'
import { iso, type Refused, refuse } from '@attestry/kit'
import { isLocked, type Lockout, lockCalledFor, lockHasEnded, refusedOnce, unlocked } from './lockout.ts'

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

/** What administrators ask for. */
export type Change =
  | { readonly do: 'add'; readonly operator: string; readonly name: string; readonly roles: readonly Role[] }
  | { readonly do: 'set-roles'; readonly roles: readonly Role[]; readonly othersAdminister: boolean }
  | { readonly do: 'disable'; readonly othersAdminister: boolean }
  | { readonly do: 'enable' }
  | { readonly do: 'reset-password' }

export type ChangeRefusal =
  | 'name-taken'
  | 'no-such-operator'
  | 'last-administrator'
  | 'already-disabled'
  | 'already-enabled'

export const administers = (o: Pick<Operator, 'roles' | 'disabled'>): boolean =>
  !o.disabled && o.roles.includes('tenant-admin')

const lastAdministrator = () =>
  refuse('last-administrator', 'Nobody else could administer: make another operator an administrator first.')

/**
 * What follows from an administrator's wish.
 * @refuses 'name-taken' | 'no-such-operator' | 'last-administrator' | 'already-disabled' | 'already-enabled'
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
    return [fact('gateway.operator-added', { operator, name, roles: [...new Set(roles)] })]
  }
  if (!state) return refuse('no-such-operator', 'There is no such operator.')
  const { operator } = state
  switch (change.do) {
    case 'set-roles': {
      if (administers(state) && !change.roles.includes('tenant-admin') && !change.othersAdminister)
        return lastAdministrator()
      return [
        ...change.roles
          .filter((role, i) => !state.roles.includes(role) && change.roles.indexOf(role) === i)
          .map((role) => fact('gateway.role-granted', { operator, role })),
        ...state.roles
          .filter((role) => !change.roles.includes(role))
          .map((role) => fact('gateway.role-revoked', { operator, role })),
      ]
    }
    case 'disable':
      if (state.disabled) return refuse('already-disabled', 'The operator is disabled already.')
      if (administers(state) && !change.othersAdminister) return lastAdministrator()
      return [fact('gateway.operator-disabled', { operator })]
    case 'enable': {
      const locked = isLocked(state.lockout, now)
      if (!state.disabled && !locked) return refuse('already-enabled', 'The operator may sign in already.')
      return [
        ...(state.disabled ? [fact('gateway.operator-enabled', { operator })] : []),
        ...(locked ? [fact('gateway.account-unlocked', { operator })] : []),
      ]
    }
    case 'reset-password':
      return [
        fact('gateway.password-reset', { operator }),
        ...(state.lockout.lockedUntil === null ? [] : [fact('gateway.account-unlocked', { operator })]),
      ]
  }
}

/** What a password that proved right is for. */
export type Purpose =
  | { readonly for: 'sign-in'; readonly session: string; readonly as: 'cookie' | 'bearer' }
  | { readonly for: 'reauthenticate'; readonly session: string }
  | { readonly for: 'change-password' }

/** How an attempt to prove a password ended, and what is to be recorded of it. */
export interface Attempt {
  readonly outcome: 'admitted' | 'refused' | 'locked'
  readonly facts: readonly Fact[]
}

const passed = (operator: string, purpose: Purpose): Fact => {
  switch (purpose.for) {
    case 'sign-in':
      return fact('gateway.signed-in', { operator, session: purpose.session, as: purpose.as })
    case 'reauthenticate':
      return fact('gateway.reauthenticated', { operator, session: purpose.session })
    case 'change-password':
      return fact('gateway.password-changed', { operator })
  }
}

/**
 * What follows from a password given. While a lock holds nothing is recorded, right or wrong: the caller counts
 * (`countedRefusals`, told by the lock after this one).
 */
export function attempt(
  state: Operator,
  proof: 'right' | 'wrong',
  purpose: Purpose,
  now: Temporal.Instant,
  countedRefusals = 0,
): Attempt {
  const { operator, name } = state
  if (isLocked(state.lockout, now)) return { outcome: 'locked', facts: [] }
  const unlock = lockHasEnded(state.lockout, now) ? [fact('gateway.account-unlocked', { operator })] : []
  if (proof === 'right' && !state.disabled)
    return { outcome: 'admitted', facts: [...unlock, passed(operator, purpose)] }
  const reason = state.disabled ? 'disabled' : 'wrong-password'
  const refused = fact('gateway.sign-in-refused', { operator, name, reason })
  const counting = refusedOnce(unlock.length > 0 ? unlocked : state.lockout, iso(now))
  const until = lockCalledFor(counting, now)
  const lock = until
    ? [
        fact('gateway.account-locked', {
          operator,
          until,
          refusals: counting.refusedAt.length + countedRefusals,
        }),
      ]
    : []
  return { outcome: 'refused', facts: [...unlock, refused, ...lock] }
}

/** The operator after one more event of their stream. Pure: the row and the decision fold with the same lines. */
export function evolve(state: Operator | null, event: EventOf): Operator | null {
  if (event.type === 'gateway.operator-added')
    return {
      operator: event.data.operator,
      name: event.data.name,
      roles: event.data.roles,
      disabled: false,
      mustChangePassword: true,
      addedAt: event.at,
      lastSignIn: null,
      sessionsSince: event.at,
      lockout: unlocked,
    }
  if (!state) return null
  switch (event.type) {
    case 'gateway.role-granted':
      return { ...state, roles: [...state.roles, event.data.role] }
    case 'gateway.role-revoked':
      return { ...state, roles: state.roles.filter((r) => r !== event.data.role) }
    case 'gateway.operator-disabled':
      return { ...state, disabled: true, sessionsSince: event.at }
    case 'gateway.operator-enabled':
      return { ...state, disabled: false }
    case 'gateway.password-reset':
      return { ...state, mustChangePassword: true, sessionsSince: event.at }
    case 'gateway.password-changed':
      return { ...state, mustChangePassword: false, sessionsSince: event.at, lockout: unlocked }
    case 'gateway.signed-in':
      return { ...state, lastSignIn: event.at, lockout: unlocked }
    case 'gateway.reauthenticated':
      return { ...state, lockout: unlocked }
    case 'gateway.sign-in-refused':
      return { ...state, lockout: refusedOnce(state.lockout, event.at) }
    case 'gateway.account-locked':
      return { ...state, lockout: { refusedAt: [], lockedUntil: event.data.until } }
    case 'gateway.account-unlocked':
      return { ...state, lockout: unlocked }
    default:
      return state
  }
}

/** How an operator stands, for people. */
export const standingOf = (o: Operator, now: Temporal.Instant): 'active' | 'disabled' | 'locked' =>
  o.disabled ? 'disabled' : isLocked(o.lockout, now) ? 'locked' : 'active'
