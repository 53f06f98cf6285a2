import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createServer, type IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { Logger } from '../log.ts'
import { observed } from './observe.ts'
import { problem } from './problem.ts'
import { comesFromSameOrigin } from './same-origin.ts'

/** Headers that say who asks and for what: set here alone, whatever a client sends. */
export const ADDRESS_HEADER = 'x-attestry-address'
export const REQUEST_HEADER = 'x-request-id'
/** `https` where the person's own connection was encrypted, else `http`. */
export const SCHEME_HEADER = 'x-attestry-scheme'

const SET_HERE = [ADDRESS_HEADER, REQUEST_HEADER, SCHEME_HEADER]

export interface ServeOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** 0 takes a free one. */
  readonly port: number
  /** What to set when the port is taken, for the error's sentence. */
  readonly variable: string
  /** Loopback unless the configuration says more. */
  readonly hostname?: string
  readonly log: Logger
  /** A fresh id for a request. */
  readonly requestId: () => string
  /**
   * Whose X-Forwarded-For and X-Forwarded-Proto count: addresses and networks (`10.0.0.0/8`), or `peer` for whoever
   * connects, where only a proxy can.
   */
  readonly trustedProxies?: 'peer' | readonly string[]
  /** True for a service that only our gateway can reach: its word for address and request id is taken. */
  readonly behindGateway?: boolean
  /** The address that people use, where a proxy stands before us: `https://attestry.example`. */
  readonly publicOrigin?: string | null
  readonly maxBodyBytes?: number
  /** A request must have arrived by then. Answers may take longer: streams do. */
  readonly requestTimeoutMs?: number
  /** How often that is looked at. @default 5000 */
  readonly connectionsCheckingMs?: number
  /** How long requests in hand may take when the process stops. */
  readonly graceMs?: number
}

