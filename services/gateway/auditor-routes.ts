import { auditorsHttp } from '@attestry/contracts/http'
import { badPlace, type Handlers, type Host, iso, problem, refuse, wholeNumber } from '@attestry/kit'
import type { AdmissionDesk } from './admission.ts'
import { auditorStanding, isClosed } from './auditor.ts'
import type { Auditors } from './auditors.ts'
import type { Doing } from './operators.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Sessions } from './sessions.ts'

export const tooManySignIns = async (rate: RateLimit, address: string): Promise<Response | null> => {
  const seconds = await rate.take(address)
  return seconds === 0
    ? null
    : problem('too-many', 'too-many-sign-ins', 'Too many sign-ins from this address: wait a moment.', {
        retryAfterSeconds: seconds,
      })
}

interface Signed {
  readonly who: { readonly operator: string }
  readonly address: string
  readonly correlation: string
}

/** The handlers of the auditor's own door. */
export function auditorHandlers(r: {
  readonly host: Host
  readonly auditors: Auditors
  readonly sessions: Sessions
  readonly desk: AdmissionDesk
  readonly signInRate: RateLimit
}): Handlers<typeof auditorsHttp> {
  const { host, auditors, sessions, desk } = r
  const doing = ({ who, address, correlation }: Signed): Doing => ({
    by: { kind: 'operator', id: who.operator, ...(address ? { address } : {}) },
    cause: { correlation, causation: correlation },
  })

  return {
    listAuditors: async ({ query }) => {
      const { after, limit } = query
      const before = after === undefined ? null : wholeNumber(after)
      if (after !== undefined && before === null) return badPlace()
      const now = host.clock.now()
      const page = await auditors.list(before, limit)
      return {
        items: page.auditors.map((a) => ({
          auditor: a.auditor,
          name: a.name,
          until: a.until,
          bundles: a.bundles && [...a.bundles],
          state: auditorStanding(a, now),
          invitedAt: a.invitedAt,
          enteredAt: a.enteredAt,
          visits: a.visits,
        })),
        next: page.next,
        total: page.total,
      }
    },

    inviteAuditor: (call) => auditors.invite(call.body, doing(call)),
    issueAuditorLink: (call) => auditors.issueLink(call.params.auditor, doing(call)),
    revokeAuditor: async (call) => (await auditors.revoke(call.params.auditor, doing(call))) ?? undefined,

    enterAsAuditor: async ({ body, address, correlation, request }) => {
      const refused = await tooManySignIns(r.signInRate, address)
      if (refused) return refused
      const id = host.ids.opaque('session')
      const cause = { correlation, causation: correlation }
      const entered = await auditors.enter(body.secret, id, address, cause)
      const now = host.clock.now()
      if (!entered || isClosed(entered.auditor, now))
        return refuse(
          'link-opens-nothing',
          'This link opens nothing: it was used, replaced or withdrawn, or its time is over. Ask whoever gave it to you for another.',
        )
      const { auditor } = entered
      await sessions.open({
        session: id,
        operator: auditor.auditor,
        as: 'cookie',
        now,
        trustedSince: entered.appended.at,
        reauthenticatedUntil: null,
      })
      const admitted = await desk.current(id)
      if (!admitted) throw new Error('a session that was just opened is gone')
      return Response.json(
        auditorsHttp.enterAsAuditor.reply.parse({
          name: auditor.name,
          until: iso(Temporal.Instant.from(auditor.until)),
        }),
        {
          headers: {
            'cache-control': 'no-store',
            ...desk.handOver(await desk.mint(admitted), 'cookie', request),
          },
        },
      )
    },
  }
}
