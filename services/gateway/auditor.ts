import { type EventOf, type Fact, fact } from '@attestry/contracts'
import { MOST_AUDITOR_DAYS } from '@attestry/contracts/http'
import { type Refused, refuse } from '@attestry/kit'
import { unlocked } from './lockout.ts'
import type { Operator } from './operator.ts'

/** An auditor from outside, who has no password: what their own stream says. */
export interface Auditor {
  readonly auditor: string
  readonly name: string
  /** The door closes then, and every session with it. */
  readonly until: string
  /** The only bundles behind the door; null for all, and the ledger. */
  readonly bundles: readonly string[] | null
  readonly invitedAt: string
  readonly enteredAt: string | null
  readonly visits: number
  readonly revoked: boolean
  /** The link given last, and whether it was used. */
  readonly link: { readonly link: string; readonly used: boolean } | null
}

/** The ids of auditors begin so: a session's owner tells by it what kind they are. */
export const AUDITOR = 'auditor'
export const isAuditor = (id: string): boolean => id.startsWith(`${AUDITOR}-`)

/** Why a link opens nothing. */
export type TurnedAway = EventOf<'gateway.auditor-turned-away'>['data']['reason']

const isPast = (at: string, now: Temporal.Instant) =>
  Temporal.Instant.compare(Temporal.Instant.from(at), now) <= 0

export const isClosed = (a: Auditor, now: Temporal.Instant): boolean => a.revoked || isPast(a.until, now)

/** How an auditor stands, for people. */
export const auditorStanding = (
  a: Auditor,
  now: Temporal.Instant,
): 'invited' | 'entered' | 'expired' | 'revoked' => {
  if (a.revoked) return 'revoked'
  if (isPast(a.until, now)) return 'expired'
  return a.enteredAt === null ? 'invited' : 'entered'
}

/**
 * An auditor is invited, and given their first link.
 * @refuses 'until-past'; 'until-too-far' beyond 90 days
 */
export function invite(
  wish: {
    readonly auditor: string
    readonly name: string
    readonly until: string
    readonly bundles: readonly string[] | null
    readonly link: string
  },
  now: Temporal.Instant,
): Fact[] | Refused<'until-past' | 'until-too-far'> {
  const { auditor, name, until, bundles, link } = wish
  if (isPast(until, now))
    return refuse('until-past', 'The door would be closed already.', [
      { field: 'body.until', message: 'must lie in the future' },
    ])
  const most = now.add({ hours: 24 * MOST_AUDITOR_DAYS })
  if (Temporal.Instant.compare(Temporal.Instant.from(until), most) > 0)
    return refuse('until-too-far', `A door stands open for ${MOST_AUDITOR_DAYS} days at most.`, [
      { field: 'body.until', message: `at most ${MOST_AUDITOR_DAYS} days from now` },
    ])
  return [
    fact('gateway.auditor-invited', {
      auditor,
      name,
      until,
      bundles: bundles && [...new Set(bundles)],
    }),
    fact('gateway.auditor-link-issued', { auditor, link }),
  ]
}

type Standing = Refused<'no-such-auditor' | 'door-closed'>

const standing = (state: Auditor | null, now: Temporal.Instant): Auditor | Standing => {
  if (!state) return refuse('no-such-auditor', 'There is no such auditor.')
  if (isClosed(state, now))
    return refuse('door-closed', 'This auditor’s door is closed; invite them again to open another.')
  return state
}

/** @refuses 'no-such-auditor' | 'door-closed' */
export function issueLink(state: Auditor | null, link: string, now: Temporal.Instant): Fact[] | Standing {
  const open = standing(state, now)
  return 'refused' in open ? open : [fact('gateway.auditor-link-issued', { auditor: open.auditor, link })]
}

/** @refuses 'no-such-auditor' | 'door-closed' */
export function revoke(state: Auditor | null, now: Temporal.Instant): Fact[] | Standing {
  const open = standing(state, now)
  return 'refused' in open ? open : [fact('gateway.auditor-revoked', { auditor: open.auditor })]
}

/** What follows from a link whose secret was right. It opens one session, and nothing after that. */
export function enter(
  state: Auditor,
  link: string,
  session: string,
  now: Temporal.Instant,
): { readonly entered: boolean; readonly facts: Fact[] } {
  const { auditor } = state
  const reason: TurnedAway | null = state.revoked
    ? 'revoked'
    : isPast(state.until, now)
      ? 'expired'
      : state.link?.link !== link
        ? 'replaced'
        : state.link.used
          ? 'used'
          : null
  if (reason)
    return { entered: false, facts: [fact('gateway.auditor-turned-away', { auditor, link, reason })] }
  return { entered: true, facts: [fact('gateway.auditor-entered', { auditor, link, session })] }
}

/** The auditor after one more event of their stream. Pure: the row and the decision fold with the same lines. */
export function evolveAuditor(state: Auditor | null, event: EventOf): Auditor | null {
  if (event.type === 'gateway.auditor-invited') {
    const { auditor, name, until, bundles } = event.data
    return {
      auditor,
      name,
      until,
      bundles,
      invitedAt: event.at,
      enteredAt: null,
      visits: 0,
      revoked: false,
      link: null,
    }
  }
  if (!state) return null
  switch (event.type) {
    case 'gateway.auditor-link-issued':
      return { ...state, link: { link: event.data.link, used: false } }
    case 'gateway.auditor-entered':
      return {
        ...state,
        enteredAt: event.at,
        visits: state.visits + 1,
        link: { link: event.data.link, used: true },
      }
    case 'gateway.auditor-revoked':
      return { ...state, revoked: true }
    default:
      return state
  }
}

/** An auditor as whoever a session belongs to: the role auditor, and disabled once the door is closed. */
export const asOperator = (a: Auditor, now: Temporal.Instant): Operator => ({
  operator: a.auditor,
  name: a.name,
  roles: ['auditor'],
  disabled: isClosed(a, now),
  mustChangePassword: false,
  addedAt: a.invitedAt,
  lastSignIn: a.enteredAt,
  sessionsSince: a.invitedAt,
  lockout: unlocked,
})
