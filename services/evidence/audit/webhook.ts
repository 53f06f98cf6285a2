import { createHmac } from 'node:crypto'
import { type Clock, type Secret, Transient } from '@attestry/kit'
import type { AuditSink } from './sink.ts'

/** Seconds since 1970 at which a request was signed, and `v1=` with the HMAC in hexadecimal. */
export const TIME_HEADER = 'x-attestry-timestamp'
export const SIGNATURE_HEADER = 'x-attestry-signature'

/** HMAC-SHA-256 over the time, a dot and the body: a receiver refuses what it cannot compute, and what is old. */
export const webhookSignature = (key: string, time: string, body: string): string =>
  `v1=${createHmac('sha256', key).update(`${time}.${body}`).digest('hex')}`

const retryAfterMs = (response: Response): number | undefined => {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3600) * 1000 : undefined
}

export interface WebhookOptions {
  readonly address: string
  readonly key: Secret
  readonly clock: Clock
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
}

/** Posts entries as one JSON object. Any answer but a 2xx means that they did not arrive. */
export function webhookSink({ address, key, clock, fetch: send }: WebhookOptions): AuditSink {
  return {
    target: 'webhook',
    where: new URL(address).origin,
    most: 100,
    async deliver(entries, _state, signal) {
      const first = entries[0]
      const last = entries.at(-1)
      if (!first || !last) throw new Error('a delivery holds an entry at least')
      const body = JSON.stringify({ tenant: first.tenant, first: first.seq, last: last.seq, entries })
      const time = String(Math.floor(clock.now().epochMilliseconds / 1000))
      let response: Response
      try {
        response = await send(address, {
          method: 'POST',
          // Elsewhere is not who was configured.
          redirect: 'manual',
          headers: {
            'content-type': 'application/json',
            [TIME_HEADER]: time,
            [SIGNATURE_HEADER]: webhookSignature(key.text(), time, body),
          },
          body,
          signal,
        })
      } catch (cause) {
        throw new Transient('the receiver cannot be reached', { cause })
      }
      await response.body?.cancel()
      if (!response.ok) {
        const after = retryAfterMs(response)
        const said = `the receiver answered with status ${response.status}`
        throw new Transient(said, after === undefined ? {} : { retryAfterMs: after })
      }
      return { through: last.seq }
    },
    close() {},
  }
}
