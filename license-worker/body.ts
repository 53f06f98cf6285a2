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

/**
 * Reads at most so many bytes of a body as JSON; anything else is a problem. The bytes are counted while they come
 * and before anything is parsed, whatever the request declares.
 */
export async function readJson(request: Request, mostBytes: number): Promise<{ value: unknown } | Response> {
  if (!(request.headers.get('content-type') ?? '').startsWith('application/json'))
    return problem('invalid', 'not-json', 'Send content-type application/json.')
  const tooLarge = () => problem('too-large', 'too-large', `A request has at most ${mostBytes} bytes.`)
  if (Number(request.headers.get('content-length') ?? '0') > mostBytes) return tooLarge()
  const whole = request.headers.has('content-length')
    ? await request.arrayBuffer()
    : await boundedBytes(request.body, mostBytes)
  if (whole === null || whole.byteLength > mostBytes) return tooLarge()
  try {
    return { value: JSON.parse(new TextDecoder().decode(whole)) }
  } catch {
    // What the parser says could quote a key; the caller only needs to know that it is not JSON.
    return problem('invalid', 'not-json', 'The body is not JSON.')
  }
}
