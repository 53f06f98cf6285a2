import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'

/** Where ids come from. Event ids are time-ordered: random ones cost a fifth more an insert. */
export interface Ids {
  /** A UUID version 7 (RFC 9562 5.7). */
  uuid(): string
  /** A fresh opaque id of a kind, such as `scan-01…`. */
  opaque(kind: string): string
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** Bytes drawn from the system at once: some two hundred salts. */
const DRAWN_BYTES = 4096

/**
 * Random bytes for salts and ids, drawn from the system many at a time: a draw of its own costs more than all else
 * that is done with a salt. Each byte is given out once.
 */
export function drawnAhead(draw: (bytes: number) => Uint8Array = randomBytes): (bytes: number) => Uint8Array {
  let drawn: Uint8Array = new Uint8Array(0)
  let given = 0
  return (bytes) => {
    if (given + bytes > drawn.length) {
      drawn = draw(Math.max(bytes, DRAWN_BYTES))
      given = 0
    }
    given += bytes
    return drawn.subarray(given - bytes, given)
  }
}

/** Ids from a clock and a source of random bytes. */
export function createIds(clock: Clock, random: (bytes: number) => Uint8Array = drawnAhead()): Ids {
  return {
    uuid() {
      const time = clock.now().epochMilliseconds.toString(16).padStart(12, '0')
      const r = random(10)
      // Version 7 in the seventh octet, variant 10 in the ninth.
      r[0] = ((r[0] ?? 0) & 0x0f) | 0x70
      r[2] = ((r[2] ?? 0) & 0x3f) | 0x80
      const tail = hex(r)
      return `${time.slice(0, 8)}-${time.slice(8)}-${tail.slice(0, 4)}-${tail.slice(4, 8)}-${tail.slice(8)}`
    },
    opaque: (kind) => `${kind}-${hex(random(10))}`,
  }
}

/**
 * The opaque id of something that the world names: equal names give equal ids within a tenant, and
 * nobody without the tenant's key can guess a name from an id.
 */
export const opaqueId = (tenantKey: Uint8Array, kind: string, name: string): string =>
  `${kind}-${createHmac('sha256', tenantKey).update(`${kind}\0${name}`).digest('hex').slice(0, 24)}`