/** A listening server. */
export interface Serving extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:4600` */
  readonly url: string
  /** Takes no more requests, lets those in hand end within the grace, then cuts what is left (event streams). */
  close(): Promise<void>
}

type Trusted = (address: string) => boolean

/** Whether an address belongs to one of the addresses or networks given. IPv4 in IPv6 clothes counts as IPv4. */
function createTrust(proxies: readonly string[]): Trusted {
  const list = new BlockList()
  for (const entry of proxies) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address)
    if (family === 0) throw new Error(`a trusted proxy must be an address or a network, not ${entry}`)
    const type = family === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, type)
    else list.addSubnet(address, Number(bits), type)
  }
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** The last address of a forwarded chain that no trusted proxy has: what stands left of it may be made up. */
function forwardedFor(header: string, trusted: Trusted): string | null {
  const hops = header
    .split(',')
    .map((h) => plainAddress(h.trim()))
    .filter((h) => isIP(h) !== 0)
  return hops.findLast((h) => !trusted(h)) ?? hops[0] ?? null
}

/** Behind one proxy every hop but the last is the client's own claim. */
const nobody: Trusted = () => false

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

const REQUEST_ID = /^[\w-]{8,64}$/

/** Who asks, decided from the connection and, behind a trusted proxy, from what it says. */
function standing(incoming: IncomingMessage, options: { trusted: Trusted | 'peer'; behindGateway: boolean }) {
  const { trusted, behindGateway } = options
  const { headers } = incoming
  const peer = plainAddress(incoming.socket.remoteAddress ?? '')
  if (behindGateway) {
    const id = one(headers[REQUEST_HEADER]) ?? ''
    return {
      address: one(headers[ADDRESS_HEADER]) ?? peer,
      scheme: one(headers[SCHEME_HEADER]) === 'https' ? 'https' : 'http',
      id: REQUEST_ID.test(id) ? id : null,
    }
  }
  if (trusted !== 'peer' && !trusted(peer)) return { address: peer, scheme: 'http', id: null }
  const forwarded = one(headers['x-forwarded-for']) ?? ''
  return {
    address: forwardedFor(forwarded, trusted === 'peer' ? nobody : trusted) ?? peer,
    scheme: one(headers['x-forwarded-proto']) === 'https' ? 'https' : 'http',
    id: null,
  }
}

/**
 * Hosts a fetch function on a port. Bodies, headers and the time to send them are limited, the headers that name
 * address and request are ours, and a page of another origin cannot use somebody's cookie.
 * @throws Error naming port and variable when the port is taken or may not be used
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { fetch, log, requestId, behindGateway = false, graceMs = 5_000, maxBodyBytes = 1_000_000 } = options
  const hostname = options.hostname ?? '127.0.0.1'
  const publicOrigin = options.publicOrigin ? new URL(options.publicOrigin).origin : null
  const proxies = options.trustedProxies ?? []
  const trusted = proxies === 'peer' ? proxies : createTrust(proxies)

  const app = new Hono()
  app.use((c, next) =>
    comesFromSameOrigin(c.req.raw, publicOrigin)
      ? next()
      : Promise.resolve(
          problem('forbidden', 'cross-site', 'This request was sent by a page of another origin.'),
        ),
  )
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () =>
        problem('too-large', 'body-too-large', `The body is above the limit of ${maxBodyBytes} bytes.`),
    }),
  )
  // The gateway has this in its table; any other service answers it here, for whoever looks after its process.
  if (behindGateway) app.get('/health', () => Response.json({ status: 'ok' }))
  app.all('*', async (c) => fetch(c.req.raw))
  app.onError((error) => {
    const instance = requestId()
    log.error({ error, instance }, 'A request failed')
    return problem(
      'internal',
      'internal-error',
      'Something broke on our side; the log has it under this instance.',
      { instance },
    )
  })

  const listener = getRequestListener(
    (request) => observed(request, behindGateway, async () => app.fetch(request)),
    { hostname },
  )
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs ?? 30_000,
      headersTimeout: Math.min(options.requestTimeoutMs ?? 10_000, 10_000),
      connectionsCheckingInterval: options.connectionsCheckingMs ?? 5_000,
      keepAliveTimeout: 10_000,
      maxHeaderSize: 16_384,
    },
    (incoming, outgoing) => {
      const { address, scheme, id: given } = standing(incoming, { trusted, behindGateway })
      const id = given ?? requestId()
      const kept: string[] = []
      for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
        const name = incoming.rawHeaders[i] ?? ''
        if (!SET_HERE.includes(name.toLowerCase())) kept.push(name, incoming.rawHeaders[i + 1] ?? '')
      }
      kept.push(ADDRESS_HEADER, address, SCHEME_HEADER, scheme, REQUEST_HEADER, id)
      incoming.rawHeaders = kept
      outgoing.setHeader(REQUEST_HEADER, id)
      listener(incoming, outgoing).catch((error: unknown) => {
        log.error({ error }, 'A connection failed')
        outgoing.destroy()
      })
    },
  )

  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(options.port, hostname, resolve)
  try {
    await listening
  } catch (cause) {
    // Node's own errors carry a code; anything else falls through to the plain sentence.
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const place = `${hostname}:${options.port}`
    if (code === 'EADDRINUSE')
      throw new Error(
        `${place} is already in use: end what listens there, or set ${options.variable} to another port`,
        { cause },
      )
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new Error(`${place} cannot be listened on (${code}): set ${options.variable} to another port`, {
        cause,
      })
    throw cause
  }
  server.off('error', reject)
  server.on('error', (error) => log.error({ error }, 'The HTTP server failed'))
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('the HTTP server has no port')

  let closing: Promise<void> | null = null
  const close = () =>
    (closing ??= new Promise<void>((done) => {
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      server.close(() => {
        clearTimeout(cut)
        done()
      })
      server.closeIdleConnections()
    }))
  return {
    port: address.port,
    url: `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${address.port}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}
