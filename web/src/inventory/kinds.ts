import type { AssetKind } from '@attestry/contracts/http'

export const KIND_WORDS: Readonly<Record<AssetKind, string>> = {
  secret: 'Secret',
  key: 'Key',
  certificate: 'Certificate',
  'app-secret': 'App secret',
  'app-certificate': 'App certificate',
}

export const KINDS = Object.keys(KIND_WORDS) as readonly AssetKind[]

export const isKind = (text: string): text is AssetKind => Object.hasOwn(KIND_WORDS, text)

export const STATES = ['expired', 'expires-7d', 'expires-30d', 'no-expiry', 'disabled'] as const
export type State = (typeof STATES)[number]

export const STATE_WORDS: Readonly<Record<State, string>> = {
  expired: 'Expired',
  'expires-7d': 'Expires within 7 days',
  'expires-30d': 'Expires within 30 days',
  'no-expiry': 'Without expiry',
  disabled: 'Disabled',
}

export const isState = (text: string): text is State => STATES.some((s) => s === text)

export const SORTS = ['name', 'expires', 'updated', 'holder'] as const
export const isSort = (text: string): text is (typeof SORTS)[number] => SORTS.some((s) => s === text)

const DAY = 86_400_000

export type Nearness = 'expired' | 'week' | 'month' | 'later' | 'never'

/** How near an expiry is at `now` (milliseconds): the same windows as the rules, exact to the millisecond. */
export function nearness(expires: string | null, now: number): Nearness {
  if (expires === null) return 'never'
  const left = Date.parse(expires) - now
  if (left <= 0) return 'expired'
  if (left < 7 * DAY) return 'week'
  return left < 30 * DAY ? 'month' : 'later'
}

/** What a key or certificate is made of: `RSA 2048`, `EC P-256`. */
export function strength(asset: {
  readonly algorithm: string | null
  readonly bits: number | null
  readonly curve: string | null
}): string | null {
  if (asset.algorithm === null) return null
  const size = asset.curve ?? (asset.bits === null ? null : String(asset.bits))
  return size === null ? asset.algorithm : `${asset.algorithm} ${size}`
}
