import * as z from 'zod'
import { Count, committed, events, Instant, OpaqueId, Pairs } from './event.ts'

/** The six roles. What each may do stands in the endpoint tables, one line an endpoint. */
export const Role = z.enum([
  'tenant-admin',
  'security-admin',
  'analyst',
  'viewer',
  'auditor',
  'service-account',
])
export type Role = z.infer<typeof Role>

export const gatewayEvents = events('gateway', {
  'operator-added': {
    v: 1,
    says: 'A person or a machine may sign in.',
    data: z.object({ operator: OpaqueId, name: committed(z.string()), roles: z.array(Role) }),
  },
  'role-granted': { v: 1, says: 'A role was given.', data: z.object({ operator: OpaqueId, role: Role }) },
  'role-revoked': { v: 1, says: 'A role was taken.', data: z.object({ operator: OpaqueId, role: Role }) },
  'operator-disabled': {
    v: 1,
    says: 'An operator may no longer sign in; open sessions end.',
    data: z.object({ operator: OpaqueId }),
  },
  'operator-enabled': {
    v: 1,
    says: 'A disabled operator may sign in again.',
    data: z.object({ operator: OpaqueId }),
  },
  'password-reset': {
    v: 1,
    says: 'An administrator gave an operator a new one-time password.',
    data: z.object({ operator: OpaqueId }),
  },
  'password-changed': {
    v: 1,
    says: 'An operator chose a new password; other sessions end.',
    data: z.object({ operator: OpaqueId }),
  },
  'signed-in': {
    v: 1,
    prunable: 'superseded',
    says: 'An operator signed in.',
    data: z.object({ operator: OpaqueId, session: OpaqueId, as: z.enum(['cookie', 'bearer']) }),
  },
  'signed-out': {
    v: 1,
    prunable: 'always',
    says: 'An operator ended a session.',
    data: z.object({ operator: OpaqueId, session: OpaqueId }),
  },
  reauthenticated: {
    v: 1,
    prunable: 'always',
    says: 'An operator proved the password again before a guarded action.',
    data: z.object({ operator: OpaqueId, session: OpaqueId }),
  },
  'sign-in-refused': {
    v: 1,
    prunable: 'superseded',
    says: 'A sign-in was refused; beyond a lockout refusals are counted, not appended.',
    data: z.object({
      operator: OpaqueId.nullable(),
      name: committed(z.string().max(200)),
      /** `expired`: the one-time password was right, and too old. */
      reason: z.enum(['wrong-password', 'unknown', 'disabled', 'locked', 'expired']),
    }),
  },
  'account-locked': {
    v: 1,
    says: 'Repeated refusals locked an account for a while.',
    data: z.object({ operator: OpaqueId, until: Instant, refusals: Count }),
  },
  'account-unlocked': {
    v: 1,
    says: 'A lock ended, by time or by an administrator.',
    data: z.object({ operator: OpaqueId }),
  },
  'action-refused': {
    v: 1,
    prunable: 'always',
    says: 'An operator asked for something that their role or licence does not allow.',
    data: z.object({ operator: OpaqueId, action: z.string(), reason: z.string() }),
  },
  'signing-key-published': {
    v: 1,
    says: 'The gateway signs tokens with a new key; every service verifies with the public half given here. The key before it ends with its last token.',
    data: z.object({ kid: z.string(), jwk: Pairs }),
  },
  'setting-changed': {
    v: 1,
    says: 'A setting of the tenant changed.',
    data: z.object({ key: z.string(), from: z.string().nullable(), to: z.string().nullable() }),
  },
  'action-taken': {
    v: 1,
    prunable: 'always',
    says: 'An operator did something that no event of its own tells.',
    data: z.object({ operator: OpaqueId, action: z.string() }),
  },
  'auditor-invited': {
    v: 1,
    says: 'An auditor from outside may enter until a time, and see these bundles, or all of them and the ledger.',
    data: z.object({
      auditor: OpaqueId,
      name: committed(z.string().max(200)),
      until: Instant,
      bundles: z.array(OpaqueId).min(1).nullable(),
    }),
  },
  'auditor-link-issued': {
    v: 1,
    says: 'An auditor was given a link that opens one session; links before it are void.',
    data: z.object({ auditor: OpaqueId, link: OpaqueId }),
  },
  'auditor-entered': {
    v: 1,
    says: 'An auditor used a link; it opens nothing more.',
    data: z.object({ auditor: OpaqueId, link: OpaqueId, session: OpaqueId }),
  },
  'auditor-turned-away': {
    v: 1,
    prunable: 'always',
    says: 'A link of an auditor was tried that opens nothing any more.',
    data: z.object({
      auditor: OpaqueId,
      link: OpaqueId,
      reason: z.enum(['used', 'replaced', 'expired', 'revoked']),
    }),
  },
  'auditor-revoked': {
    v: 1,
    says: 'An auditor may not enter any more; open sessions end.',
    data: z.object({ auditor: OpaqueId }),
  },
})
