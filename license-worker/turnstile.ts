import * as z from 'zod'

const VERIFY = 'https://challenges.cloudflare.com/turnstile/v0/siteverify'
const VERIFY_WITHIN_MS = 10_000

/** @see https://developers.cloudflare.com/turnstile/get-started/server-side-validation/ */
const Verified = z.object({ success: z.boolean() })

/** Whether a sign-up came from a person, as Turnstile says. Anything but a clear yes is no. */
export async function isPerson(
  token: string,
  options: { readonly secret: string; readonly address: string; readonly fetchIt: typeof fetch },
): Promise<boolean> {
  try {
    const response = await options.fetchIt(VERIFY, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret: options.secret, response: token, remoteip: options.address }),
      signal: AbortSignal.timeout(VERIFY_WITHIN_MS),
    })
    const verified = Verified.safeParse(await response.json())
    return response.ok && verified.success && verified.data.success
  } catch (error) {
    // oxlint-disable-next-line no-console -- the only log there is: a name, never what it was about
    console.error('Turnstile not asked', error instanceof Error ? error.name : 'unknown')
    return false
  }
}
