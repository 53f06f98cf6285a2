import * as z from 'zod'
import { Actor, Count, Instant, OpaqueId } from '../event.ts'
import { Role } from '../gateway.ts'
import { auditorsHttp } from './auditors.ts'
import { ADMINS, endpoints, pageOf, Paging } from './endpoint.ts'
import { LicenseStatus } from './licensing.ts'

/** At least 12 characters; length is what guards a password (NIST SP 800-63B 3.1.1.2). */
export const Password = z.string().min(12, 'at least 12 characters').max(200)

export const OperatorRow = z.object({
  operator: OpaqueId,
  name: z.string(),
  roles: z.array(Role),
  state: z.enum(['active', 'disabled', 'locked']),
  mustChangePassword: z.boolean(),
  addedAt: Instant,
  lastSignIn: Instant.nullable(),
})

export const Session = z.object({
  operator: OpaqueId,
  name: z.string(),
  tenant: z.string(),
  roles: z.array(Role),
  mustChangePassword: z.boolean(),
  expiresAt: Instant,
  /** Guarded actions are allowed until then. */
  reauthenticatedUntil: Instant.nullable(),
  origin: z.enum(['real', 'demo']),
  productVersion: z.string(),
  /** Of an auditor from outside: until when the door is open, and the only bundles behind it (null: all). */
  door: z.object({ until: Instant, bundles: z.array(OpaqueId).nullable() }).nullable(),
})
export type Session = z.infer<typeof Session>

export const ActivityRow = z.object({
  seq: Count,
  at: Instant,
  type: z.string(),
  stream: z.string(),
  actorKind: z.string(),
  actorId: z.string(),
  actorName: z.string().nullable(),
  /** Where the actor was, and why it was done, where they said so and it was not erased. */
  address: z.string().nullable(),
  reason: z.string().nullable(),
  link: z.string(),
})

const refuseOperator = { 'no-such-operator': 'not-found' } as const

