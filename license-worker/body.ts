import { problem } from './problem.ts'

/** The text of a body of undeclared length, read no further than is allowed; null where there is more. */
async function boundedText(
  body: ReadableStream<Uint8Array> | null,
  mostBytes: number,
): Promise<string | null> {
  const whole = new Uint8Array(mostBytes)
  let bytes = 0
  if (body)
    for await (const chunk of body) {
      if (bytes + chunk.byteLength > mostBytes) return null
      whole.set(chunk, bytes)
      bytes += chunk.byteLength
    }
  return new TextDecoder().decode(whole.subarray(0, bytes))
}

/**
 * Reads at most so many bytes of a body that says it is JSON; anything else is a problem. The bytes are counted: by
 * what is declared, which HTTP holds a sender to, or, where nothing is, while they come.
 */
export async function readText(request: Request, mostBytes: number): Promise<string | Response> {
  const { headers } = request
  if (!headers.get('content-type')?.startsWith('application/json'))
    return problem('invalid', 'not-json', 'Send content-type application/json.')
  const tooLarge = () => problem('too-large', 'too-large', `A request has at most ${mostBytes} bytes.`)
  const declared = headers.get('content-length')
  if (declared !== null && Number(declared) > mostBytes) return tooLarge()
  const text = declared === null ? await boundedText(request.body, mostBytes) : await request.text()
  // No more bytes come than were declared: HTTP sees to that, and text has at most as many characters.
  return text === null || text.length > mostBytes ? tooLarge() : text
}

/** The value of a text, or a problem. */
export function parseJson(text: string): { readonly value: unknown } | Response {
  try {
    return { value: JSON.parse(text) }
  } catch {
    // What the parser says could quote a key; the caller only needs to know that it is not JSON.
    return problem('invalid', 'not-json', 'The body is not JSON.')
  }
}

/** Reads at most so many bytes of a body as JSON; anything else is a problem. */
export async function readJson(request: Request, mostBytes: number): Promise<{ value: unknown } | Response> {
  const text = await readText(request, mostBytes)
  return text instanceof Response ? text : parseJson(text)
}
