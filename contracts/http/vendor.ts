import * as z from 'zod'
import { Count, Instant, OpaqueId } from '../event.ts'
import { COUNTERS, SignedLicense } from '../license.ts'
import { Feature, LicenseLimits, Tier } from '../licensing.ts'
import { type Endpoint, pageOf, Paging } from './endpoint.ts'

/*
 * The vendor's API of the licence service. No part of an install: the licence Worker answers it, the fleet view asks.
 */

/** What a vendor's token may do: read, help customers, sell and end licences. Each may do what those before may. */
export const VendorRole = z.enum(['reader', 'support', 'manager'])
export type VendorRole = z.infer<typeof VendorRole>

/** Whether a role may do what needs another: each may do what those before it may. */
export const vendorMay = (has: VendorRole, needs: VendorRole): boolean =>
  VendorRole.options.indexOf(has) >= VendorRole.options.indexOf(needs)

/** One line of the vendor's contract; `open` needs no token. */
export interface VendorEndpoint extends Omit<Endpoint, 'roles' | 'entitlement' | 'reauthenticate'> {
  readonly roles: 'open' | VendorRole
}

const endpoints = <const E extends Record<string, VendorEndpoint>>(table: E): E => table

export const LicenseState = z.enum(['active', 'suspended', 'revoked'])
export type LicenseState = z.infer<typeof LicenseState>

/** How a licence stands now, in ways that exclude each other. */
export const Standing = z.enum(['active', 'expiring', 'expired', 'suspended', 'revoked'])
export type Standing = z.infer<typeof Standing>

/** Days before its end at which a licence ends soon. */
export const SOON_DAYS = 30

/** How a licence stands at a time, milliseconds. */
export function standingOf(
  license: { readonly state: LicenseState; readonly expiresAt: string },
  now: number,
): Standing {
  if (license.state !== 'active') return license.state
  const left = Date.parse(license.expiresAt) - now
  if (left <= 0) return 'expired'
  return left <= SOON_DAYS * 86_400_000 ? 'expiring' : 'active'
}

/** Hours after which an install that was not heard of is silent: five of the eight-hourly writes were missed. */
export const SILENT_AFTER_HOURS = 48

/** Whether an install is silent at a time, milliseconds. */
export const isSilent = (install: { readonly seenAt: string }, now: number): boolean =>
  now - Date.parse(install.seenAt) > SILENT_AFTER_HOURS * 3_600_000

export const LicenseRow = z.object({
  license: OpaqueId,
  /** Readable beginning of the newest key. */
  prefix: z.string(),
  tier: Tier,
  state: LicenseState,
  expiresAt: Instant,
  /** Installs that may use it at a time; null is no limit. */
  installs: Count.nullable(),
  /** Installs that do. */
  seated: Count,
  trial: z.boolean(),
  /** Null once erased. */
  customer: z.string().nullable(),
  contact: z.string().nullable(),
  issuedAt: Instant,
})
export type LicenseRow = z.infer<typeof LicenseRow>

export const InstallRow = z.object({
  license: OpaqueId,
  install: z.uuid(),
  version: z.string(),
  /** To within half a day: what has not changed is not written each hour. */
  seenAt: Instant,
  /** Null where the install does not send them. */
  counts: z.partialRecord(z.enum(COUNTERS), Count).nullable(),
})
export type InstallRow = z.infer<typeof InstallRow>

/** An install in a list, with whose it is; null where its licence is no more. */
export const InstallLine = InstallRow.extend({ tier: Tier.nullable(), customer: z.string().nullable() })
export type InstallLine = z.infer<typeof InstallLine>

export const AuditRow = z.object({
  id: Count,
  at: Instant,
  /** The token's name and role. */
  by: z.string(),
  role: VendorRole,
  action: z.string(),
  license: OpaqueId.nullable(),
  /** Whose licence; null once erased, or where it was about none. */
  customer: z.string().nullable(),
  /** What was changed, in words; never a key, a name or an address. */
  detail: z.string(),
})
export type AuditRow = z.infer<typeof AuditRow>

const Counted = z.object({ name: z.string(), installs: Count })

