import { createHmac } from 'node:crypto'
import { type Secret, Transient } from '@attestry/kit'
import { createHttpHeaders, createPipelineRequest, type PipelineResponse } from '@azure/core-rest-pipeline'
import { type Azure, call } from './call.ts'
import type { Tried } from './sign-in.ts'

/*
 * Whether a key opens what it is a key of: one signed request that reads nothing of the customer's.
 */

const send = (azure: Azure, url: string, headers: Record<string, string>, signal: AbortSignal) =>
  call(azure, signal, (abortSignal) =>
    azure.access
      .clientOptions()
      .httpClient.sendRequest(
        createPipelineRequest({ url, headers: createHttpHeaders(headers), abortSignal }),
      ),
  )

/** What an answer means; a lost one means nothing. */
async function tried(
  work: Promise<PipelineResponse>,
  judge: (answer: PipelineResponse) => Tried,
): Promise<Tried> {
  try {
    return judge(await work)
  } catch (error) {
    if (error instanceof Transient) return 'unknown'
    throw error
  }
}

const VERSION = '2023-11-03'

/**
 * Reads the Blob service's properties with an account's key.
 * @see https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
export function storageSignIn(azure: Azure) {
  return (account: string, key: Secret, now: Temporal.Instant, signal: AbortSignal): Promise<Tried> => {
    const date = new Date(now.epochMilliseconds).toUTCString()
    // Verb, eleven empty standard headers, our own two, and the resource with its query.
    const text = `GET\n${'\n'.repeat(11)}x-ms-date:${date}\nx-ms-version:${VERSION}\n/${account}/\ncomp:properties\nrestype:service`
    const signature = createHmac('sha256', Buffer.from(key.text(), 'base64')).update(text).digest('base64')
    const url = `https://${account}.blob.core.windows.net/?restype=service&comp=properties`
    return tried(
      send(
        azure,
        url,
        { 'x-ms-date': date, 'x-ms-version': VERSION, authorization: `SharedKey ${account}:${signature}` },
        signal,
      ),
      ({ status, headers }) => {
        if (status < 300) return 'in'
        const code = headers.get('x-ms-error-code') ?? ''
        // A firewall, or an account that holds no blobs, answers only who is signed in rightly.
        if (code === 'AuthenticationFailed') return 'not-yet'
        if (code === 'KeyBasedAuthenticationNotPermitted') return { refused: code }
        return status >= 500 || status === 429 ? 'unknown' : { refused: code || `Http${status}` }
      },
    )
  }
}

/** A signature lives so long; Service Bus takes clocks that differ by some minutes. */
const SIGNATURE_SECONDS = 300

/**
 * Asks a namespace about itself with a rule's key. A rule that may not manage is told so, after its signature was found
 * right; a wrong signature is told otherwise.
 * @see https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
 */
export function serviceBusSignIn(azure: Azure) {
  return (
    namespace: string,
    rule: string,
    key: Secret,
    now: Temporal.Instant,
    signal: AbortSignal,
  ): Promise<Tried> => {
    const uri = encodeURIComponent(`https://${namespace}.servicebus.windows.net/`)
    const expires = Math.floor(now.epochMilliseconds / 1000) + SIGNATURE_SECONDS
    const signature = createHmac('sha256', key.text()).update(`${uri}\n${expires}`).digest('base64')
    return tried(
      send(
        azure,
        `https://${namespace}.servicebus.windows.net/$namespaceinfo?api-version=2021-05`,
        {
          authorization: `SharedAccessSignature sr=${uri}&sig=${encodeURIComponent(signature)}&se=${expires}&skn=${encodeURIComponent(rule)}`,
        },
        signal,
      ),
      ({ status, bodyAsText }) => {
        const says = bodyAsText ?? ''
        if (status < 300 || /claims? required/i.test(says)) return 'in'
        if (/InvalidSignature/i.test(says)) return 'not-yet'
        if (/LocalAuthDisabled|SAS is disabled/i.test(says)) return { refused: 'LocalAuthDisabled' }
        return status >= 500 || status === 429 ? 'unknown' : { refused: `Http${status}` }
      },
    )
  }
}
