import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Endpoint, http } from '@attestry/contracts/http'
import { createIds, problem, serve, silentLog, systemClock, Transient } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFace } from './face.ts'
import { ADMIN_PASSWORD, type TestGateway, testGateway } from './for-tests.ts'
import { faceOf } from './mounts.ts'

let g: TestGateway
let admin: string
let dist: string
beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), 'attestry-dist-'))
  await mkdir(join(dist, 'assets'))
  await writeFile(join(dist, 'index.html'), '<!doctype html><title>Attestry</title>')
  await writeFile(join(dist, 'assets', 'main-B8dZ1x_q.js'), `export const text = '${'x'.repeat(5000)}'`)
  await writeFile(join(dist, 'robots.txt'), 'User-agent: *\nDisallow: /\n')
  g = await testGateway({ staticDir: dist })
  admin = await g.admin()
})
afterAll(async () => {
  await g[Symbol.asyncDispose]()
  await rm(dist, { recursive: true, force: true })
})

const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code
const table = Object.entries(http).flatMap(([service, endpoints]) =>
  Object.entries<Endpoint>(endpoints).map(([name, endpoint]) => ({
    name: `${service}.${name}`,
    endpoint,
    path: endpoint.path.replaceAll(/\{\w+\}/g, 'thing-0123'),
  })),
)

describe('every endpoint', () => {
  test('that is open is one of the five', () => {
    const open = table.filter(({ endpoint }) => endpoint.roles === 'open').map(({ path }) => path)
    expect(open.toSorted()).toEqual([
      '/api/license/status',
      '/auth/auditor',
      '/auth/login',
      '/health',
      '/ready',
    ])
  })

  test.each(table.filter(({ endpoint }) => endpoint.roles !== 'open'))(
    '$name refuses whoever is not signed in',
    async ({ endpoint, path }) => {
      for (const asked of [{}, { cookie: 'attestry=nonsense' }, { bearer: 'nonsense' }]) {
        const answer = await g.ask(endpoint.method, path, asked)
        expect([answer.status, await codeOf(answer)]).toEqual([401, 'not-signed-in'])
      }
    },
  )

  test.each(table.filter(({ endpoint }) => Array.isArray(endpoint.roles)))(
    '$name refuses a role that its line does not list',
    async ({ name, endpoint, path }) => {
      // Each operator has one role; those that the line lists must not be refused for it.
      for (const [role, cookie] of await oneOfEach()) {
        const allowed = new Set<string>(endpoint.roles).has(role)
        if (allowed && name.startsWith('gateway.')) continue
        const answer = await g.ask(endpoint.method, path, { cookie })
        const refused = answer.status === 403 && (await codeOf(answer)) === 'role-missing'
        expect([role, refused]).toEqual([role, !allowed])
      }
    },
  )
})

test('whoever may not read is refused for HEAD as for GET', async () => {
  for (const [role, cookie] of await oneOfEach()) {
    const answer = await g.ask('HEAD', '/api/operators', { cookie })
    expect([role, answer.status]).toEqual([role, role === 'tenant-admin' ? 200 : 403])
  }
})

let each: Promise<[string, string][]> | null = null
const oneOfEach = () =>
  (each ??= (async () => {
    const made: [string, string][] = []
    for (const role of [
      'tenant-admin',
      'security-admin',
      'analyst',
      'viewer',
      'auditor',
      'service-account',
    ]) {
      const added = await g.ask('POST', '/api/operators', {
        cookie: admin,
        body: { name: role, roles: [role] },
      })
      const { oneTimePassword } = (await added.json()) as { oneTimePassword: string }
      const first = await g.cookieOf(role, oneTimePassword)
      const body = { current: oneTimePassword, next: `the password of ${role}` }
      await g.ask('POST', '/auth/password', { cookie: first, body })
      made.push([role, await g.cookieOf(role, body.next)])
    }
    return made
  })())

