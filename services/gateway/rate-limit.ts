import { isIPv6 } from 'node:net'
import { type Host, iso } from '@attestry/kit'

/** Lets so many through a minute from each address, whichever gateway they come to. */
export interface RateLimit {
  /** 0 when it may pass, else the seconds to wait. */
  take(address: string): Promise<number>
}

/** A customer's line holds a whole IPv6 /64: its addresses count as one. */
export const sourceOf = (address: string): string => {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('%', 1)[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = address.includes('::')
    ? Array.from({ length: 8 - left.length - right.length }, () => '0')
    : []
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

/** What a source may still spend, and when that was. */
export interface Bucket {
  readonly tokens: number
  readonly at: Temporal.Instant
}

/** Spends one token of a bucket that is refilled evenly up to `perMinute`; null is a full one. */
export function spend(
  bucket: Bucket | null,
  perMinute: number,
  now: Temporal.Instant,
): { readonly bucket: Bucket; readonly waitSeconds: number } {
  // A clock set back refills nothing.
  const passedMs = bucket ? Math.max(0, now.epochMilliseconds - bucket.at.epochMilliseconds) : 0
  const tokens = Math.min(perMinute, (bucket?.tokens ?? perMinute) + (passedMs * perMinute) / 60_000)
  return tokens >= 1
    ? { bucket: { tokens: tokens - 1, at: now }, waitSeconds: 0 }
    : { bucket: { tokens, at: now }, waitSeconds: Math.ceil(((1 - tokens) * 60) / perMinute) }
}

/** Buckets as rows, so that gateways share them. */
export function createRateLimit(options: {
  readonly host: Host
  readonly tenant: string
  readonly perMinute: number
}): RateLimit {
  const { host, tenant, perMinute } = options
  return {
    take: (address) =>
      host.tx(tenant, async (tx) => {
        const source = sourceOf(address)
        const now = host.clock.now()
        // Written first, so that two who come at once wait for each other.
        const [row] = await tx.rows<{ tokens: number; at: string }>(
          `insert into sign_in_rate as r (tenant, source, tokens, at) values ($1, $2, $3, $4)
           on conflict (tenant, source) do update set tokens = r.tokens returning tokens, at`,
          [tenant, source, perMinute, iso(now)],
        )
        const spent = spend(
          row ? { tokens: row.tokens, at: Temporal.Instant.from(row.at) } : null,
          perMinute,
          now,
        )
        await tx.rows('update sign_in_rate set tokens = $3, at = $4 where tenant = $1 and source = $2', [
          tenant,
          source,
          spent.bucket.tokens,
          iso(spent.bucket.at),
        ])
        return spent.waitSeconds
      }),
  }
}
