import { bundlePaths, canonical, GENESIS_LINK, toHex } from '@attestry/contracts'
import type { ChainEvent } from '@attestry/kit'
import * as z from 'zod'
import type { Narrowed } from './narrow.ts'
import { GrowingFile, type Outlet, type WrittenFile } from './written-file.ts'

/** Salts and values of one event's committed fields, as the column beside the envelope holds them. */
const Opened = z.array(z.tuple([z.string(), z.string(), z.unknown()]))

/**
 * The chain as a bundle carries it: every line the exact text that was hashed, or where nothing of an event belongs to
 * the bundle, or retention took its body, its leaf alone, so that the chain still verifies; and beside it what is disclosed of the committed fields.
 */
export class ExportLog {
  readonly #events: GrowingFile
  readonly #disclosures: GrowingFile
  readonly #outlet: Outlet
  lines = 0
  hidden = 0

  constructor(outlet: Outlet) {
    this.#outlet = outlet
    this.#events = new GrowingFile(bundlePaths.events, outlet)
    this.#disclosures = new GrowingFile(bundlePaths.disclosures, outlet)
  }

  /** @param narrowed what of the event belongs to the bundle; null for a type that this version does not know */
  add(stored: ChainEvent, narrowed: Narrowed | null): void {
    this.lines++
    if (stored.envelope === null || (narrowed && narrowed.event === null)) {
      this.hidden++
      this.#events.add(`${canonical({ leaf: toHex(stored.leaf) })}\n`)
      return
    }
    this.#events.add(`${stored.envelope}\n`)
    if (stored.private === null) return
    const open = Opened.parse(JSON.parse(stored.private)).filter(
      ([path]) => narrowed?.discloses(path) ?? true,
    )
    if (open.length > 0) this.#disclosures.add(`${canonical({ open, seq: stored.seq })}\n`)
  }

  async flush(): Promise<void> {
    await this.#events.flush()
    await this.#disclosures.flush()
  }

  async close(): Promise<WrittenFile[]> {
    const start = new GrowingFile(bundlePaths.start, this.#outlet)
    start.add(`${canonical({ frontier: [], prev: toHex(GENESIS_LINK), size: 0 })}\n`)
    const files: WrittenFile[] = []
    for (const file of [this.#events, this.#disclosures, start]) files.push(await file.close())
    return files
  }
}
