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

/** Takes whole blocks in. The state is held in variables, and nothing is made: a walk comes here millions of times. */
function blocks(state: Int32Array, bytes: Uint8Array, from: number, to: number): void {
  let a0 = state[0] as number
  let b0 = state[1] as number
  let c0 = state[2] as number
  let d0 = state[3] as number
  let e0 = state[4] as number
  let f0 = state[5] as number
  let g0 = state[6] as number
  let h0 = state[7] as number
  for (let at = from; at < to; at += 64) {
    for (let i = 0, p = at; i < 16; i++, p += 4)
      W[i] =
        ((bytes[p] as number) << 24) |
        ((bytes[p + 1] as number) << 16) |
        ((bytes[p + 2] as number) << 8) |
        (bytes[p + 3] as number)
    for (let i = 16; i < 64; i++) {
      const x = W[i - 15] as number
      const y = W[i - 2] as number
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      W[i] = ((W[i - 16] as number) + s0 + (W[i - 7] as number) + s1) | 0
    }
    let a = a0
    let b = b0
    let c = c0
    let d = d0
    let e = e0
    let f = f0
    let g = g0
    let h = h0
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const t1 = (h + s1 + (g ^ (e & (f ^ g))) + (K[i] as number) + (W[i] as number)) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    a0 = (a0 + a) | 0
    b0 = (b0 + b) | 0
    c0 = (c0 + c) | 0
    d0 = (d0 + d) | 0
    e0 = (e0 + e) | 0
    f0 = (f0 + f) | 0
    g0 = (g0 + g) | 0
    h0 = (h0 + h) | 0
  }
  state[0] = a0
  state[1] = b0
  state[2] = c0
  state[3] = d0
  state[4] = e0
  state[5] = f0
  state[6] = g0
  state[7] = h0
}

/**
 * Ends a hash: what is left, less than a block, with a bit behind it, zeros and the length.
 * @param rest at least 128 bytes, of which `held` count; it is overwritten
 */
function finish(
  state: Int32Array,
  rest: Uint8Array,
  held: number,
  length: number,
  output: Uint8Array,
  at: number,
): void {
  const end = held < 56 ? 64 : 128
  rest[held] = 0x80
  rest.fill(0, held + 1, end - 8)
  for (let i = 1, left = length * 8; i <= 8; i++) {
    rest[end - i] = left % 256
    left = Math.floor(left / 256)
  }
  blocks(state, rest, 0, end)
  for (let i = 0; i < 8; i++) {
    const word = state[i] as number
    output[at + 4 * i] = word >>> 24
    output[at + 4 * i + 1] = word >>> 16
    output[at + 4 * i + 2] = word >>> 8
    output[at + 4 * i + 3] = word
  }
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
        blocks(state, rest, 0, 64)
        held = 0
      }
      const whole = bytes.length - ((bytes.length - at) % 64)
      blocks(state, bytes, at, whole)
      rest.set(bytes.subarray(whole))
      held = bytes.length - whole
    },
    digest() {
      const output = new Uint8Array(32)
      finish(state, rest, held, length, output, 0)
      return output
    },
  }
}

const STATE = new Int32Array(8)
const REST = new Uint8Array(128)

/** Bytes that are there as a whole, hashed without making anything; the output may lie in the input. */
function into(bytes: Uint8Array, output: Uint8Array, at: number): void {
  STATE.set(H0)
  const { length } = bytes
  const whole = length - (length % 64)
  blocks(STATE, bytes, 0, whole)
  for (let i = whole; i < length; i++) REST[i - whole] = bytes[i] as number
  finish(STATE, REST, length - whole, length, output, at)
}

/** SHA-256 of the bytes, in JavaScript. */
export const sha256InScript: Sha256 = Object.assign(
  (bytes: Uint8Array) => {
    const output = new Uint8Array(32)
    into(bytes, output, 0)
    return output
  },
  { into },
)
