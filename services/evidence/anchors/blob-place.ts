import type { AzureAccess } from '@attestry/kit/azure'
import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
} from '@azure/core-rest-pipeline'
import type { Place } from './places.ts'

/** How long a copy may not be changed or deleted, from the day it is written. */
const KEEP_YEARS = 7
/** The first version of the REST interface with policies a blob. */
const API_VERSION = '2021-12-02'

/**
 * Copies to a container of a storage account, under the origin of the log. Each blob is written once and never over
 * another, with a time-based retention policy of its own; the container must have version-level immutability, and
 * the identity no right to more than write blobs and set policies. Two requests of the REST interface: the SDK's
 * clients take no transport of ours.
 * @see https://learn.microsoft.com/rest/api/storageservices/put-blob
 * @see https://learn.microsoft.com/azure/storage/blobs/immutable-storage-overview
 */
export function blobPlace(containerUrl: string, access: () => AzureAccess, clock: () => Date): Place {
  const opened = () => {
    const { credential, clientOptions } = access()
    const { httpClient, retryOptions } = clientOptions()
    const pipeline = createPipelineFromOptions({ retryOptions })
    const scopes = 'https://storage.azure.com/.default'
    pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes }))
    return async (
      method: 'PUT' | 'GET',
      path: string,
      signal: AbortSignal,
      more: { headers?: Record<string, string>; body?: Uint8Array } = {},
    ) => {
      const request = createPipelineRequest({
        url: `${containerUrl.replace(/\/$/, '')}/${path}`,
        method,
        headers: createHttpHeaders({ 'x-ms-version': API_VERSION, ...more.headers }),
        abortSignal: signal,
        ...(more.body ? { body: more.body } : {}),
      })
      const { status, bodyAsText } = await pipeline.sendRequest(httpClient, request)
      return { status, text: bodyAsText ?? '' }
    }
  }
  let requests: ReturnType<typeof opened> | undefined
  const request: ReturnType<typeof opened> = (...given) => (requests ??= opened())(...given)

  async function write(path: string, bytes: Uint8Array, type: string, signal: AbortSignal): Promise<boolean> {
    const until = clock()
    until.setUTCFullYear(until.getUTCFullYear() + KEEP_YEARS)
    const { status } = await request('PUT', path, signal, {
      body: bytes,
      headers: {
        'content-type': type,
        'content-length': String(bytes.length),
        'x-ms-blob-type': 'BlockBlob',
        'if-none-match': '*',
        'x-ms-immutability-policy-until-date': until.toUTCString(),
        'x-ms-immutability-policy-mode': 'Locked',
      },
    })
    if (status === 201) return true
    // It lies there already, from a turn that ended before it was recorded.
    if (status === 409 || status === 412) return false
    throw new Error(`the container answered with status ${status}`)
  }

  return {
    kind: 'blob',
    copy: async ({ size, note, token }, signal) => {
      const path = `${note.slice(0, note.indexOf('\n'))}/${size}`
      const text = new TextEncoder().encode(note)
      if (!(await write(`${path}.checkpoint`, text, 'text/plain; charset=utf-8', signal))) {
        const there = await request('GET', `${path}.checkpoint`, signal)
        // A second checkpoint of the same size is a fork. Of one checkpoint the tokens may differ; the first stays.
        if (there.status === 200 && there.text !== note)
          throw new Error(`another checkpoint of ${size} events lies there: the log was forked`)
      }
      await write(`${path}.tsr`, token, 'application/timestamp-reply', signal)
    },
  }
}
