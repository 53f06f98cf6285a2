import { tokenOf } from './guard.ts'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Whether a request that changes something may come from where it comes from. A browser adds the cookie to
 * whatever page asks, so a page of another origin is refused by what the browser says of it
 * (`Sec-Fetch-Site`, W3C Fetch Metadata; `Origin`, RFC 6454). A cookie with neither is refused as well: every
 * browser sends `Origin` with an unsafe method. Bearer tokens are added by nobody but their holder.
 * @param expected the origin that people use where a proxy stands before us and may change the Host header; what Host
 *   names is always good
 */
export function comesFromSameOrigin(
  request: { readonly method: string; readonly headers: Headers },
  expected: string | null,
): boolean {
  if (SAFE.has(request.method)) return true
  const { headers } = request
  const site = headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin' && site !== 'none') return false
  const origin = headers.get('origin')
  if (origin !== null) {
    if (origin === expected) return true
    return URL.canParse(origin) && new URL(origin).host === headers.get('host')
  }
  return site !== null || tokenOf(headers)?.as !== 'cookie'
}
