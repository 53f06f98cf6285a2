import { inspect } from 'node:util'

/**
 * A value that must never be seen: it redacts itself in JSON, inspection, templates and logs.
 * `reveal()` is the one way out; `wipe()` zeroes the bytes once they were used.
 */
export class Secret {
  readonly #bytes: Uint8Array
  constructor(value: string | Uint8Array) {
    this.#bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  }
  reveal(): Uint8Array {
    return this.#bytes
  }
  text(): string {
    return new TextDecoder().decode(this.#bytes)
  }
  /** A second one with bytes of its own, which is wiped apart. */
  copy(): Secret {
    return new Secret(this.#bytes.slice())
  }
  wipe(): void {
    this.#bytes.fill(0)
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [inspect.custom](): string {
    return '[secret]'
  }
}
