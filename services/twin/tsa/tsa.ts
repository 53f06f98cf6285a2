import * as asn1js from 'asn1js'
import type { Authority, Credential, KeyFamily, SavedAuthority } from './authority.ts'
import {
  certificatePem,
  codeSigningUsage,
  createAuthority,
  issueSigner,
  loadAuthority,
  positiveInteger,
  saveAuthority,
  timeStampingUsage,
} from './authority.ts'
import type { Behaviour } from './behaviour.ts'
import type { TimestampQuery, TokenContent } from './token.ts'
import { failures, grantedResponse, readQuery, rejectedResponse, signToken } from './token.ts'

/** The subject name of the embedded authority: whoever reads a token sees that nobody independent signed it. */
export const localAuthorityName = 'Attestry local timestamp authority (NOT INDEPENDENT)'

/** Policy of this authority: under 2.999, the arc for examples, so it is never taken for a real one. */
export const localPolicy = '2.999.3161.1'

export interface TsaOptions {
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
  readonly name?: string
  /** Key family of a new authority; a saved one keeps its own. @default 'ecdsa-p256' */
  readonly family?: KeyFamily
  /** Keys and certificates of an earlier run. */
  readonly saved?: SavedAuthority
  /** Asked once a request; `number` counts from 1. @default always honest */
  readonly behaviour?: (number: number) => Behaviour
  /** How long `slow` waits, in milliseconds. @default 30_000 */
  readonly slowMs?: number
}

export interface Tsa {
  /** POST /tsa with application/timestamp-query (RFC 3161 §3.4). */
  readonly fetch: (request: Request) => Promise<Response>
  /** The root to pin: `tsa-root.pem`. */
  readonly rootPem: string
  /** Timestamping certificate and root, leaf first. */
  readonly chainPem: string
  /** What to keep so that the next run has the same root. Holds private keys. */
  readonly saved: SavedAuthority
}

const replyType = 'application/timestamp-reply'
const largestQuery = 4096
const dayMs = 86_400_000

/** An RFC 3161 authority on its own root, as honest or as hostile as `behaviour` asks. */
export async function createTsa(options: TsaOptions): Promise<Tsa> {
  const { clock, random, behaviour = () => 'honest', slowMs = 30_000 } = options
  const name = options.name ?? localAuthorityName
  const authority =
    options.saved === undefined
      ? await createAuthority(name, options.family ?? 'ecdsa-p256', clock(), random)
      : await loadAuthority(options.saved)
  const rootPem = certificatePem(authority.root.certificate)
  let requests = 0

  async function stamp(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.pathname !== '/tsa') return plain(404, 'No such page')
    if (request.method !== 'POST') return plain(405, 'POST a timestamp query', { allow: 'POST' })
    if (request.headers.get('content-type') !== 'application/timestamp-query') {
      return plain(415, 'Expected application/timestamp-query')
    }
    const body = new Uint8Array(await request.arrayBuffer())
    if (body.length > largestQuery) return plain(413, 'A timestamp query has at most 4096 bytes')
    requests += 1
    const way = behaviour(requests)
    if (way === 'unavailable') return plain(503, 'Try later', { 'retry-after': '120' })
    if (way === 'throttled') return plain(429, 'Too many requests', { 'retry-after': '60' })
    if (way === 'endless') return endlessReply()
    if (way === 'garbage') return reply(random(256))
    if (way === 'slow') await pause(slowMs, request.signal)
    const query = readQuery(body)
    if ('failure' in query) return reply(rejectedResponse(query.failure, 'The query cannot be answered'))
    if (way === 'rejected') return reply(rejectedResponse(failures.badRequest, 'Rejected as asked'))
    if (query.policy !== undefined && query.policy !== localPolicy) {
      return reply(rejectedResponse(failures.unacceptedPolicy, 'This authority has one policy'))
    }
    return answer(query, way)
  }

  async function answer(query: TimestampQuery, way: Behaviour): Promise<Response> {
    const now = clock()
    const token = await signToken(await contentFor(authority, name, query, way, now, random))
    if (way === 'trailing-token-bytes') token.valueBlock.value.push(new asn1js.Null())
    const bytes = grantedResponse(token)
    if (way === 'bad-signature') bytes.set([(bytes.at(-1) ?? 0) ^ 1], bytes.length - 1)
    if (way === 'trailing-bytes') return reply(Uint8Array.of(...bytes, 0))
    if (way === 'truncated') return reply(bytes.slice(0, bytes.length >> 1))
    if (way === 'wrong-content-type') return reply(bytes, 'text/html')
    return reply(bytes)
  }

  return {
    fetch: stamp,
    rootPem,
    chainPem: certificatePem(authority.signer.certificate) + rootPem,
    saved: await saveAuthority(authority),
  }
}

async function contentFor(
  authority: Authority,
  name: string,
  asked: TimestampQuery,
  way: Behaviour,
  now: Date,
  random: (length: number) => Uint8Array,
): Promise<TokenContent> {
  const signer = await signerFor(authority, name, way, now, random)
  const years = way === 'far-past' ? -10 : way === 'far-future' ? 10 : 0
  const certificates = asked.certificateWanted && way !== 'missing-certificate' ? [signer.certificate] : []
  return {
    query: twisted(asked, way),
    policy: localPolicy,
    serialNumber: positiveInteger(random(16)),
    genTime: new Date(Math.floor(now.getTime() / 1000) * 1000 + years * 365 * dayMs),
    signers: way === 'two-signers' ? [signer, signer] : [signer],
    certificates,
    digest: way === 'sha1' ? 'SHA-1' : authority.family === 'rsa-2048' ? 'SHA-512' : 'SHA-256',
    essCertificate:
      way === 'missing-ess-cert-id'
        ? null
        : way === 'wrong-ess-cert-id'
          ? authority.root.certificate
          : signer.certificate,
  }
}

/** What the token claims to answer. */
function twisted(query: TimestampQuery, way: Behaviour): TimestampQuery {
  if (way === 'missing-nonce') return { ...query, nonce: undefined }
  if (way === 'wrong-nonce') return { ...query, nonce: positiveInteger(new Uint8Array(8)) }
  if (way === 'wrong-imprint') return { ...query, imprint: query.imprint.map((octet) => octet ^ 0xff) }
  return query
}

async function signerFor(
  authority: Authority,
  name: string,
  way: Behaviour,
  now: Date,
  random: (length: number) => Uint8Array,
): Promise<Credential> {
  const notBefore = new Date(now.getTime() - 400 * dayMs)
  const notAfter = new Date(now.getTime() + 400 * dayMs)
  const issue = (shape: Partial<Parameters<typeof issueSigner>[2]>) =>
    issueSigner(authority, name, { notBefore, notAfter, ...shape }, random)
  if (way === 'code-signing-eku') return issue({ usages: [codeSigningUsage] })
  if (way === 'extra-eku') return issue({ usages: [timeStampingUsage, codeSigningUsage] })
  if (way === 'non-critical-eku') return issue({ critical: false })
  if (way === 'expired-certificate') return issue({ notAfter: new Date(now.getTime() - 30 * dayMs) })
  return authority.signer
}

function reply(bytes: Uint8Array, contentType = replyType): Response {
  return new Response(Uint8Array.from(bytes), { headers: { 'content-type': contentType } })
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, { status, headers: { 'content-type': 'text/plain', ...headers } })
}

/** A reply that never ends by itself; it stops when the reader goes away. */
function endlessReply(): Response {
  const chunk = new Uint8Array(65_536)
  const body = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) })
  return new Response(body, { headers: { 'content-type': replyType } })
}

/** Waits, but never longer than the client does. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
