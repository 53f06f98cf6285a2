import * as z from 'zod'
import { Count, Instant } from '../event.ts'
import { STATS_BYTES } from '../license.ts'
import { Feature, LicenseLimits, LicenseRefusal, LicenseSource, MAX_GRACE_DAYS, Tier } from '../licensing.ts'
import { ADMINS, endpoints, READERS } from './endpoint.ts'

/** What anybody may know of the licence, signed in or not. */
export const LicenseStatus = z.object({
  tier: Tier,
  features: z.array(Feature),
  state: z.enum(['valid', 'grace', 'expired']),
  expiresAt: Instant.nullable(),
})

export const LicenseView = LicenseStatus.extend({
  source: LicenseSource,
  /** Readable beginning of the key in use. */
  keyPrefix: z.string().nullable(),
  /** True where the key comes from the configuration, which the console cannot change. */
  keyConfigured: z.boolean(),
  /** What a licence file is made for. */
  install: z.uuid(),
  refused: LicenseRefusal.nullable(),
  /** Everything works until then without an answer; null where none is needed. */
  relyUntil: Instant.nullable(),
  graceUntil: Instant.nullable(),
  /** Whole days until the licence or the time of grace ends, the earlier; null: no end. */
  daysLeft: Count.nullable(),
  limits: LicenseLimits,
  used: z.object({ vaults: Count, subscriptions: Count, users: Count, manualRotations: Count }),
  /** Where the licence service is; null where none is configured. */
  service: z.string().nullable(),
  lastAnswerAt: Instant.nullable(),
  lastAttemptAt: Instant.nullable(),
  nextAttemptAt: Instant.nullable(),
  /** Why the last attempt brought nothing, in words. */
  problem: z.string().nullable(),
  fleetVisibility: z.object({ on: z.boolean(), forcedOff: z.boolean() }),
  graceDays: z.int().min(0).max(MAX_GRACE_DAYS),
  updateNotice: z.object({
    on: z.boolean(),
    /** A newer version than this one, where there is one. */
    newer: z.object({ version: z.string(), notice: z.string() }).nullable(),
  }),
})
export type LicenseView = z.infer<typeof LicenseView>

export const licensingHttp = endpoints({
  readLicense: {
    method: 'GET',
    path: '/api/licensing',
    summary: 'The licence: state, days left, limits and what is used of them.',
    roles: READERS,
    reply: LicenseView,
    refusals: {},
  },
  previewCheck: {
    method: 'GET',
    path: '/api/licensing/preview',
    summary: 'The exact text that the next licence check sends; of the key only its beginning is shown.',
    roles: READERS,
    reply: z.object({
      /** Null where no key is there, so that nothing is sent. */
      body: z
        .string()
        .max(STATS_BYTES * 4)
        .nullable(),
      /** The text of the counts within it, or null where they are not sent. */
      stats: z.string().max(STATS_BYTES).nullable(),
    }),
    refusals: {},
  },
  enterKey: {
    method: 'PUT',
    path: '/api/licensing/key',
    summary: 'Enters a licence key and checks it at once.',
    roles: ADMINS,
    reauthenticate: true,
    body: z.object({ key: z.string().min(1).max(200) }),
    reply: LicenseView,
    refusals: { 'not-a-key': 'invalid', 'no-license-service': 'conflict', 'key-configured': 'conflict' },
  },
  removeKey: {
    method: 'DELETE',
    path: '/api/licensing/key',
    summary: 'Removes the key or licence file; the install is an evaluation from now on.',
    roles: ADMINS,
    reauthenticate: true,
    reply: LicenseView,
    refusals: { 'no-key': 'conflict', 'key-configured': 'conflict' },
  },
  loadFile: {
    method: 'PUT',
    path: '/api/licensing/file',
    summary: 'Loads a signed licence file, for an install that reaches nobody.',
    roles: ADMINS,
    reauthenticate: true,
    body: z.object({ file: z.string().min(1).max(20_000) }),
    reply: LicenseView,
    refusals: {
      'not-a-license-file': 'invalid',
      'wrong-signature': 'invalid',
      'other-install': 'conflict',
      'file-over': 'conflict',
      'key-configured': 'conflict',
      'clock-set-back': 'conflict',
    },
  },
  checkNow: {
    method: 'POST',
    path: '/api/licensing/check',
    summary: 'Asks the licence service now.',
    roles: ADMINS,
    reply: LicenseView,
    refusals: { 'no-key': 'conflict', 'checked-just-now': 'too-many' },
  },
  choosePreferences: {
    method: 'PUT',
    path: '/api/licensing/preferences',
    summary: 'Switches the sending of counts and the notice of newer versions; chooses the days of grace.',
    roles: ADMINS,
    body: z.object({
      fleetVisibility: z.boolean().optional(),
      updateNotice: z.boolean().optional(),
      graceDays: z.int().min(0).max(MAX_GRACE_DAYS).optional(),
    }),
    reply: LicenseView,
    refusals: { 'forced-off': 'conflict' },
  },
})
