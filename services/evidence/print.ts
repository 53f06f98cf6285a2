import { Worker } from 'node:worker_threads'
import type { PrintedReport } from './pdf.ts'

/** A report to print, without what cannot go to another thread. */
export type PrintJob = Omit<PrintedReport, 'signal'>

/** Longest time that one report may take to print. */
const PRINT_WITHIN_MS = 120_000

/**
 * Prints a report in a thread of its own: laying out hundreds of tagged rows takes a second or more, and nothing
 * else of the process may wait for it.
 * @throws the signal's reason when it ends, or the printing's own error
 */
export function printApart(job: PrintJob, signal: AbortSignal): Promise<Uint8Array> {
  signal.throwIfAborted()
  return new Promise((done, failed) => {
    const worker = new Worker(new URL('./print-thread.ts', import.meta.url), { workerData: job })
    const stop = AbortSignal.any([signal, AbortSignal.timeout(PRINT_WITHIN_MS)])
    const abort = () => {
      void worker.terminate()
      failed(stop.reason instanceof Error ? stop.reason : new Error(String(stop.reason)))
    }
    stop.addEventListener('abort', abort, { once: true })
    const end = (settle: () => void) => {
      stop.removeEventListener('abort', abort)
      settle()
    }
    worker.once('message', (bytes: Uint8Array) => end(() => done(bytes)))
    worker.once('error', (error) => end(() => failed(error)))
    worker.once('exit', (code) => end(() => failed(new Error(`printing ended with code ${code}`))))
  })
}
