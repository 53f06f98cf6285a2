import { isIPv6 } from 'node:net'
import type { Clock } from '@attestry/kit'

/** Lets so many through a minute from each address. */
export interface RateLimit {
  /** 0 when it may pass, else the seconds to wait. */
  take(address: string): number
}

/** A customer's line holds a whole IPv6 /64: its addresses count as one. */
const sourceOf = (address: string): string => {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('%', 1)[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = address.includes('::')
    ? Array.from({ length: 8 - left.length - right.length }, () => '0')
    : []
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

/** More sources than these and the oldest is forgotten: an attacker with a million addresses costs no memory. */
const MOST_SOURCES = 10_000

/** A bucket of tokens a source: `perMinute` at once, refilled evenly. */
export function createRateLimit(options: { readonly perMinute: number; readonly clock: Clock }): RateLimit {
  const { perMinute, clock } = options
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    take(address) {
      const source = sourceOf(address)
      const at = clock.now().epochMilliseconds
      const bucket = buckets.get(source) ?? { tokens: perMinute, at }
      // A clock set back refills nothing.
      const refilled = Math.min(perMinute, bucket.tokens + (Math.max(0, at - bucket.at) * perMinute) / 60_000)
      buckets.delete(source)
      const passes = refilled >= 1
      buckets.set(source, { tokens: passes ? refilled - 1 : refilled, at })
      if (buckets.size > MOST_SOURCES) {
        const oldest = buckets.keys().next()
        if (!oldest.done) buckets.delete(oldest.value)
      }
      return passes ? 0 : Math.ceil(((1 - refilled) * 60) / perMinute)
    },
  }
}
