/** Does work for every item, for so many at a time. The first failure ends it: what was begun ends, the rest is not begun. */
export async function atOnce<T>(
  most: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values()
  let failed = false
  const worker = async () => {
    for (const item of left) {
      if (failed) return
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, worker))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
}
