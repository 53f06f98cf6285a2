import * as z from 'zod'
import { Count, events } from './event.ts'

/** Facts of the chain about itself. */
export const ledgerEvents = events('ledger', {
  opened: {
    v: 1,
    says: 'The first event of a chain. A demonstration is marked here, for ever.',
    data: z.object({ origin: z.enum(['real', 'demo']), productVersion: z.string() }),
  },
  erased: {
    v: 1,
    says: 'Committed values were removed on request; the envelopes and every hash stay.',
    data: z.object({ seqs: z.array(Count).min(1), duty: z.string(), why: z.string() }),
  },
})
