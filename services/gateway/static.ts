import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { getMimeType } from 'hono/utils/mime'

/** Strict: everything from here, nothing inline, in nobody's frame. */
const CONSOLE_CSP = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** Files whose name holds their digest never change. */
const HASHED = /^\/assets\/.+-[\w-]{8,}\.\w+$/

const absent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && ['ENOENT', 'EISDIR', 'ENOTDIR'].includes(String(error.code))

const read = async (path: string): Promise<Uint8Array<ArrayBuffer> | null> => {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if (absent(error)) return null
    throw error
  }
}

const compressible = /^(text\/|application\/(javascript|json)|image\/svg)/

/** One file as an answer, compressed if the browser takes it. */
function fileResponse(
  bytes: Uint8Array<ArrayBuffer>,
  path: string,
  headers: Record<string, string>,
  request: Request,
): Response {
  const type = getMimeType(path) ?? 'application/octet-stream'
  const body = request.method === 'HEAD' ? null : new Blob([bytes])
  const zip = compressible.test(type) && /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')
  const all = { ...headers, 'content-type': type, vary: 'accept-encoding' }
  if (!zip || !body) return new Response(body, { headers: all })
  return new Response(body.stream().pipeThrough(new CompressionStream('gzip')), {
    headers: { ...all, 'content-encoding': 'gzip' },
  })
}

/**
 * The console's files. A path without a file is one of the console's own routes and answers with its page;
 * null where nothing can be answered.
 */
export function staticFiles(folder: string): (request: Request) => Promise<Response | null> {
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return null
    let path: string
    try {
      path = decodeURIComponent(new URL(request.url).pathname)
    } catch (error) {
      if (error instanceof URIError) return null
      throw error
    }
    if (path.includes('\0')) return null
    const file = normalize(join(folder, path))
    if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return null
    const page = extname(path) === ''
    const bytes = page ? null : await read(file)
    if (bytes && extname(path) !== '.html')
      return fileResponse(
        bytes,
        file,
        { 'cache-control': HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache' },
        request,
      )
    if (!bytes && !page) return null
    const index = bytes ?? (await read(join(folder, 'index.html')))
    return index
      ? fileResponse(
          index,
          'index.html',
          { 'cache-control': 'no-cache', 'content-security-policy': CONSOLE_CSP },
          request,
        )
      : null
  }
}
