import { parentPort } from 'node:worker_threads'
import { printReport } from './pdf.ts'
import type { PrintJob } from './print.ts'

const { signal } = new AbortController()

// print.ts sends such jobs, one after the other; the thread is ended from there, so no signal is needed here.
parentPort?.on('message', (job: PrintJob) => {
  void printReport({ ...job, signal }).then((bytes) => parentPort?.postMessage(bytes, [bytes.buffer]))
})
