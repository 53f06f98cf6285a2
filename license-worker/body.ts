import { problem } from './problem.ts'

/** A body of undeclared length, read no further than is allowed; null where there is more. */
async function boundedBytes(
  body: ReadableStream<Uint8Array> | null,
  mostBytes: number,
): Promise<Uint8Array | null> {
  const whole = new Uint8Array(mostBytes)
  let bytes = 0
  if (body)
    for await (const chunk of body) {
      if (bytes + chunk.byteLength > mostBytes) return null
      whole.set(chunk, bytes)
      bytes += chunk.byteLength
    }
  return whole.subarray(0, bytes)
}

/** A body's text, or null where it has more bytes than allowed. */
async function boundedText(request: Request, mostBytes: number): Promise<string | null> {
  const declared = request.headers.get('content-length')
  if (declared === null) {
    const whole = await boundedBytes(request.body, mostBytes)
    return whole && new TextDecoder().decode(whole)
  }
  if (Number(declared) > mostBytes) return null
  // No more bytes come than were declared: HTTP sees to that, and text has at most as many characters.
  const text = await request.text()
  return text.length > mostBytes ? null : text
}

/**
 * Reads at most so many bytes of a body as JSON; anything else is a problem. The bytes are counted before anything
 * is parsed: by what is declared, which HTTP holds a sender to, or, where nothing is, while they come.
 */
export async function readJson(request: Request, mostBytes: number): Promise<{ value: unknown } | Response> {
  if (!(request.headers.get('content-type') ?? '').startsWith('application/json'))
    return problem('invalid', 'not-json', 'Send content-type application/json.')
  const text = await boundedText(request, mostBytes)
  if (text === null) return problem('too-large', 'too-large', `A request has at most ${mostBytes} bytes.`)
  try {
    return { value: JSON.parse(text) }
  } catch {
    // What the parser says could quote a key; the caller only needs to know that it is not JSON.
    return problem('invalid', 'not-json', 'The body is not JSON.')
  }
}
