import { der, integer, objectId, sequence } from './asn1/write.ts'
import { certificatesFromPem } from './certificate-path.ts'
import type { TimestampDetails } from './token.ts'
import { verifyToken } from './token.ts'

/** A timestamp authority that may be asked, and the roots that its tokens must chain to. */
export interface TimestampAuthority {
  readonly name: string
  readonly url: string
  /** Pinned roots, PEM. */
  readonly rootsPem: string
  /** Whether somebody other than the operator runs it. A local authority proves nothing to an outsider. */
  readonly independent: boolean
}

/** The far side and what is not ours to decide: network, time, randomness. */
export interface TimestampWorld {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
}

export interface TimestampRequest {
  /** The bytes to stamp; only their SHA-256 leaves the process. */
  readonly data: Uint8Array
  /** Asked in this order until one answers well. */
  readonly authorities: readonly TimestampAuthority[]
  readonly signal: AbortSignal
  /** Longest wait for one authority, in milliseconds. @default 15_000 */
  readonly deadlineMs?: number
}

/** One authority's refusal to give a usable token. */
export interface TimestampAttempt {
  readonly authority: string
  readonly reason: string
}

/** A token that was verified, or why there is none yet. There is no third way: a timestamp is never made up. */
export type Stamp =
  | {
      readonly status: 'stamped'
      /** The whole TimeStampResp, DER: what `openssl ts -verify -in` reads. */
      readonly token: Uint8Array<ArrayBuffer>
      readonly details: TimestampDetails
      readonly authority: string
      readonly independent: boolean
    }
  | {
      readonly status: 'pending'
      readonly reason: string
      /** ISO 8601: when it is worth asking again. */
      readonly retryAt: string
      readonly attempts: readonly TimestampAttempt[]
    }

const sha256Id = '2.16.840.1.101.3.4.2.1'
const largestReply = 65_536
/** How far the authority's clock may differ from ours, in milliseconds. */
export const clockSkewMs = 5 * 60_000
const retryMs = 5 * 60_000
const longestRetryMs = 24 * 3_600_000

/**
 * Asks each authority in turn for a timestamp over `data` and verifies the answer strictly.
 * Whatever they do (silence, 503, 429, nonsense, a token that does not hold) gives `pending` with the reasons.
 * @throws the signal's reason when the caller gives up: a cancelled request is not a pending one
 * @see RFC 3161 §2.4.1, §3.4
 */
export async function requestTimestamp(request: TimestampRequest, world: TimestampWorld): Promise<Stamp> {
  const imprint = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(request.data)))
  const attempts: TimestampAttempt[] = []
  const waits: number[] = []
  for (const authority of request.authorities) {
    request.signal.throwIfAborted()
    const answer = await ask(authority, imprint, request, world)
    if ('token' in answer) {
      const { name, independent } = authority
      return { status: 'stamped', ...answer, authority: name, independent }
    }
    attempts.push({ authority: authority.name, reason: answer.reason })
    waits.push(answer.retryMs)
  }
  request.signal.throwIfAborted()
  const wait = Math.min(longestRetryMs, ...(waits.length === 0 ? [retryMs] : waits))
  const reasons = attempts.map(({ authority, reason }) => `${authority}: ${reason}`)
  return {
    status: 'pending',
    reason: reasons.length === 0 ? 'no timestamp authority is configured' : reasons.join('; '),
    retryAt: new Date(world.clock().getTime() + wait).toISOString(),
    attempts,
  }
}

/** The DER of a request over a SHA-256 imprint: certificate wanted, no policy asked. */
export function timestampQuery(imprint: Uint8Array, nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const version1 = integer(Uint8Array.of(1))
  const algorithm = sequence(objectId(sha256Id), der(0x05))
  const wantsCertificate = der(0x01, Uint8Array.of(0xff))
  return sequence(version1, sequence(algorithm, der(0x04, imprint)), integer(nonce), wantsCertificate)
}

/** Eight random bytes as a positive INTEGER of fixed length: top bit clear, the next one set. */
export function timestampNonce(random: (length: number) => Uint8Array): Uint8Array<ArrayBuffer> {
  const nonce = Uint8Array.from(random(8))
  nonce[0] = ((nonce[0] ?? 0) & 0x7f) | 0x40
  return nonce
}

/**
 * Milliseconds that a Retry-After header asks for, as seconds or as an HTTP date; null when it says nothing usable.
 * @see RFC 9110 §10.2.3
 */
export function retryAfterMs(header: string | null, now: Date): number | null {
  if (header === null) return null
  if (/^\d{1,9}$/.test(header)) return Math.min(Number(header) * 1000, longestRetryMs)
  const at = Date.parse(header)
  return Number.isNaN(at) ? null : Math.min(Math.max(at - now.getTime(), 0), longestRetryMs)
}

type Answer =
  | { readonly token: Uint8Array<ArrayBuffer>; readonly details: TimestampDetails }
  | { readonly reason: string; readonly retryMs: number }

async function ask(
  authority: TimestampAuthority,
  imprint: Uint8Array,
  request: TimestampRequest,
  world: TimestampWorld,
): Promise<Answer> {
  const nonce = timestampNonce(world.random)
  const deadline = AbortSignal.timeout(request.deadlineMs ?? 15_000)
  const signal = AbortSignal.any([request.signal, deadline])
  const refused = (reason: string, wait = retryMs): Answer => ({ reason, retryMs: wait })
  let token: Uint8Array<ArrayBuffer>
  try {
    const response = await withSignal(
      world.fetch(authority.url, {
        method: 'POST',
        headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
        body: timestampQuery(imprint, nonce),
        redirect: 'error',
        signal,
      }),
      signal,
    )
    if (response.status !== 200) {
      await response.body?.cancel()
      const wait = retryAfterMs(response.headers.get('retry-after'), world.clock())
      return refused(`answered with status ${response.status}`, wait ?? retryMs)
    }
    const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
    if (type !== 'application/timestamp-reply') {
      await response.body?.cancel()
      return refused(`answered with ${type ?? 'no content type'} instead of a timestamp`)
    }
    const body = await readAtMost(response, largestReply, signal)
    if (body === null) return refused(`the answer is longer than ${largestReply} bytes`)
    token = body
  } catch (error) {
    // The caller's own cancellation goes up; everything else is the authority's and leaves the stamp pending.
    request.signal.throwIfAborted()
    if (deadline.aborted) return refused('did not answer in time')
    return refused(`cannot be reached: ${error instanceof Error ? error.message : 'unknown error'}`)
  }
  const now = world.clock().getTime()
  const verdict = await verifyToken(token, {
    imprint,
    nonce,
    roots: certificatesFromPem(authority.rootsPem),
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + clockSkewMs),
  })
  return verdict.ok ? { token, details: verdict.details } : refused(verdict.reason)
}

/** The body, or null once it is longer than `limit`; nothing more is read then. */
async function readAtMost(
  response: Response,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (response.body === null) return new Uint8Array(0)
  const reader = response.body.getReader()
  const held = new Uint8Array(limit)
  let length = 0
  try {
    // Ends: every round adds bytes up to the limit, or the signal fires.
    for (;;) {
      const { done, value } = await withSignal(reader.read(), signal)
      if (done) return held.slice(0, length)
      if (length + value.length > limit) return null
      held.set(value, length)
      length += value.length
    }
  } finally {
    await reader.cancel()
  }
}

/** The promise, or the signal's reason as soon as it fires: a far side that ignores the signal cannot hold us. */
async function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
