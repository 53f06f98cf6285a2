import { type Actor, type Cause, fact, INSTALL } from '@attestry/contracts'
import { type Appended, type Host, iso, type Refused, refuse, Transient } from '@attestry/kit'
import type { Lanes } from './lane.ts'
import {
  callsForLock,
  isLocked,
  type Lockout,
  lockEnd,
  lockHasEnded,
  refusedOnce,
  unlocked,
} from './lockout.ts'
import { attempt, type Attempt, lockDue, type Operator, type Purpose } from './operator.ts'
import type { Doing, Operators } from './operators.ts'
import { hashPassword, isOutdated, verifyPassword } from './password.ts'

/** Refused sign-ins of names that nobody has, an hour: beyond it they are counted, not appended. */
const UNKNOWN_AN_HOUR = 100

/** A proof that succeeded. */
export interface Proven {
  readonly operator: Operator
  readonly appended: Appended
}

export type ProofRefusal =
  | 'wrong-name-or-password'
  | 'one-time-password-expired'
  | 'locked'
  | 'too-many-sign-ins'

const wrong = refuse('wrong-name-or-password', 'The name or the password is wrong.')
const expired = refuse(
  'one-time-password-expired',
  'This one-time password is too old: ask an administrator for another.',
)
const locked = refuse(
  'locked',
  'Too many wrong passwords: wait a quarter of an hour, or ask an administrator to enable the account.',
)
const busy = refuse('too-many-sign-ins', 'Too many sign-ins at once: wait a moment.')

