/**
 * Pages of a listing that goes on by a token, one request each; ends with the listing.
 * @param most pages, beyond what an account can hold
 * @throws where the listing does not end within them
 */
export async function* pagesByToken<T>(
  most: number,
  signal: AbortSignal,
  ask: (token: string | undefined) => Promise<{ readonly page: T; readonly next: string | null | undefined }>,
): AsyncGenerator<T> {
  let token: string | undefined
  for (let turn = 0; turn < most; turn++) {
    signal.throwIfAborted()
    const { page, next } = await ask(token)
    yield page
    token = next || undefined
    if (token === undefined) return
  }
  throw new Error(`a listing does not end within ${most} pages`)
}