export const FleetHealth = z.object({
  at: Instant,
  installs: Count,
  /** False where there are more installs than one look covers. */
  complete: z.boolean(),
  silent: Count,
  sendCounts: Count,
  versions: z.array(Counted),
  tiers: z.array(Counted),
  licenses: z.record(Standing, Count),
  totals: z.partialRecord(z.enum(COUNTERS), Count),
})
export type FleetHealth = z.infer<typeof FleetHealth>

/** Sums over all installs at the end of a day. */
export const TrendDay = z.object({
  day: z.iso.date(),
  installs: Count,
  totals: z.partialRecord(z.enum(COUNTERS), Count),
})
export type TrendDay = z.infer<typeof TrendDay>

const Email = z.email('an address such as name@example.com').max(200)
const Reason = z.object({ reason: z.string().trim().min(3, 'at least three characters').max(300) })
const noLicense = { 'no-such-license': 'not-found' } as const
/** Of requests that a caller may mark with `Idempotency-Key` (a UUID), so that a repetition is carried out once. */
const once = { 'mark-reused': 'conflict' } as const
const changing = { ...noLicense, ...once, revoked: 'conflict' } as const

export const vendorHttp = endpoints({
  vendorSession: {
    method: 'GET',
    path: '/v1/vendor/session',
    summary: 'Whose token this is.',
    roles: 'reader',
    reply: z.object({ name: z.string(), role: VendorRole }),
    refusals: {},
  },
  fleetHealth: {
    method: 'GET',
    path: '/v1/vendor/fleet',
    summary: 'Installs by version and tier, silent ones, licences that end soon, sums of counts.',
    roles: 'reader',
    reply: FleetHealth,
    refusals: {},
  },
  trends: {
    method: 'GET',
    path: '/v1/vendor/trends',
    summary: 'Sums of counts by day, oldest first.',
    roles: 'reader',
    query: z.object({ days: z.coerce.number().int().min(1).max(400).default(90) }),
    reply: z.object({ items: z.array(TrendDay) }),
    refusals: {},
  },
  listInstalls: {
    method: 'GET',
    path: '/v1/vendor/installs',
    summary: 'Installs as last seen.',
    roles: 'reader',
    query: Paging.extend({
      license: OpaqueId.optional(),
      silent: z.enum(['true', 'false']).optional(),
      version: z.string().max(20).optional(),
    }),
    reply: z.object({ items: z.array(InstallLine), next: z.string().nullable() }),
    refusals: { 'bad-place': 'invalid' },
  },
  listLicenses: {
    method: 'GET',
    path: '/v1/vendor/licenses',
    summary: 'Licences; searched by customer, contact, id or beginning of the key.',
    roles: 'reader',
    query: Paging.extend({
      search: z.string().trim().max(100).optional(),
      standing: Standing.optional(),
      tier: Tier.optional(),
      order: z.enum(['newest', 'ends-first']).default('newest'),
    }),
    reply: pageOf(LicenseRow),
    refusals: { 'bad-place': 'invalid' },
  },
  readLicense: {
    method: 'GET',
    path: '/v1/vendor/licenses/{license}',
    summary: 'One licence: its terms, its keys, its installs and what was done to it.',
    roles: 'reader',
    reply: LicenseRow.extend({
      features: z.array(Feature),
      limits: LicenseLimits,
      keys: z.array(z.object({ prefix: z.string(), since: Instant, until: Instant.nullable() })),
      seats: z.array(z.object({ install: z.uuid(), since: Instant })),
      seen: z.array(InstallRow),
      audit: z.array(AuditRow),
    }),
    refusals: noLicense,
  },
  issueLicense: {
    method: 'POST',
    path: '/v1/vendor/licenses',
    summary: 'Issues a licence; its key is shown once.',
    roles: 'manager',
    body: z.object({
      tier: Tier,
      expiresAt: Instant,
      installs: z.int().min(1).max(1000).nullable().optional(),
      customer: z.string().trim().min(1).max(120),
      contact: Email.nullable().default(null),
    }),
    reply: z.object({ license: OpaqueId, key: z.string() }),
    refusals: { ...once, 'already-over': 'invalid', 'key-told-before': 'conflict' },
  },
  extendLicense: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/extend',
    summary: 'Lets a licence end later.',
    roles: 'support',
    body: z.object({ expiresAt: Instant }),
    reply: LicenseRow,
    refusals: { ...changing, 'not-later': 'invalid' },
  },
  changeTier: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/tier',
    summary: 'Gives a licence another tier, and the number of installs of that tier or as given.',
    roles: 'manager',
    body: z.object({ tier: Tier, installs: z.int().min(1).max(1000).nullable().optional() }),
    reply: LicenseRow,
    refusals: changing,
  },
  suspendLicense: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/suspend',
    summary: 'Suspends a licence: installs are told, and start nothing that needs one.',
    roles: 'support',
    body: Reason,
    reply: LicenseRow,
    refusals: { ...changing, 'already-suspended': 'conflict' },
  },
  revokeLicense: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/revoke',
    summary: 'Revokes a licence: its key is from now on a key that nobody knows.',
    roles: 'manager',
    body: Reason,
    reply: LicenseRow,
    refusals: changing,
  },
  reinstateLicense: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/reinstate',
    summary: 'Ends a suspension, or takes a revocation back.',
    roles: 'manager',
    body: Reason,
    reply: LicenseRow,
    refusals: { ...noLicense, ...once, 'already-active': 'conflict' },
  },
  rotateKey: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/rotate-key',
    summary: 'Gives a licence a new key, shown once; the old one works on for some days.',
    roles: 'support',
    body: z.object({ overlapDays: z.int().min(0).max(90).default(14) }),
    reply: z.object({ key: z.string(), oldUntil: Instant }),
    refusals: { ...changing, 'key-told-before': 'conflict' },
  },
  releaseInstall: {
    method: 'DELETE',
    path: '/v1/vendor/licenses/{license}/installs/{install}',
    summary: 'Frees the place of an install, and forgets what it sent.',
    roles: 'support',
    reply: null,
    refusals: { ...noLicense, ...once, 'no-such-install': 'not-found' },
  },
  licenseFile: {
    method: 'POST',
    path: '/v1/vendor/licenses/{license}/file',
    summary: 'A signed licence file for one install that reaches nobody.',
    roles: 'support',
    body: z.object({ install: z.uuid() }),
    reply: SignedLicense,
    refusals: { ...changing, 'not-active': 'conflict', 'no-install-left': 'conflict' },
  },
  listAudit: {
    method: 'GET',
    path: '/v1/vendor/audit',
    summary: 'What the vendor did, newest first.',
    roles: 'reader',
    query: Paging.extend({ license: OpaqueId.optional() }),
    reply: z.object({ items: z.array(AuditRow), next: z.string().nullable() }),
    refusals: { 'bad-place': 'invalid' },
  },
  exportSubject: {
    method: 'POST',
    path: '/v1/vendor/subjects/export',
    summary: 'Everything that is stored about an address, for the person behind it.',
    roles: 'manager',
    body: z.object({ email: Email }),
    reply: z.object({
      email: z.string(),
      licenses: z.array(LicenseRow),
      trials: z.array(z.object({ at: Instant, license: OpaqueId })),
      notices: z.array(z.object({ at: Instant, license: OpaqueId, kind: z.string() })),
      installs: z.array(InstallRow),
    }),
    refusals: {},
  },
  eraseSubject: {
    method: 'POST',
    path: '/v1/vendor/subjects/erase',
    summary: 'Erases names and addresses of a person; licences stay, without them.',
    roles: 'manager',
    body: z.object({ email: Email }),
    reply: z.object({ licenses: Count, trials: Count, notices: Count }),
    refusals: {},
  },
  startTrial: {
    method: 'POST',
    path: '/v1/trials',
    summary: 'Sends the key of a trial to an address; one a year for each. Answers the same whether it did.',
    roles: 'open',
    body: z.object({
      company: z.string().trim().min(1).max(120),
      email: Email,
      turnstile: z.string().min(1).max(2048),
    }),
    reply: null,
    refusals: { 'not-a-person': 'forbidden', 'trials-closed': 'unavailable' },
  },
})
