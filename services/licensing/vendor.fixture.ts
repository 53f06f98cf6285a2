import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  type AnswerPayload,
  type Feature,
  type FilePayload,
  TIERS,
  ValidateRequest,
} from '@attestry/contracts'
import type { VendorKeys } from './signed.ts'

/*
 * A vendor for the install's tests, whose answers can be bent: late, old, another's, badly signed. The wire and the
 * bytes that are signed are of the same contract that the Worker answers by.
 */

const pairs = Object.fromEntries(['2026-01', '2026-02'].map((kid) => [kid, generateKeyPairSync('ed25519')]))

/** The public halves, as a build of the product holds them. */
export const KEYS: VendorKeys = Object.fromEntries(
  Object.entries(pairs).map(([kid, { publicKey }]) => [kid, String(publicKey.export({ format: 'jwk' }).x)]),
)

/** Signs a payload's text as the vendor does. */
export function signed(
  payload: object,
  kid = '2026-02',
  key: KeyObject | undefined = pairs[kid]?.privateKey,
): string {
  if (!key) throw new Error(`there is no key ${kid}`)
  const body = JSON.stringify(payload)
  return JSON.stringify({
    payload: body,
    sig: sign(null, Buffer.from(body), key).toString('base64url'),
    alg: 'Ed25519',
    kid,
  })
}

export const pro = {
  tier: 'pro',
  features: [...TIERS.pro.features] as Feature[],
  limits: TIERS.pro.limits,
  expiresAt: '2099-01-01T00:00:00.000Z',
} as const

/** An answer to a request. */
export function answerTo(
  request: ValidateRequest,
  now: Temporal.Instant,
  more: Partial<AnswerPayload> = {},
): AnswerPayload {
  const iso = (at: Temporal.Instant) => at.toString({ smallestUnit: 'millisecond' })
  return {
    kind: 'answer',
    verdict: 'VALID',
    ...pro,
    iat: iso(now),
    exp: iso(now.add({ hours: 7 * 24 })),
    install: request.install,
    nonce: request.nonce,
    stats: request.stats === undefined ? 'none' : 'accepted',
    latest: null,
    ...more,
  }
}

export const fileFor = (install: string, more: Partial<FilePayload> = {}): string =>
  signed({
    kind: 'file',
    license: 'lic-00000001',
    ...pro,
    iat: '2026-11-20T00:00:00.000Z',
    exp: pro.expiresAt,
    install,
    ...more,
  })

export interface TestVendor extends AsyncDisposable {
  readonly url: string
  /** Every request that came, as it was sent. */
  readonly asked: { readonly text: string; readonly request: ValidateRequest }[]
  /** Answers the next requests: a text, or null to close the connection without a word. */
  answer: (request: ValidateRequest) => string | null
}

/** A licence service that answers what it is told. */
export async function startVendor(now: () => Temporal.Instant): Promise<TestVendor> {
  const vendor: Omit<TestVendor, typeof Symbol.asyncDispose | 'url'> = {
    asked: [],
    answer: (request) => signed(answerTo(request, now())),
  }
  const server = createServer((incoming, response) => {
    const work = async () => {
      const body = await text(incoming)
      const request = ValidateRequest.parse(JSON.parse(body))
      vendor.asked.push({ text: body, request })
      const answer = vendor.answer(request)
      if (answer === null) incoming.socket.destroy()
      else response.setHeader('content-type', 'application/json').end(answer)
    }
    work().catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return Object.assign(vendor, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  })
}
