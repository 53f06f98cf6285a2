import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { PrintedReport } from './pdf.ts'

/** A report to print, without what cannot go to another thread. */
export type PrintJob = Omit<PrintedReport, 'signal'>

/** Longest time that one report may take to print. */
const PRINT_WITHIN_MS = 120_000
/** Threads that print at once: a thread costs half a second to start and 60 MB to keep. */
const THREADS = 2

/**
 * Prints reports in threads of their own, which end with the last of them: laying out hundreds of tagged rows takes a
 * second or more, and nothing else of the process may wait for it.
 * @param jobs each asked for when its turn comes, so that few lie in memory
 * @param printed told how many are done
 * @returns the documents, in the order of the jobs
 * @throws the signal's reason when it ends, or the printing's own error
 */
export async function printAll(
  jobs: readonly (() => Promise<PrintJob>)[],
  signal: AbortSignal,
  printed: (done: number) => void,
): Promise<Uint8Array[]> {
  signal.throwIfAborted()
  const documents: Uint8Array[] = []
  const waiting = jobs.entries()
  let done = 0
  // Each thread takes the next job that waits: the iterator hands out each one once.
  const work = async () => {
    const worker = new Worker(new URL('./print-thread.ts', import.meta.url))
    try {
      for (const [index, job] of waiting) {
        documents[index] = await printOn(worker, await job(), signal)
        printed(++done)
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.min(THREADS, jobs.length) }, work))
  return documents
}

async function printOn(worker: Worker, job: PrintJob, signal: AbortSignal): Promise<Uint8Array> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(PRINT_WITHIN_MS)])
  worker.postMessage(job, [])
  try {
    // An 'error' of the thread rejects this wait; a thread that exits by itself does so with an error.
    const [document] = await once(worker, 'message', { signal: stop })
    return document
  } catch (error) {
    stop.throwIfAborted()
    throw error
  }
}
