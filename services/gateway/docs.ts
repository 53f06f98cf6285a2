import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Endpoint, http } from '@attestry/contracts/http'

/** As the console's, but Swagger's page writes style attributes and shows images from data addresses. */
const DOCS_CSP = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const SWAGGER = new URL('./', import.meta.resolve('swagger-ui-dist'))

/** What /docs serves of Swagger, and nothing else of its package. */
const SWAGGER_FILES: Readonly<Record<string, string>> = {
  '/docs/swagger-ui.css': 'text/css',
  '/docs/swagger-ui-bundle.js': 'text/javascript',
}

const page = (title: string, head: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
  `<meta name="viewport" content="width=device-width">${head}</head><body>${body}</body></html>`

const DOCS_PAGE = page(
  'Attestry: HTTP interface',
  '<link rel="stylesheet" href="/docs/swagger-ui.css">',
  '<main id="docs"></main><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>',
)

const START_SCRIPT =
  "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, tryItOutEnabled: false, validatorUrl: null })\n"

/** Refusals that every endpoint shares, beside those of its table. */
const SHARED_PROBLEMS: Readonly<Record<string, string>> = {
  'not-signed-in': 'There is no valid session or token: sign in at /auth/login.',
  'change-password-first': 'The password is for one use: choose your own at /auth/password.',
  'role-missing': 'None of your roles allows this; an administrator can give you one.',
  'not-licensed': 'The licence of this install does not include the feature.',
  reauthenticate: 'This is guarded: prove your password again at /auth/reauthenticate, then repeat it.',
  'cross-site': 'A page of another origin sent this request.',
  'bad-query': 'The query has wrong fields; they are listed.',
  'bad-body': 'The body has wrong fields; they are listed.',
  'bad-reason': 'The reason that a header gives cannot be read, or is above 500 characters.',
  'read-only': 'Who enters by an auditor’s link reads and verifies, and changes nothing.',
  'not-json': 'The body must be JSON with content-type application/json.',
  'body-too-large': 'The body is above the limit, or says more than one event of the ledger holds.',
  'no-such-path': 'Nothing answers this method and path.',
  'service-away': 'The service behind this path is away; try again in a moment.',
  'try-again': 'Something that this needs is away for a moment; try again.',
  'internal-error': 'Something broke on our side; the log has it under the instance given.',
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** Every problem code, and the endpoints that answer it. */
function problemsPage(): string {
  const where = new Map<string, string[]>()
  for (const table of Object.values(http))
    for (const endpoint of Object.values<Endpoint>(table))
      for (const code of Object.keys(endpoint.refusals))
        where.set(code, [...(where.get(code) ?? []), `${endpoint.method} ${endpoint.path}`])
  const own = [...where]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, paths]) =>
        `<dt id="${code}"><code>${code}</code></dt><dd>${paths.map(escape).join('<br>')}</dd>`,
    )
  const shared = Object.entries(SHARED_PROBLEMS).map(
    ([code, says]) => `<dt id="${code}"><code>${code}</code></dt><dd>${escape(says)}</dd>`,
  )
  return page(
    'Attestry: problems',
    '<link rel="stylesheet" href="/docs/swagger-ui.css">',
    `<main class="swagger-ui"><h1>Problems</h1><p>Every refusal is an RFC 9457 document whose <code>code</code> ` +
      `stands here.</p><h2>Of any endpoint</h2><dl>${shared.join('')}</dl><h2>Of single endpoints</h2>` +
      `<dl>${own.join('')}</dl></main>`,
  )
}

const answer = (body: string | Uint8Array<ArrayBuffer>, type: string): Response =>
  new Response(body, {
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-cache',
      'content-security-policy': DOCS_CSP,
    },
  })

/** /docs, /docs/problems and /openapi.json, all from this machine; null for any other path. */
export async function docs(path: string): Promise<Response | null> {
  switch (path) {
    case '/docs':
    case '/docs/':
      return answer(DOCS_PAGE, 'text/html')
    case '/docs/start.js':
      return answer(START_SCRIPT, 'text/javascript')
    case '/docs/problems':
      return answer(problemsPage(), 'text/html')
    case '/openapi.json': {
      const file = new URL('./openapi.json', import.meta.resolve('@attestry/contracts'))
      return answer(await readFile(fileURLToPath(file), 'utf8'), 'application/json')
    }
    default: {
      const type = Object.hasOwn(SWAGGER_FILES, path) ? SWAGGER_FILES[path] : undefined
      if (!type) return null
      return answer(new Uint8Array(await readFile(new URL(path.slice('/docs/'.length), SWAGGER))), type)
    }
  }
}
