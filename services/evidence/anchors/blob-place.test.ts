import type { AzureAccess } from '@attestry/kit/azure'
import { createHttpHeaders, type PipelineRequest } from '@azure/core-rest-pipeline'
import { beforeEach, expect, test } from 'vitest'
import { blobPlace } from './blob-place.ts'

/*
 * The write-once container: the part of the Blob service's wire that a copy of a checkpoint needs. A blob that lies
 * there is never written over, as `if-none-match: *` asks.
 * @see https://learn.microsoft.com/rest/api/storageservices/put-blob
 */

const CONTAINER = 'https://evidence.blob.core.windows.net/anchors'
const now = new Date('2026-03-01T00:00:00Z')
const { signal } = new AbortController()
const note = (root: string) => `attestry/contoso/abab\n12\n${root}\n\n— attestry/contoso/abab AQID\n`
const token = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00)

let blobs: Map<string, { body: Buffer; headers: Record<string, string> }>
let status: number | null

const answer = (request: PipelineRequest): { status: number; body: string } => {
  const path = new URL(request.url).pathname
  const there = blobs.get(path)
  if (status !== null) return { status, body: '' }
  if (request.method === 'GET')
    return there ? { status: 200, body: there.body.toString('utf8') } : { status: 404, body: '' }
  if (there && request.headers.get('if-none-match') === '*') return { status: 409, body: '' }
  blobs.set(path, {
    body: Buffer.from(request.body instanceof Uint8Array ? request.body : []),
    headers: request.headers.toJSON(),
  })
  return { status: 201, body: '' }
}

const access: AzureAccess = {
  credential: { getToken: async () => ({ token: 'a token', expiresOnTimestamp: Date.now() + 3_600_000 }) },
  clientOptions: () => ({
    httpClient: {
      sendRequest: async (request) => {
        const { status: code, body } = answer(request)
        return { request, status: code, headers: createHttpHeaders(), bodyAsText: body }
      },
    },
    additionalPolicies: [],
    retryOptions: { maxRetries: 0, retryDelayInMs: 1, maxRetryDelayInMs: 1 },
  }),
  calls: () => 0,
  overridden: true,
}
const place = blobPlace(
  CONTAINER,
  () => access,
  () => now,
)

beforeEach(() => {
  blobs = new Map()
  status = null
})

test('note and token are written once each, under the log’s name, locked for seven years', async () => {
  await place.copy({ size: 12, note: note('q6s='), token }, signal)
  expect([...blobs.keys()]).toEqual([
    '/anchors/attestry/contoso/abab/12.checkpoint',
    '/anchors/attestry/contoso/abab/12.tsr',
  ])
  const [checkpoint, stamp] = [...blobs.values()]
  expect(checkpoint?.body.toString('utf8')).toBe(note('q6s='))
  expect(stamp?.body).toEqual(Buffer.from(token))
  expect(checkpoint?.headers).toMatchObject({
    authorization: 'Bearer a token',
    'if-none-match': '*',
    'x-ms-blob-type': 'BlockBlob',
    'x-ms-immutability-policy-mode': 'Locked',
    'x-ms-immutability-policy-until-date': 'Tue, 01 Mar 2033 00:00:00 GMT',
  })
})

test('a turn that ended before it was recorded is done again, and changes nothing', async () => {
  await place.copy({ size: 12, note: note('q6s='), token }, signal)
  await place.copy({ size: 12, note: note('q6s='), token: Uint8Array.of(1) }, signal)
  expect(blobs.get('/anchors/attestry/contoso/abab/12.tsr')?.body).toEqual(Buffer.from(token))
})

test('another checkpoint of the same size is a fork, and is told', async () => {
  await place.copy({ size: 12, note: note('q6s='), token }, signal)
  await expect(place.copy({ size: 12, note: note('AAAA'), token }, signal)).rejects.toThrow('forked')
})

test.each([403, 404, 500])(
  'a container that answers %i fails the copy, which is tried again',
  async (code) => {
    status = code
    await expect(place.copy({ size: 12, note: note('q6s='), token }, signal)).rejects.toThrow(String(code))
    expect(blobs.size).toBe(0)
  },
)
