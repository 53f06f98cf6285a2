import { bundlePaths, type EventOf, openNote, type Period } from '@attestry/contracts'

/** A checkpoint as the chain tells it. */
interface Anchored {
  readonly size: number
  readonly note: string
  token: string | null
  genTime: string | null
}

/** Checkpoints that a bundle carries at most besides those at the edges of its period. */
const MOST_INSIDE = 400

/** Every anchor of a chain, folded from its events, and the ones that a bundle carries. */
export class AnchorsOfChain {
  readonly #anchors = new Map<number, Anchored>()

  apply(event: EventOf): void {
    if (event.type === 'evidence.anchored') {
      const { size, note, token, genTime } = event.data
      this.#anchors.set(size, { size, note, token, genTime })
    } else if (event.type === 'evidence.anchor-stamped') {
      const known = this.#anchors.get(event.data.size)
      if (known && event.data.status === 'stamped') {
        known.token = event.data.token
        known.genTime = event.data.genTime
      }
    }
  }

  /**
   * The anchors of a period: the last one stamped before it and the first after it, which bracket it, the newest of
   * all, and those inside, thinned evenly where they are many.
   */
  chosen(period: Period): readonly Anchored[] {
    const all = [...this.#anchors.values()].toSorted((a, b) => a.size - b.size)
    const [from, to] = [Date.parse(period.from), Date.parse(period.to)]
    const time = ({ genTime }: Anchored) => (genTime === null ? null : Date.parse(genTime))
    const before = all.findLast((a) => (time(a) ?? Number.POSITIVE_INFINITY) <= from)
    const after = all.find((a) => (time(a) ?? Number.NEGATIVE_INFINITY) >= to)
    const low = before?.size ?? 0
    const high = after?.size ?? Number.POSITIVE_INFINITY
    const inside = all.filter(({ size }) => size > low && size < high)
    const step = Math.max(1, Math.ceil(inside.length / MOST_INSIDE))
    const kept = inside.filter((_, i) => i % step === 0)
    const edges = [before, after, all.at(-1)].filter((a) => a !== undefined)
    return [...new Map([...kept, ...edges].map((a) => [a.size, a])).values()].toSorted(
      (a, b) => a.size - b.size,
    )
  }
}

/** The files of anchors under `log/anchors/`, and what the manifest says of them; null without any. */
export function anchorFiles(
  chosen: readonly Anchored[],
  verifier: string,
): {
  files: Map<string, Uint8Array<ArrayBuffer>>
  told: { origin: string; verifier: string; sizes: number[] }
} | null {
  const [first] = chosen
  if (first === undefined) return null
  const note = openNote(first.note)
  if ('problem' in note) throw new Error(`the chain holds a note that cannot be read: ${note.problem}`)
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  for (const { size, note: text, token } of chosen) {
    files.set(`${bundlePaths.anchors}${size}.checkpoint`, new TextEncoder().encode(text))
    if (token !== null) files.set(`${bundlePaths.anchors}${size}.tsr`, Uint8Array.fromBase64(token))
  }
  return { files, told: { origin: note.checkpoint.origin, verifier, sizes: chosen.map(({ size }) => size) } }
}
