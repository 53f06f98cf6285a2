import { copyOf, standsAt } from './hashes.ts'

/*
 * How far each stream of a chain has come, looked up by the bytes of its id: to make a text of them first takes longer
 * than to hash a link.
 */

/** The last position of a stream; 0 before its first event. */
export interface StreamPlace {
  position: number
}

/** Finds the place of the stream whose id are the plain ASCII bytes from `from` to `to`: always the same one. */
export const streamPlaces = (): ((bytes: Uint8Array, from: number, to: number) => StreamPlace) => {
  const byHash = new Map<number, StreamPlace & { readonly id: Uint8Array }>()
  /** Streams whose hash another one came with first: few, unless somebody chose the ids so. */
  const byText = new Map<string, StreamPlace>()
  return (bytes, from, to) => {
    let hash = 0
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (bytes[i] ?? 0)) | 0
    const first = byHash.get(hash)
    if (!first) {
      const place = { position: 0, id: copyOf(bytes, from, to) }
      byHash.set(hash, place)
      return place
    }
    if (first.id.length === to - from && standsAt(first.id, bytes, from)) return first
    const text = String.fromCharCode(...bytes.subarray(from, to))
    const place = byText.get(text) ?? { position: 0 }
    byText.set(text, place)
    return place
  }
}