describe('a browser', () => {
  test('gets the console’s page for its routes, with a policy that allows nothing inline', async () => {
    for (const path of ['/', '/inventory', '/findings/finding-0123?state=open']) {
      const answer = await g.ask('GET', path)
      expect(await answer.text()).toContain('<title>Attestry</title>')
      expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'self';/)
      expect(answer.headers.get('content-security-policy')).not.toContain('unsafe')
      expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(answer.headers.get('cache-control')).toBe('no-cache')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    }
  })

  test('keeps files whose name holds their digest, and gets them compressed', async () => {
    const headers = { 'accept-encoding': 'br, gzip' }
    const answer = await g.ask('GET', '/assets/main-B8dZ1x_q.js', { headers })
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(answer.headers.get('content-type')).toMatch(/^text\/javascript/)
    expect(answer.headers.get('content-encoding')).toBe('gzip')
    expect((await answer.arrayBuffer()).byteLength).toBeLessThan(500)
    expect((await g.ask('GET', '/robots.txt')).headers.get('cache-control')).toBe('no-cache')
  })

  test('finds nothing outside the console’s folder', async () => {
    for (const path of [
      '/..%2f..%2fetc/passwd',
      '/%2e%2e/%2e%2e/etc/hosts.x',
      '/assets/none.js',
      '/%00.js',
      '/%zz.js',
    ]) {
      const answer = await g.ask('GET', path)
      expect([path, answer.status]).toEqual([path, 404])
    }
    expect((await g.ask('POST', '/inventory')).status).toBe(404)
  })

  test('finds no page behind /api and /auth: a wrong path there is a problem', async () => {
    const answer = await g.ask('GET', '/api/nothing', { cookie: admin })
    expect([answer.status, await codeOf(answer)]).toEqual([404, 'no-such-path'])
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
  })
})

describe('/docs', () => {
  test('serves the interface’s documents from this machine alone', async () => {
    const page = await (await g.ask('GET', '/docs')).text()
    const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((m) => m[1] ?? '')
    expect(files).toHaveLength(3)
    for (const file of files) expect([file, (await g.ask('GET', file)).status]).toEqual([file, 200])
    const api = (await (await g.ask('GET', '/openapi.json')).json()) as { openapi: string }
    expect(api.openapi).toMatch(/^3\.1/)
    expect((await g.ask('GET', '/docs/swagger-initializer.js')).status).toBe(404)
  })

  test('explains every code that an endpoint may answer', async () => {
    const page = await (await g.ask('GET', '/docs/problems')).text()
    const api: unknown = await (await g.ask('GET', '/openapi.json')).json()
    const codes = new Set<string>()
    const walk = (value: unknown) => {
      if (typeof value !== 'object' || value === null) return
      for (const [key, member] of Object.entries(value)) {
        if (key !== 'application/problem+json') walk(member)
        else
          for (const [, list = ''] of JSON.stringify(member).matchAll(/"enum":\[([^\]]+)\]/g))
            for (const code of JSON.parse(`[${list}]`) as string[]) codes.add(code)
      }
    }
    walk(api)
    expect(codes.size).toBeGreaterThan(30)
    const explained = new Set([...page.matchAll(/<dt id="([^"]+)"/g)].map((m) => m[1] ?? ''))
    expect([...codes].filter((code) => !explained.has(code))).toEqual([])
  })

  test('publishes the statuses that problem() answers', async () => {
    const api = (await (await g.ask('GET', '/openapi.json')).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>
    }
    for (const { endpoint } of table)
      for (const [code, kind] of Object.entries(endpoint.refusals)) {
        const status = String(problem(kind, code, '').status)
        const answered = api.paths[endpoint.path]?.[endpoint.method.toLowerCase()]?.responses[status]
        expect([code, JSON.stringify(answered ?? null).includes(`"${code}"`)]).toEqual([code, true])
      }
  })
})