export const gatewayHttp = endpoints({
  ...auditorsHttp,
  health: {
    method: 'GET',
    path: '/health',
    summary: 'The process answers.',
    roles: 'open',
    reply: z.object({ status: z.literal('ok') }),
    refusals: {},
  },
  ready: {
    method: 'GET',
    path: '/ready',
    summary: 'The product can do its work; no detail to strangers.',
    roles: 'open',
    reply: z.object({ status: z.literal('ready') }),
    refusals: { 'not-ready': 'unavailable' },
  },
  login: {
    method: 'POST',
    path: '/auth/login',
    summary: 'Signs in: a cookie for a browser, a bearer token for a machine.',
    roles: 'open',
    body: z.object({
      name: z.string().min(1).max(200),
      password: z.string().min(1).max(200),
      as: z.enum(['cookie', 'bearer']).default('cookie'),
    }),
    reply: z.object({ session: Session, token: z.string().nullable() }),
    refusals: {
      'wrong-name-or-password': 'unauthenticated',
      'one-time-password-expired': 'unauthenticated',
      locked: 'locked',
      'too-many-sign-ins': 'too-many',
    },
  },
  logout: {
    method: 'POST',
    path: '/auth/logout',
    summary: 'Ends the session.',
    roles: 'anyone',
    reply: null,
    refusals: {},
  },
  session: {
    method: 'GET',
    path: '/auth/session',
    summary: 'Who is signed in, and what they may do.',
    roles: 'anyone',
    reply: Session,
    refusals: {},
  },
  reauthenticate: {
    method: 'POST',
    path: '/auth/reauthenticate',
    summary: 'Proves the password again; guarded actions are allowed for five minutes.',
    roles: 'anyone',
    body: z.object({ password: z.string().min(1).max(200) }),
    reply: z.object({ until: Instant, token: z.string().nullable() }),
    refusals: { 'wrong-name-or-password': 'unauthenticated', locked: 'locked' },
  },
  changePassword: {
    method: 'POST',
    path: '/auth/password',
    summary: 'Chooses a new password; other sessions end.',
    roles: 'anyone',
    body: z.object({ current: z.string().min(1).max(200), next: Password }),
    reply: null,
    refusals: { 'wrong-name-or-password': 'unauthenticated', 'same-password': 'invalid', locked: 'locked' },
  },
  listOperators: {
    method: 'GET',
    path: '/api/operators',
    summary: 'People and machines that may sign in.',
    roles: ADMINS,
    query: Paging,
    reply: pageOf(OperatorRow),
    refusals: {},
  },
  addOperator: {
    method: 'POST',
    path: '/api/operators',
    summary: 'Adds an operator; the one-time password is shown once.',
    roles: ADMINS,
    reauthenticate: true,
    body: z.object({ name: z.string().trim().min(1).max(200), roles: z.array(Role).min(1) }),
    reply: z.object({ operator: OpaqueId, oneTimePassword: z.string() }),
    refusals: { 'name-taken': 'conflict', 'too-many-users': 'conflict' },
  },
  setRoles: {
    method: 'PUT',
    path: '/api/operators/{operator}/roles',
    summary: 'Sets an operator’s roles.',
    roles: ADMINS,
    reauthenticate: true,
    body: z.object({ roles: z.array(Role).min(1) }),
    reply: null,
    refusals: { ...refuseOperator, 'last-administrator': 'conflict' },
  },
  disableOperator: {
    method: 'POST',
    path: '/api/operators/{operator}/disable',
    summary: 'Ends an operator’s sessions and refuses new ones.',
    roles: ADMINS,
    reauthenticate: true,
    reply: null,
    refusals: { ...refuseOperator, 'last-administrator': 'conflict', 'already-disabled': 'conflict' },
  },
  enableOperator: {
    method: 'POST',
    path: '/api/operators/{operator}/enable',
    summary: 'Lets a disabled or locked operator sign in again.',
    roles: ADMINS,
    reauthenticate: true,
    reply: null,
    refusals: { ...refuseOperator, 'already-enabled': 'conflict', 'too-many-users': 'conflict' },
  },
  resetPassword: {
    method: 'POST',
    path: '/api/operators/{operator}/reset',
    summary: 'Gives an operator a new one-time password, shown once.',
    roles: ADMINS,
    reauthenticate: true,
    reply: z.object({ oneTimePassword: z.string() }),
    refusals: refuseOperator,
  },
  licenseStatus: {
    method: 'GET',
    path: '/api/license/status',
    summary: 'Tier and state of the licence, nothing private.',
    roles: 'open',
    reply: LicenseStatus,
    refusals: {},
  },
  live: {
    method: 'GET',
    path: '/api/live',
    summary: 'What happens, as server-sent events: type and seq of each event, no content.',
    roles: 'anyone',
    reply: 'stream',
    refusals: {},
  },
  listActivity: {
    method: 'GET',
    path: '/api/activity',
    summary: 'The ledger, newest first.',
    roles: ['tenant-admin', 'security-admin', 'auditor'],
    query: Paging.extend({
      type: z.string().max(80).optional(),
      /** An id, or a name. */
      actor: z.string().max(80).optional(),
      kind: Actor.shape.kind.optional(),
      from: Instant.optional(),
      to: Instant.optional(),
    }),
    reply: pageOf(ActivityRow),
    refusals: { 'outside-your-scope': 'forbidden' },
  },
  verifyLedger: {
    method: 'POST',
    path: '/api/ledger/verify',
    summary: 'Walks the tenant’s chain and names the first bad event.',
    roles: ['tenant-admin', 'security-admin', 'auditor'],
    reply: z.object({
      ok: z.boolean(),
      events: Count,
      head: z.string(),
      firstBad: z.object({ seq: Count, reason: z.string() }).nullable(),
      durationMs: Count,
    }),
    refusals: { 'already-verifying': 'conflict', 'outside-your-scope': 'forbidden' },
  },
  listOperations: {
    method: 'GET',
    path: '/api/operations',
    summary: 'Services, how far each is behind the ledger, and stuck work.',
    roles: ['tenant-admin', 'security-admin'],
    reply: z.object({
      services: z.array(
        z.object({
          service: z.string(),
          consumer: z.string(),
          context: z.string(),
          cursor: Count,
          head: Count,
        }),
      ),
      stuck: z.array(
        z.object({
          id: z.string(),
          service: z.string(),
          consumer: z.string(),
          seq: Count.nullable(),
          reason: z.string(),
          since: Instant,
        }),
      ),
    }),
    refusals: {},
  },
  replayStuck: {
    method: 'POST',
    path: '/api/operations/{service}/stuck/{id}/replay',
    summary: 'Tries stuck work again.',
    roles: ['tenant-admin', 'security-admin'],
    reply: null,
    refusals: { 'no-such-work': 'not-found' },
  },
})
