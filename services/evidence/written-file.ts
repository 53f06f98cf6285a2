/** A SHA-256 that is fed piece by piece: Node's `createHash('sha256')`, or any other. */
export interface RunningHash {
  readonly update: (bytes: Uint8Array) => unknown
  readonly digest: (encoding: 'hex') => string
}

/** Where the bytes of a file go. */
export interface Sink {
  readonly write: (bytes: Uint8Array) => Promise<void> | void
  readonly close: () => Promise<void> | void
}

/** A file that was written. */
export interface WrittenFile {
  readonly path: string
  readonly bytes: number
  /** Hexadecimal SHA-256 of the whole file. */
  readonly sha256: string
}

/** What files are written to, and how they are hashed on the way. */
export interface Outlet {
  readonly open: (path: string) => Sink
  readonly hash: () => RunningHash
}

/** Text is encoded, hashed and handed on in blocks of about this many characters. */
const blockLength = 65_536

/**
 * A file that grows by text. Adding never waits: whoever adds calls `flush` now and then, at least after every page of
 * its input, and so memory holds what was added since.
 */
export class GrowingFile {
  readonly #path: string
  readonly #sink: Sink
  readonly #hash: RunningHash
  readonly #encoder = new TextEncoder()
  #block = ''
  #blocks: Uint8Array[] = []
  #bytes = 0

  constructor(path: string, outlet: Outlet) {
    this.#path = path
    this.#sink = outlet.open(path)
    this.#hash = outlet.hash()
  }

  add(text: string): void {
    this.#block += text
    if (this.#block.length >= blockLength) this.#encode()
  }

  async flush(): Promise<void> {
    const blocks = this.#blocks
    this.#blocks = []
    for (const block of blocks) await this.#sink.write(block)
  }

  async close(): Promise<WrittenFile> {
    this.#encode()
    await this.flush()
    await this.#sink.close()
    return { path: this.#path, bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  #encode(): void {
    const bytes = this.#encoder.encode(this.#block)
    this.#block = ''
    this.#bytes += bytes.length
    this.#hash.update(bytes)
    this.#blocks.push(bytes)
  }
}
