/// <reference types="node" />
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { http, type Endpoint } from '@attestry/contracts/http'
import { rolesMay } from '../session/roles.ts'
import type { Given, Refusal, SignedIn, Stream } from './answers.fixture.ts'
import { makeHandlers } from './handlers.fixture.ts'
import { makeWorld, type World, type WorldOptions } from './world.fixture.ts'

/** The policy that the gateway serves the console under. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

export interface FixtureServer extends AsyncDisposable {
  readonly url: string
  readonly world: World
  /** Answers everything with 503, or as before. */
  fail(failing: boolean): void
}

interface Line {
  readonly endpoint: Endpoint
  readonly pattern: RegExp
  readonly handle: (given: Given<Endpoint>) => unknown
}

/** The contract's tables answered from a made-up world, and a built console beside them. For web tests only. */
export async function startFixtureServer(
  webRoot: string,
  options: WorldOptions = {},
): Promise<FixtureServer> {
  const world = makeWorld(options)
  const handlers = makeHandlers(world)
  const sessions = new Map<string, SignedIn>()
  const lines = Object.entries(http).flatMap(([service, table]) =>
    Object.entries(table).map(
      ([name, endpoint]): Line => ({
        endpoint,
        pattern: new RegExp(`^${endpoint.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
        // Table and handlers share their keys; Object.entries forgets it.
        handle:
          (handlers as never as Record<string, Record<string, Line['handle']>>)[service]?.[name] ??
          (() => undefined),
      }),
    ),
  )
  let failing = false

  const problem = (response: ServerResponse, r: Refusal): void => {
    response.writeHead(r.refuse, { 'content-type': 'application/problem+json' })
    response.end(
      JSON.stringify({
        type: `about:blank#${r.code}`,
        title: r.code.replaceAll('-', ' '),
        status: r.refuse,
        detail: r.detail,
        code: r.code,
        ...(r.errors ? { errors: r.errors } : {}),
      }),
    )
  }

  const answer = async (
    line: Line,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> => {
    const cookie = /attestry=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
    const who = sessions.get(cookie)
    const { endpoint } = line
    if (endpoint.roles !== 'open') {
      if (!who) return problem(response, { refuse: 401, code: 'not-signed-in', detail: 'Sign in first.' })
      if (!rolesMay(who.account.roles, endpoint))
        return problem(response, { refuse: 403, code: 'role-missing', detail: 'Your role may not do this.' })
      if (
        endpoint.reauthenticate &&
        (who.reauthenticatedUntil === null || Date.parse(who.reauthenticatedUntil) < Date.now())
      )
        return problem(response, {
          refuse: 403,
          code: 'reauthenticate',
          detail: 'Prove your password again.',
        })
    }
    const query = endpoint.query?.safeParse(Object.fromEntries(url.searchParams))
    if (query && !query.success)
      return problem(response, { refuse: 400, code: 'bad-query', detail: query.error.message })
    let body: unknown
    let text: string | undefined
    if (endpoint.body || endpoint.upload) {
      text = ''
      for await (const chunk of request) text += String(chunk)
    }
    if (endpoint.body) {
      const parsed = endpoint.body.safeParse(JSON.parse(text ?? ''))
      if (!parsed.success)
        return problem(response, { refuse: 400, code: 'bad-body', detail: parsed.error.message })
      body = parsed.data
    }
    const result = line.handle({
      params: { ...line.pattern.exec(url.pathname)?.groups },
      query: query?.data,
      body,
      upload: endpoint.upload && text,
      who,
      signIn(account: SignedIn['account'] | null) {
        if (account === null) {
          sessions.delete(cookie)
          return
        }
        const id = randomUUID()
        sessions.set(id, { account, reauthenticatedUntil: null })
        response.setHeader('set-cookie', `attestry=${id}; HttpOnly; SameSite=Strict; Path=/`)
      },
    } as never)
    if (typeof result === 'object' && result !== null && 'refuse' in result)
      return problem(response, result as Refusal)
    if (endpoint.reply === null) {
      response.writeHead(204).end()
    } else if (endpoint.reply === 'file') {
      response.writeHead(200, {
        'content-type': 'application/zip',
        'content-disposition': 'attachment; filename="evidence.zip"',
      })
      response.end(result)
    } else if (endpoint.reply === 'stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.write(': open\n\n')
      const stop = (result as Stream).stream(
        (row) => response.write(`data: ${JSON.stringify(row)}\n\n`),
        () => response.end(),
      )
      response.on('close', stop)
    } else {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(endpoint.reply.parse(result)))
    }
  }

  const file = async (response: ServerResponse, path: string): Promise<void> => {
    const wanted = normalize(path).replace(/^(\.\.[/\\])+/, '')
    const name = extname(wanted) === '' ? 'index.html' : wanted
    try {
      const bytes = await readFile(join(webRoot, name))
      response.writeHead(200, {
        'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        // As the gateway has it: what has its digest in its name is kept.
        'cache-control': wanted.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      })
      response.end(bytes)
    } catch {
      // A file that is not there is a 404, whatever the reason.
      response.writeHead(404).end()
    }
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://fixture.invalid')
    const line = lines.find((l) => l.endpoint.method === request.method && l.pattern.test(url.pathname))
    if (failing && line)
      return problem(response, {
        refuse: 503,
        code: 'database-down',
        detail: 'The database does not answer.',
      })
    const work = line ? answer(line, request, response, url) : file(response, url.pathname)
    work.catch((thrown: unknown) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(thrown))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    fail: (now) => {
      failing = now
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
