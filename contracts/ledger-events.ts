import * as z from 'zod'
import { Count, Digest, events, Instant } from './event.ts'

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
  pruned: {
    v: 1,
    says: 'Events that told of acts and were older than the retention went; their leaves stay, so every proof still holds.',
    data: z.object({
      /** Nothing after this seq went, and the checkpoint covers it. */
      through: Count,
      /** Only events before this time. */
      before: Instant,
      events: Count,
      /** The types that went. */
      types: z.array(z.string()),
      retentionDays: Count,
      checkpoint: z.object({ size: Count, root: Digest }),
    }),
  },
})