describe('health, readiness and licence', () => {
  test('are open and say nothing private', async () => {
    expect(await (await g.ask('GET', '/health')).json()).toEqual({ status: 'ok' })
    expect(await (await g.ask('GET', '/ready')).json()).toEqual({ status: 'ready' })
    expect(await (await g.ask('GET', '/api/license/status')).json()).toEqual({
      tier: 'evaluation',
      features: [],
      state: 'valid',
      expiresAt: null,
    })
  })
})

describe('what the ledger’s ports give', () => {
  test('is listed newest first with the names of operators', async () => {
    await g.host.settle()
    const actorId = (await g.gateway.opaque('acme'))('operator', 'admin')
    const row = {
      at: '2026-11-22T10:00:00.000Z',
      type: 'discovery.scan-started',
      stream: 'scan-01',
      link: 'ab',
      address: null,
      reason: null,
    }
    for (const seq of [1, 2, 3]) g.ledger.unshift({ ...row, seq, actorKind: 'operator', actorId })
    const page = await (await g.ask('GET', '/api/activity?limit=2', { cookie: admin })).json()
    expect(page).toMatchObject({
      items: [
        { seq: 3, actorName: 'admin' },
        { seq: 2, actorName: 'admin' },
      ],
      next: '2',
      total: 3,
    })
    const last = await g.ask('GET', '/api/activity?limit=2&after=2', { cookie: admin })
    expect(await last.json()).toMatchObject({ items: [{ seq: 1 }], next: null })
    expect((await g.ask('GET', '/api/activity?after=x', { cookie: admin })).status).toBe(400)
  })

  test('is searched by a person’s name, also where it looks like an id, and by any id', async () => {
    const body = { name: 'anna-lena', roles: ['viewer'] }
    const added = await g.ask('POST', '/api/operators', { cookie: admin, body })
    const { operator } = (await added.json()) as { operator: string }
    const [row] = g.ledger
    if (!row) throw new Error('the ledger has no row')
    const more = [
      { ...row, seq: 12, actorId: operator },
      { ...row, seq: 11, actorKind: 'service', actorId: 'discovery' },
    ]
    g.ledger.unshift(...more)
    const found = async (actor: string) => {
      const answer = await g.ask('GET', `/api/activity?actor=${actor}`, { cookie: admin })
      return ((await answer.json()) as { items: { seq: number }[] }).items.map(({ seq }) => seq)
    }
    expect(await found('Anna-Lena')).toEqual([12])
    expect(await found(operator)).toEqual([12])
    expect(await found('discovery')).toEqual([11])
    expect(await found('nobody')).toEqual([])
    g.ledger.splice(0, more.length)
  })

  test('is verified, listed and replayed by those who may', async () => {
    const verdict = await g.ask('POST', '/api/ledger/verify', { cookie: admin })
    expect(await verdict.json()).toMatchObject({ ok: true, events: 3, firstBad: null })
    expect(await (await g.ask('GET', '/api/operations', { cookie: admin })).json()).toEqual({
      services: [],
      stuck: [],
    })
    const replay = (id: string) =>
      g.ask('POST', `/api/operations/evidence/stuck/${id}/replay`, { cookie: admin })
    expect((await replay('there')).status).toBe(204)
    expect(await codeOf(await replay('gone'))).toBe('no-such-work')
  })
})

describe('what is away', () => {
  test('makes the product not ready, and says no more to strangers', async () => {
    for (const ready of [
      () => Promise.resolve(false),
      () => Promise.reject(new Error('no route to db.internal')),
    ]) {
      await using waiting = await testGateway({ ready })
      const answer = await waiting.ask('GET', '/ready')
      expect(answer.status).toBe(503)
      const text = await answer.text()
      expect(text).toContain('"not-ready"')
      expect(text).not.toContain('db.internal')
      expect((await waiting.ask('GET', '/health')).status).toBe(200)
    }
  })

  test('is a problem for now where a session cannot be looked at', async () => {
    const unreached = () => Promise.reject(new Error('nobody should be asked'))
    const face = createFace({
      desk: {
        mint: unreached,
        handOver: () => ({}),
        takeAway: () => ({}),
        current: unreached,
        admit: () => Promise.reject(new Transient('the database is unavailable')),
      },
      own: unreached,
      mounts: new Map(),
      files: null,
      refused: unreached,
      taken: unreached,
      https: false,
    })
    const answer = await face(new Request('http://x/api/operators'))
    expect([answer.status, answer.headers.get('retry-after'), await codeOf(answer)]).toEqual([
      503,
      '1',
      'try-again',
    ])
  })
})

