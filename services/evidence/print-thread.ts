import { parentPort, workerData } from 'node:worker_threads'
import { printReport } from './pdf.ts'
import type { PrintJob } from './print.ts'

// print.ts starts this thread with exactly such a job; it ends with its thread, so no signal is needed here.
const bytes = await printReport({ ...(workerData as PrintJob), signal: new AbortController().signal })
parentPort?.postMessage(bytes, [bytes.buffer])
