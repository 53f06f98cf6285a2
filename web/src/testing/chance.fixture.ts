/** Numbers in [0,1) that are the same on every run (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Hexadecimal text of a length, from the same source. */
export const hex = (random: () => number, length: number): string =>
  Array.from({ length }, () => Math.trunc(random() * 16).toString(16)).join('')
