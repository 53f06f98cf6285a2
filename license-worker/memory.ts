/** What an isolate remembers by name: at most so much, and what was noted first goes first. */
export class Memory<V> {
  readonly #most: number
  readonly #entries = new Map<string, V>()

  constructor(most: number) {
    this.#most = most
  }

  get(name: string): V | undefined {
    return this.#entries.get(name)
  }

  note(name: string, value: V): void {
    this.#entries.delete(name)
    this.#entries.set(name, value)
    if (this.#entries.size <= this.#most) return
    const [first] = this.#entries.keys()
    if (first !== undefined) this.#entries.delete(first)
  }

  forget(name: string): void {
    this.#entries.delete(name)
  }
}
