import { problem } from './problem.ts'

/** Nothing from elsewhere, nothing inline, in nobody's frame; it asks this service alone. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
} as const

/** Files whose name holds their digest never change. */
const HASHED = /^\/fleet\/assets\/.+-[\w-]{8,}\.\w+$/

/**
 * A file of the vendor's fleet view. A path without an extension is one of the view's own routes and answers with
 * its page. The files tell nothing: what the page shows it asks the vendor's API for, with a token.
 */
export async function fleetView(request: Request, env: Env): Promise<Response> {
  const { pathname, origin } = new URL(request.url)
  if (pathname === '/fleet') return Response.redirect(`${origin}/fleet/`, 308)
  const isFile = /\.\w+$/.test(pathname)
  const found = await env.ASSETS?.fetch(new Request(`${origin}${isFile ? pathname : '/fleet/index.html'}`))
  if (!found?.ok)
    return problem(
      'not-found',
      'no-such-path',
      isFile || found ? 'Nothing answers here.' : 'The fleet view was not built: npm run build:fleet -w web',
    )
  const headers = new Headers(found.headers)
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value)
  headers.set('cache-control', HASHED.test(pathname) ? 'public, max-age=31536000, immutable' : 'no-cache')
  return new Response(found.body, { status: found.status, headers })
}
