import type { Sha256 } from '@attestry/contracts'

/*
 * SHA-256 in JavaScript, for browsers: WebCrypto has it only as a promise a call, and a chain of a hundred thousand
 * events takes three hundred thousand of them, one after the other.
 * @see FIPS 180-4 section 6.2
 */

/** A hash that is fed piece by piece. */
export interface Hasher {
  readonly update: (bytes: Uint8Array) => unknown
  readonly digest: () => Uint8Array
}

/** Fractional parts of cube roots of the first 64 primes, and of square roots of the first 8. */
const [K, H0] = (() => {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n)
  const fraction = (x: number) => ((x - Math.floor(x)) * 2 ** 32) | 0
  return [
    Int32Array.from(primes, (p) => fraction(Math.cbrt(p))),
    Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p))),
  ] as const
})()

const W = new Int32Array(64)

function block(state: Int32Array, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++) {
    const p = at + i * 4
    W[i] =
      ((bytes[p] ?? 0) << 24) | ((bytes[p + 1] ?? 0) << 16) | ((bytes[p + 2] ?? 0) << 8) | (bytes[p + 3] ?? 0)
  }
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15] ?? 0
    const y = W[i - 2] ?? 0
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    W[i] = ((W[i - 16] ?? 0) + s0 + (W[i - 7] ?? 0) + s1) | 0
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[i] ?? 0) + (W[i] ?? 0)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = ((state[i] ?? 0) + word) | 0
}

/** A hasher in JavaScript. Feed it, then ask once. */
export function createHasher(): Hasher {
  const state = Int32Array.from(H0)
  const rest = new Uint8Array(128)
  let held = 0
  let length = 0
  return {
    update(bytes) {
      length += bytes.length
      let at = 0
      if (held > 0) {
        const take = Math.min(64 - held, bytes.length)
        rest.set(bytes.subarray(0, take), held)
        held += take
        at = take
        if (held < 64) return
        block(state, rest, 0)
        held = 0
      }
      for (; at + 64 <= bytes.length; at += 64) block(state, bytes, at)
      rest.set(bytes.subarray(at))
      held = bytes.length - at
    },
    digest() {
      rest.fill(0, held)
      rest[held] = 0x80
      const end = held < 56 ? 64 : 128
      const view = new DataView(rest.buffer)
      view.setUint32(end - 8, Math.floor(length / 2 ** 29))
      view.setUint32(end - 4, (length * 8) >>> 0)
      for (let at = 0; at < end; at += 64) block(state, rest, at)
      const out = new Uint8Array(32)
      const words = new DataView(out.buffer)
      for (const [i, word] of state.entries()) words.setInt32(i * 4, word)
      return out
    },
  }
}

/** SHA-256 of the bytes, in JavaScript. */
export const sha256InScript: Sha256 = (bytes) => {
  const hasher = createHasher()
  hasher.update(bytes)
  return hasher.digest()
}
