import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createIds } from '../ids.ts'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { serve, type ServeOptions, type Serving } from './serve.ts'

const ids = createIds(systemClock)
const open: Serving[] = []
const start = async (more: Partial<ServeOptions> = {}): Promise<Serving> => {
  const serving = await serve({
    fetch: async (request) =>
      Response.json({
        address: request.headers.get('x-attestry-address'),
        scheme: request.headers.get('x-attestry-scheme'),
        id: request.headers.get('x-request-id'),
        body: request.method === 'POST' ? await request.text() : null,
      }),
    port: 0,
    variable: 'ATTESTRY_PORT',
    log: silentLog,
    requestId: () => ids.uuid(),
    graceMs: 50,
    ...more,
  })
  open.push(serving)
  return serving
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((s) => s.close()))
})

const seen = async (serving: Serving, headers: Record<string, string> = {}) =>
  (await (await fetch(serving.url, { headers })).json()) as Record<string, string | null>

describe('what a client says of itself', () => {
  const claims = {
    'x-attestry-address': '203.0.113.1',
    'x-attestry-scheme': 'https',
    'x-request-id': 'chosen-by-the-client',
    'x-forwarded-for': '203.0.113.2',
    'x-forwarded-proto': 'https',
  }

  test('is not believed', async () => {
    const answer = await seen(await start(), claims)
    expect(answer).toMatchObject({ address: '127.0.0.1', scheme: 'http' })
    expect(answer['id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('is believed of a trusted proxy, but not beyond what that proxy saw', async () => {
    const proxied = { ...claims, 'x-forwarded-for': '198.51.100.66, 203.0.113.2' }
    const peer = await seen(await start({ trustedProxies: 'peer' }), proxied)
    expect(peer).toMatchObject({ address: '203.0.113.2', scheme: 'https' })
    expect(peer['id']).not.toBe('chosen-by-the-client')
    const chain = { ...claims, 'x-forwarded-for': '198.51.100.66, 203.0.113.2, 10.0.0.9' }
    const listed = await seen(await start({ trustedProxies: ['127.0.0.1', '10.0.0.0/8'] }), chain)
    expect(listed['address']).toBe('203.0.113.2')
    expect((await seen(await start({ trustedProxies: ['192.0.2.1'] }), chain))['address']).toBe('127.0.0.1')
    expect(
      (await seen(await start({ trustedProxies: 'peer' }), { 'x-forwarded-for': 'junk' }))['address'],
    ).toBe('127.0.0.1')
  })

  test('is believed of the gateway by a service that only the gateway reaches', async () => {
    expect(await seen(await start({ behindGateway: true }), claims)).toMatchObject({
      address: '203.0.113.1',
      scheme: 'https',
      id: 'chosen-by-the-client',
    })
  })

  test('and a service behind the gateway answers for its health by itself', async () => {
    const health = async (serving: Serving) => (await fetch(`${serving.url}/health`)).json()
    expect(await health(await start({ behindGateway: true }))).toEqual({ status: 'ok' })
    // The gateway's own is in its table.
    expect(await health(await start())).toHaveProperty('address')
  })

  test('and an answer names the request', async () => {
    const answer = await fetch((await start()).url)
    expect(answer.headers.get('x-request-id')).toBe(((await answer.json()) as { id: string }).id)
  })
})

describe('limits', () => {
  test('a body above the limit is refused, announced or not', async () => {
    const { url } = await start({ maxBodyBytes: 100 })
    expect(await (await fetch(url, { method: 'POST', body: 'x'.repeat(100) })).json()).toMatchObject({
      body: 'x'.repeat(100),
    })
    const announced = await fetch(url, { method: 'POST', body: 'x'.repeat(101) })
    expect([announced.status, ((await announced.json()) as { code: string }).code]).toEqual([
      413,
      'body-too-large',
    ])
    const chunks = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < 30; i++) controller.enqueue(new Uint8Array(10))
        controller.close()
      },
    })
    // Node's fetch asks for the duplex member with a streamed body; the DOM's types do not know it.
    const init = { method: 'POST', body: chunks, duplex: 'half' } as RequestInit
    expect((await fetch(url, init)).status).toBe(413)
  })

  test('a request that never comes to its end is cut', async () => {
    const serving = await start({ requestTimeoutMs: 1, connectionsCheckingMs: 20 })
    const socket = connect(serving.port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nab')
    const answer = await new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('close', () => resolve(text))
    })
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  })
})

describe('a page of another origin', () => {
  test('cannot use somebody’s cookie to change anything', async () => {
    const { url } = await start()
    const headers = { cookie: 'attestry=abc', origin: 'https://evil.example' }
    const refused = await fetch(url, { method: 'POST', headers })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'cross-site'])
    expect((await fetch(url, { method: 'POST', headers: { ...headers, origin: url } })).status).toBe(200)
    const behind = await start({ publicOrigin: 'https://attestry.example/' })
    const outside = { ...headers, origin: 'https://attestry.example' }
    expect((await fetch(behind.url, { method: 'POST', headers: outside })).status).toBe(200)
  })
})

describe('failures', () => {
  test('a port in use names the port and the variable to set', async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toThrow(
      `127.0.0.1:${port} is already in use: end what listens there, or set ATTESTRY_PORT to another port`,
    )
  })

  test('a trusted proxy that is no address is an error at the start', async () => {
    await expect(start({ trustedProxies: ['proxy.example'] })).rejects.toThrow('not proxy.example')
  })

  test('a fetch function that throws becomes a problem that tells nothing of it', async () => {
    const { url } = await start({
      fetch: () => {
        throw new Error('password of the database')
      },
    })
    const answer = await fetch(url)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'application/problem+json'])
    expect(await answer.text()).not.toContain('database')
  })
})

describe('close()', () => {
  test('lets a request in hand end, and takes no more', async () => {
    const { promise, resolve } = Promise.withResolvers<Response>()
    const { promise: asked, resolve: tell } = Promise.withResolvers<void>()
    const serving = await start({
      graceMs: 10_000,
      fetch: () => {
        tell()
        return promise
      },
    })
    const answer = fetch(serving.url)
    await asked
    const closed = serving.close()
    resolve(new Response('done'))
    expect(await (await answer).text()).toBe('done')
    await closed
    await expect(fetch(serving.url)).rejects.toThrow('fetch failed')
  })

  test('cuts what does not end within the grace', async () => {
    const serving = await start({
      fetch: (request) =>
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode(': open\n\n'))
              request.signal.addEventListener('abort', () => controller.close())
            },
          }),
        ),
    })
    const answer = await fetch(serving.url)
    await serving.close()
    await expect(answer.text()).rejects.toThrow('terminated')
  })
})
