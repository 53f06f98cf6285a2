import * as z from 'zod'
import { Instant, OpaqueId } from '../event.ts'
import { ADMINS, endpoints, pageOf, Paging } from './endpoint.ts'

/** An auditor from outside: who may enter until when, and what they see. */
export const AuditorRow = z.object({
  auditor: OpaqueId,
  name: z.string(),
  until: Instant,
  /** Only these bundles; null for all of them and the ledger. */
  bundles: z.array(OpaqueId).nullable(),
  state: z.enum(['invited', 'entered', 'expired', 'revoked']),
  invitedAt: Instant,
  /** The last visit. */
  enteredAt: Instant.nullable(),
  visits: z.int().min(0),
})
export type AuditorRow = z.infer<typeof AuditorRow>

const noSuch = { 'no-such-auditor': 'not-found' } as const

/** The longest time that an auditor's door may stand open. */
export const MOST_AUDITOR_DAYS = 90

/** The auditor's own door: endpoints of the gateway, which spreads them into its table. */
export const auditorsHttp = endpoints({
  listAuditors: {
    method: 'GET',
    path: '/api/auditors',
    summary: 'Auditors from outside, newest first.',
    roles: ADMINS,
    query: Paging,
    reply: pageOf(AuditorRow),
    refusals: {},
  },
  inviteAuditor: {
    method: 'POST',
    path: '/api/auditors',
    summary: 'Lets an auditor enter until a time; the secret of their link is shown once.',
    roles: ADMINS,
    reauthenticate: true,
    body: z.object({
      name: z.string().trim().min(1, 'who it is for').max(200),
      until: Instant,
      bundles: z.array(OpaqueId).min(1, 'one bundle at least, or null for all').max(100).nullable(),
    }),
    reply: z.object({ auditor: OpaqueId, secret: z.string() }),
    refusals: { 'until-past': 'invalid', 'until-too-far': 'invalid' },
  },
  issueAuditorLink: {
    method: 'POST',
    path: '/api/auditors/{auditor}/link',
    summary: 'Gives an auditor a new link that opens one session; the one before is void.',
    roles: ADMINS,
    reauthenticate: true,
    reply: z.object({ secret: z.string() }),
    refusals: { ...noSuch, 'door-closed': 'conflict' },
  },
  revokeAuditor: {
    method: 'POST',
    path: '/api/auditors/{auditor}/revoke',
    summary: 'Closes an auditor’s door; open sessions end.',
    roles: ADMINS,
    reply: null,
    refusals: { ...noSuch, 'door-closed': 'conflict' },
  },
  enterAsAuditor: {
    method: 'POST',
    path: '/auth/auditor',
    summary: 'Begins an auditor’s session with the secret of a link, which opens nothing more afterwards.',
    roles: 'open',
    body: z.object({ secret: z.string().min(1).max(200) }),
    reply: z.object({ name: z.string(), until: Instant }),
    refusals: {
      'link-opens-nothing': 'unauthenticated',
      'too-many-sign-ins': 'too-many',
    },
  },
})
