import type { ValidateRequest } from '@attestry/contracts'
import { messageOf } from '@attestry/kit'

const ANSWER_WITHIN_MS = 10_000
/** A signed answer is below three kilobytes; more is somebody else's page. */
const ANSWER_BYTES = 16_384

/** The text that the licence service answered, or why there is none: a sentence for an operator. */
export type Heard = { readonly text: string } | { readonly problem: string }

/** Asks the licence service once. Whatever goes wrong there is silence, never an error. */
export async function askServer(
  service: string,
  request: ValidateRequest,
  signal: AbortSignal,
): Promise<Heard> {
  try {
    const response = await fetch(new URL('/v1/validate', service), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    })
    if (!response.ok) return { problem: `The licence service answered ${response.status}.` }
    const text = await response.text()
    return text.length > ANSWER_BYTES
      ? { problem: 'The licence service answered something much too long.' }
      : { text }
  } catch (error) {
    if (signal.aborted) throw error
    const why =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error)
    return { problem: `The licence service at ${new URL(service).host} cannot be reached: ${why}` }
  }
}
