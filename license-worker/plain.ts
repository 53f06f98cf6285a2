import { isLicenseKey, TIERS, type ValidateRequest } from '@attestry/contracts'
import type { Projection } from './projection.ts'
import type { Metadata } from './seen.ts'

/*
 * Whether a value is plainly right, by looks alone: nothing is built, so that it takes a tenth of what a schema takes
 * in a runtime without eval, where three of them were a tenth of a licence check. Each takes less than its schema does,
 * never more; what it does not take is the schema's to judge, and to find words for.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const VERSION = /^\d{1,4}\.\d{1,4}\.\d{1,4}$/
const NONCE = /^[0-9a-f]{32}$/
const KEY_ID = /^[a-z0-9][a-z0-9-]{0,30}$/
const MOST_KEY_IDS = 8
const LICENSE = /^lic-[0-9a-z]{4,64}$/
/** No day after the 28th, which not every month has. */
const INSTANT = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/

const FIELDS: ReadonlySet<string> = new Set(['key', 'install', 'version', 'nonce', 'kids', 'stats'])

const hasForm = (form: RegExp, value: unknown): boolean => typeof value === 'string' && form.test(value)

type Members<T> = { readonly [K in keyof T]?: unknown }

export function isPlainRequest(value: unknown): value is ValidateRequest {
  if (typeof value !== 'object' || value === null) return false
  const asked: Members<ValidateRequest> = value
  for (const name in asked) if (!FIELDS.has(name)) return false
  const { key, kids } = asked
  return (
    typeof key === 'string' &&
    isLicenseKey(key) &&
    hasForm(UUID, asked.install) &&
    hasForm(VERSION, asked.version) &&
    hasForm(NONCE, asked.nonce) &&
    (kids === undefined ||
      (Array.isArray(kids) && kids.length <= MOST_KEY_IDS && kids.every((kid) => hasForm(KEY_ID, kid))))
  )
}

export function isPlainProjection(value: unknown): value is Projection {
  if (typeof value !== 'object' || value === null) return false
  const stored: Members<Projection> = value
  return (
    hasForm(LICENSE, stored.license) &&
    typeof stored.tier === 'string' &&
    Object.hasOwn(TIERS, stored.tier) &&
    typeof stored.suspended === 'boolean' &&
    hasForm(INSTANT, stored.expiresAt) &&
    (stored.installs === null || Number.isSafeInteger(stored.installs)) &&
    Array.isArray(stored.seats) &&
    stored.seats.every((seat) => typeof seat === 'string')
  )
}

export function isPlainMetadata(value: unknown): value is Metadata {
  if (typeof value !== 'object' || value === null) return false
  const stored: Members<Metadata> = value
  return (
    Number.isSafeInteger(stored.a) &&
    typeof stored.v === 'string' &&
    Number.isSafeInteger(stored.l) &&
    (stored.c === null ||
      (Array.isArray(stored.c) && stored.c.every((count) => count === null || Number.isSafeInteger(count))))
  )
}
