import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

/* Receivers of the audit log on loopback: they speak the wire, and can be told to misbehave. */

const listening = (server: {
  listen(port: number, host: string, done: () => void): unknown
  address(): unknown
}) =>
  new Promise<number>((resolve) => {
    // An inet server's address is always this.
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })

/** A syslog receiver: cuts octet-counting frames (RFC 6587 3.4.1) into messages. */
export async function syslogReceiver(tls?: { key: string; cert: string }, at = 0) {
  const messages: string[] = []
  const sockets = new Set<Socket>()
  const take = (socket: Socket) => {
    sockets.add(socket)
    let rest = ''
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('data', (chunk: string) => {
      rest += chunk
      for (;;) {
        const blank = rest.indexOf(' ')
        const length = Number(rest.slice(0, Math.max(0, blank)))
        if (blank < 1 || rest.length < blank + 1 + length) return
        messages.push(rest.slice(blank + 1, blank + 1 + length))
        rest = rest.slice(blank + 1 + length)
      }
    })
  }
  const server = tls ? createTlsServer(tls, take) : createTcp(take)
  const port =
    at === 0
      ? await listening(server)
      : await new Promise<number>((resolve) => server.listen(at, '127.0.0.1', () => resolve(at)))
  return {
    port,
    messages,
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function httpReceiver(
  answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void,
) {
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => answer(request, response, body))
  })
  const port = await listening(server)
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** A webhook's receiver. `answers` are given in turn, then 204. */
export async function webhookReceiver() {
  const answers: { status: number; headers?: Record<string, string> }[] = []
  const posts: { headers: IncomingMessage['headers']; body: string }[] = []
  const server = await httpReceiver((request, response, body) => {
    posts.push({ headers: request.headers, body: body.toString('utf8') })
    const { status, headers = {} } = answers.shift() ?? { status: 204 }
    response.writeHead(status, headers).end()
  })
  return { ...server, answers, posts }
}

/**
 * The part of the Blob service that append blobs need: create, append at a position, properties, ranges.
 * @see https://learn.microsoft.com/rest/api/storageservices/append-block
 */
export async function blobService() {
  const blobs = new Map<string, Buffer>()
  /** What the next append does after it wrote: nothing is answered, as when the network breaks. */
  const broken = { next: false }
  const server = await httpReceiver((request, response, body) => {
    const url = new URL(request.url ?? '/', 'http://x')
    const name = decodeURIComponent(url.pathname)
    const blob = blobs.get(name)
    const refuse = (status: number, code: string) =>
      response
        .writeHead(status, { 'x-ms-error-code': code, 'content-type': 'application/xml' })
        .end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`)
    const facts = { etag: '"1"', 'last-modified': new Date(0).toUTCString(), 'x-ms-version': '2026-02-06' }
    if (url.searchParams.get('sig') !== 'shared') return refuse(403, 'AuthenticationFailed')
    if (request.method === 'PUT' && url.searchParams.get('comp') === 'appendblock') {
      if (!blob) return refuse(404, 'BlobNotFound')
      const at = request.headers['x-ms-blob-condition-appendpos']
      if (at !== undefined && Number(at) !== blob.length) return refuse(412, 'AppendPositionConditionNotMet')
      blobs.set(name, Buffer.concat([blob, body]))
      if (broken.next) {
        broken.next = false
        return response.destroy()
      }
      return response.writeHead(201, { ...facts, 'x-ms-blob-append-offset': String(blob.length) }).end()
    }
    if (request.method === 'PUT') {
      if (blob && request.headers['if-none-match'] === '*') return refuse(409, 'BlobAlreadyExists')
      blobs.set(name, Buffer.alloc(0))
      return response.writeHead(201, facts).end()
    }
    if (!blob) return refuse(404, 'BlobNotFound')
    if (request.method === 'HEAD')
      return response
        .writeHead(200, { ...facts, 'content-length': blob.length, 'x-ms-blob-type': 'AppendBlob' })
        .end()
    const range = /bytes=(\d+)-(\d*)/.exec(
      String(request.headers['x-ms-range'] ?? request.headers['range'] ?? ''),
    )
    const part = range ? blob.subarray(Number(range[1]), range[2] ? Number(range[2]) + 1 : undefined) : blob
    return response
      .writeHead(206, { ...facts, 'content-length': part.length, 'content-type': 'application/x-ndjson' })
      .end(part)
  })
  return { ...server, container: `${server.url}/account/audit?sig=shared`, blobs, broken }
}