/** Proves passwords, one attempt of a name after the other. */
export function createSignIn(options: {
  readonly host: Host
  readonly tenant: string
  readonly operators: Operators
  readonly lanes: Lanes
  readonly random: (bytes: number) => Uint8Array
}) {
  const { host, tenant, operators, lanes, random } = options
  let hour = { since: host.clock.now(), refused: 0 }
  let nobodysHash: Promise<string> | null = null

  const count = (owner: string, subject: string) =>
    host.tx(owner, async (tx) => {
      await tx.rows(
        `insert into refusal_count (tenant, subject, refusals) values ($1, $2, 1)
         on conflict (tenant, subject) do update set refusals = refusal_count.refusals + 1`,
        [owner, subject],
      )
    })

  const counted = (subject: string) =>
    host.tx(tenant, async (tx) => {
      const rows = await tx.rows<{ refusals: number }>(
        'select refusals from refusal_count where tenant = $1 and subject = $2',
        [tenant, subject],
      )
      return rows[0]?.refusals ?? 0
    })

  const forget = (subject: string) =>
    host.tx(tenant, async (tx) => {
      await tx.rows('delete from refusal_count where tenant = $1 and subject = $2', [tenant, subject])
    })

  /** Rows, so that several gateways count together; the gateway's schedule forgets old ones. */
  const strangerOf = (id: string): Promise<Lockout> =>
    host.tx(tenant, async (tx) => {
      const rows = await tx.rows<{ lockout: Lockout }>(
        'select lockout from stranger where tenant = $1 and subject = $2',
        [tenant, id],
      )
      return rows[0]?.lockout ?? unlocked
    })

  const noteStranger = (id: string, lockout: Lockout, now: Temporal.Instant) =>
    host.tx(tenant, async (tx) => {
      await tx.rows(
        `insert into stranger (tenant, subject, lockout, at) values ($1, $2, $3, $4)
         on conflict (tenant, subject) do update set lockout = excluded.lockout, at = excluded.at`,
        [tenant, id, JSON.stringify(lockout), iso(now)],
      )
    })

  /** A name that nobody has behaves as one that somebody has: as slow, and locked after as many. */
  const refuseStranger = async (
    id: string,
    name: string,
    password: string,
    doing: Doing,
  ): Promise<Refused<ProofRefusal>> => {
    const now = host.clock.now()
    const before = await strangerOf(id)
    if (isLocked(before, now)) {
      await count(INSTALL, 'unknown')
      return locked
    }
    // What a known name's attempt reads before and after it, so that both take as long.
    await operators.load(id)
    await operators.load(id)
    await operators.passwordOf(id)
    nobodysHash ??= hashPassword(Buffer.from(random(16)).toString('base64'), random)
    await verifyPassword(password, await nobodysHash)
    const counting = refusedOnce(lockHasEnded(before, now) ? unlocked : before, iso(now))
    await noteStranger(
      id,
      callsForLock(counting) ? { refusedAt: [], lockedUntil: lockEnd(now) } : counting,
      now,
    )
    if (hour.since.until(now).total('hours') >= 1) hour = { since: now, refused: 0 }
    if (hour.refused >= UNKNOWN_AN_HOUR) await count(INSTALL, 'unknown')
    else {
      hour.refused++
      await host.append(INSTALL, {
        stream: `sign-ins-${iso(now).slice(0, 10)}`,
        expected: 'any',
        facts: [
          fact('gateway.sign-in-refused', { operator: null, name: name.slice(0, 200), reason: 'unknown' }),
        ],
        ...doing,
      })
    }
    await operators.load(id)
    return wrong
  }

  /** Before an attempt as well: a crash may have come between the last refusal and its lock. */
  const lockIfDue = async (id: string, doing: Doing): Promise<void> => {
    const { operator } = await operators.load(id)
    if (!operator || !callsForLock(operator.lockout)) return
    const uncounted = await counted(id)
    const { appended } = await operators.record(
      id,
      async (at) => ({ facts: at.operator ? lockDue(at.operator, host.clock.now(), uncounted) : [] }),
      doing,
    )
    if (appended) await forget(id)
  }

  /** In the operator's lane: reads, verifies, decides, appends. */
  const judge = async (
    id: string,
    name: string | null,
    password: string,
    purpose: Purpose,
    doing: Doing,
    onRight: () => Promise<void>,
  ): Promise<Proven | Refused<ProofRefusal>> => {
    if (name !== null && (await operators.load(id)).operator === null)
      return refuseStranger(id, name, password, doing)
    await lockIfDue(id, doing)
    // A decision made anew, because something else was recorded meanwhile, does not ask for the proof again: by then
    // a new password may be stored already. Whatever else changes passwords runs in this lane too.
    let proved = false
    const { decided, appended } = await operators.record(
      id,
      async ({ operator }): Promise<Attempt & { operator: Operator | null; by?: Actor }> => {
        const now = host.clock.now()
        if (!operator) return { operator, outcome: 'refused', facts: [] }
        // A locked account costs no hashing: its answer says that it is locked anyway.
        if (isLocked(operator.lockout, now)) return { operator, outcome: 'locked', facts: [] }
        const stored = await operators.passwordOf(id)
        const right = proved || (stored !== null && (await verifyPassword(password, stored.phc)))
        const goodUntil = proved || purpose.for !== 'sign-in' ? null : (stored?.goodUntil ?? null)
        const tooOld = goodUntil !== null && Temporal.Instant.compare(goodUntil, now) <= 0
        const attempted = attempt(operator, right ? (tooOld ? 'expired' : 'right') : 'wrong', purpose, now)
        if (attempted.outcome === 'admitted' && !proved) {
          proved = true
          if (stored !== null && purpose.for === 'sign-in' && isOutdated(stored.phc))
            await operators.setPassword(id, { ...stored, phc: await hashPassword(password, random) })
          await onRight()
        }
        // Whoever gave the right password is who they said they were.
        const { address } = doing.by
        const proven: Actor = { kind: 'operator', id, ...(address ? { address } : {}) }
        return { ...attempted, operator, ...(attempted.outcome === 'admitted' ? { by: proven } : {}) }
      },
      doing,
    )
    if (decided.outcome === 'locked') {
      await count(tenant, id)
      return locked
    }
    if (decided.outcome !== 'admitted' || !decided.operator) {
      await lockIfDue(id, doing)
      return decided.outcome === 'expired' ? expired : wrong
    }
    if (!appended) throw new Transient('The sign-in was not recorded.')
    return { operator: decided.operator, appended }
  }

  const strangersDoing = (address: string, cause: Cause): Doing => {
    const by: Actor = { kind: 'service', id: 'gateway', ...(address ? { address } : {}) }
    return { by, cause }
  }

  return {
    /**
     * Proves a name and password.
     * @refuses 'wrong-name-or-password' (an unknown name and a disabled operator as well) | 'locked' |
     *   'too-many-sign-ins' when too many wait for the same name
     */
    async signIn(
      given: { name: string; password: string; as: 'cookie' | 'bearer'; session: string },
      address: string,
      cause: Cause,
    ): Promise<Proven | Refused<ProofRefusal>> {
      const id = await operators.idOf(given.name)
      const purpose: Purpose = { for: 'sign-in', session: given.session, as: given.as }
      const judged = await lanes.run(id, () =>
        judge(id, given.name, given.password, purpose, strangersDoing(address, cause), async () => {}),
      )
      return judged ?? busy
    },

    /** Proves the password of somebody who is signed in. `onRight` runs before the proof is recorded. */
    async prove(
      id: string,
      password: string,
      purpose: Purpose,
      doing: Doing,
      onRight: () => Promise<void> = async () => {},
    ): Promise<Proven | Refused<'wrong-name-or-password' | 'locked'>> {
      const judged = await lanes.run(id, () => judge(id, null, password, purpose, doing, onRight))
      if (judged === null) throw new Transient('Too many attempts of this operator wait already.')
      if ('refused' in judged && judged.refused === 'too-many-sign-ins')
        throw new Transient('Too many attempts at once.')
      // Of the refusals that the signatures differ by, one was dealt with above, and one a sign-in alone has.
      return judged as Proven | Refused<'wrong-name-or-password' | 'locked'>
    },
  }
}

export type SignIn = ReturnType<typeof createSignIn>
