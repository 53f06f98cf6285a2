import { contextOf } from '@attestry/contracts'
import * as z from 'zod'
import type { BusMessage } from './bus/bus.ts'

/** What a consumer needs of an event: its place, and the exact recorded text. */
export interface Placed {
  readonly tenant: string
  readonly context: string
  readonly seq: number
  /** Seq of the previous event of the same tenant and context; 0 for the first. */
  readonly prevSeq: number
  readonly envelope: string
  readonly private: string | null
  readonly trace: { readonly traceparent: string; readonly tracestate?: string } | null
}

const Body = z.object({ envelope: z.string(), private: z.string().nullable() })

/** An event on its way. Properties carry what filters and the consumer rule look at. */
export function toMessage(event: Placed & { id: string; type: string; stream: string }): BusMessage {
  return {
    id: event.id,
    subject: event.type,
    correlationId: event.stream,
    properties: {
      tenant: event.tenant,
      context: contextOf(event.type),
      seq: event.seq,
      prevSeq: event.prevSeq,
      ...(event.trace
        ? {
            traceparent: event.trace.traceparent,
            'Diagnostic-Id': event.trace.traceparent,
            ...(event.trace.tracestate ? { tracestate: event.trace.tracestate } : {}),
          }
        : {}),
    },
    body: JSON.stringify({ envelope: event.envelope, private: event.private }),
  }
}

const Properties = z.object({
  tenant: z.string(),
  context: z.string(),
  seq: z.int(),
  prevSeq: z.int(),
  traceparent: z.string().optional(),
  tracestate: z.string().optional(),
})

/** The event of a message; throws on one that is not ours. */
export function fromMessage(message: Pick<BusMessage, 'properties' | 'body'>): Placed {
  const p = Properties.parse(message.properties)
  const text = typeof message.body === 'string' ? message.body : new TextDecoder().decode(message.body)
  const body = Body.parse(JSON.parse(text))
  return {
    tenant: p.tenant,
    context: p.context,
    seq: p.seq,
    prevSeq: p.prevSeq,
    envelope: body.envelope,
    private: body.private,
    trace: p.traceparent
      ? { traceparent: p.traceparent, ...(p.tracestate ? { tracestate: p.tracestate } : {}) }
      : null,
  }
}
