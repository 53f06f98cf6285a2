/** A binary heap of sequence numbers: the smallest comes out first. */
export class Order {
  readonly #heap: number[] = []

  push(sequence: number): void {
    const heap = this.#heap
    let at = heap.push(sequence) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] ?? 0
      if (above <= sequence) break
      heap[at] = above
      at = parent
    }
    heap[at] = sequence
  }

  first(): number | undefined {
    return this.#heap[0]
  }

  shift(): number | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = left + 1
      const child = right < heap.length && (heap[right] ?? 0) < (heap[left] ?? 0) ? right : left
      const value = heap[child] ?? 0
      if (value >= last) break
      heap[at] = value
      at = child
    }
    heap[at] = last
    return first
  }
}