describe('too many sign-ins from one address', () => {
  test('are refused for a while, and others’ are not', async () => {
    await using strict = await testGateway({ signInsPerMinute: 3 })
    const signIn = (address: string) =>
      strict.ask('POST', '/auth/login', {
        body: { name: 'somebody', password: ADMIN_PASSWORD },
        headers: { 'x-attestry-address': address },
      })
    for (let i = 0; i < 3; i++) expect((await signIn('2001:db8::1')).status).toBe(401)
    // Another address of the same line.
    const refused = await signIn('2001:db8:0:0:ffff::2')
    expect([refused.status, await codeOf(refused)]).toEqual([429, 'too-many-sign-ins'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await signIn('198.51.100.9')).status).toBe(401)
    strict.clock.advance({ seconds: 21 })
    expect((await signIn('2001:db8::1')).status).toBe(401)
  })
})

describe('a service in another process', () => {
  const ids = createIds(systemClock)
  const start = (fetch: (request: Request) => Response | Promise<Response>) =>
    serve({
      fetch,
      port: 0,
      variable: 'ATTESTRY_TEST_PORT',
      log: silentLog,
      requestId: () => ids.uuid(),
      behindGateway: true,
      graceMs: 50,
    })

  test('is asked with path, query, body and token, and its stream comes through as it is written', async () => {
    const { promise: second, resolve: writeSecond } = Promise.withResolvers<void>()
    await using far = await start(async (request) => {
      if (request.method === 'POST')
        return Response.json({
          url: new URL(request.url).pathname + new URL(request.url).search,
          body: await request.text(),
          authorization: request.headers.get('authorization'),
          address: request.headers.get('x-attestry-address'),
        })
      const encoder = new TextEncoder()
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(encoder.encode('data: 1\n\n'))
          await second
          controller.enqueue(encoder.encode('data: 2\n\n'))
          controller.close()
        },
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    })
    const face = faceOf('discovery', new URL(far.url))
    const posted = await face(
      new Request('http://gateway/api/discovery/scans?a=b', {
        method: 'POST',
        body: '{"x":1}',
        headers: { authorization: 'Bearer t', 'x-attestry-address': '192.0.2.7' },
      }),
    )
    expect(await posted.json()).toEqual({
      url: '/api/discovery/scans?a=b',
      body: '{"x":1}',
      authorization: 'Bearer t',
      address: '192.0.2.7',
    })
    const streamed = await face(new Request('http://gateway/api/discovery/scans/scan-01/progress'))
    const reader = streamed.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toBe('data: 1\n\n')
    writeSecond()
    expect((await reader?.read())?.value).toBe('data: 2\n\n')
    expect((await reader?.read())?.done).toBe(true)
  })

  test('that is away, or silent, is a problem that says which and when to try again', async () => {
    const gone = await start(() => new Response())
    await gone.close()
    const away = await faceOf(
      'evidence',
      new URL(gone.url),
    )(new Request('http://gateway/api/evidence/bundles'))
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await away.json()).toMatchObject({
      code: 'service-away',
      detail: expect.stringContaining('The evidence service cannot be reached'),
    })

    const { promise, resolve } = Promise.withResolvers<Response>()
    await using silent = await start(() => promise)
    const late = await faceOf('evidence', new URL(silent.url), { answerWithinMs: 30 })(
      new Request('http://gateway/api/evidence/bundles'),
    )
    expect(await late.json()).toMatchObject({ detail: expect.stringContaining('does not answer in time') })
    resolve(new Response())
  })
})
