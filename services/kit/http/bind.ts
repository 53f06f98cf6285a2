import type { Endpoint, PathParameters } from '@attestry/contracts/http'
import type { Feature, Role } from '@attestry/contracts'
import { Hono } from 'hono'
import * as z from 'zod'
import { isRefused, messageOf, type Refused, Transient } from '../failure.ts'
import { AppendDenied } from '../ledger/append.ts'
import type { Logger } from '../log.ts'
import { type Asked, RECORDED_HEADER, reasonOf, whileAsked } from './asked.ts'
import { problem } from './problem.ts'
import { notStorable } from './storable.ts'

/** Who calls, as the verified token says. */
export interface Caller {
  readonly tenant: string
  readonly operator: string
  readonly session: string
  readonly roles: readonly Role[]
  readonly reauthenticatedUntil: string | null
  /** The only bundles that a guest may see; absent where there is no such limit. */
  readonly bundles?: readonly string[]
}

/** What a handler is given: everything parsed by the endpoint's table. */
export interface Call<E extends Endpoint> {
  readonly params: Readonly<Record<PathParameters<E['path']>, string>>
  readonly query: E['query'] extends z.ZodObject ? z.infer<E['query']> : undefined
  readonly body: E['body'] extends z.ZodType ? z.infer<E['body']> : undefined
  /** Present for every endpoint that is not open. */
  readonly who: E['roles'] extends 'open' ? Caller | null : Caller
  readonly request: Request
  readonly signal: AbortSignal
  /** Address as seen by the gateway. */
  readonly address: string
  /** Correlation of everything that this request starts. */
  readonly correlation: string
}

type ReplyOf<E extends Endpoint> = E['reply'] extends z.ZodType
  ? z.input<E['reply']>
  : E['reply'] extends null
    ? undefined
    : Response

/** A handler answers with the reply's shape, or a refusal that its table names; a Response where it must set headers. */
export type Handlers<T extends Record<string, Endpoint>> = {
  readonly [K in keyof T]: (
    call: Call<T[K]>,
  ) => Promise<ReplyOf<T[K]> | Refused<keyof T[K]['refusals'] & string> | Response>
}

/** How a request is known. Given by the kit (token) and the gateway (session). */
export interface Guard {
  /** The caller behind a request, or null. */
  identify(request: Request): Promise<Caller | null>
  entitled(feature: Feature): Promise<boolean>
  now(): Temporal.Instant
  /** Told of a refused action of a signed-in operator, so that it can be recorded. */
  refused?(who: Caller, action: string, reason: string): Promise<void>
}

const BODY_LIMIT = 1_000_000

/** A media type is the same in any case, and ends where its parameters begin (RFC 9110 8.3.1). */
const isJson = (type: string): boolean => /^application\/json\s*(;|$)/i.test(type)

async function parseBody(
  request: Request,
): Promise<{ ok: true; value: unknown } | { ok: false; answer: Response }> {
  if (!isJson(request.headers.get('content-type') ?? ''))
    return {
      ok: false,
      answer: problem('invalid', 'not-json', 'The body must be JSON: send content-type application/json.'),
    }
  const text = await request.text()
  if (text.length > BODY_LIMIT)
    return { ok: false, answer: problem('too-large', 'body-too-large', 'The body is above one megabyte.') }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (cause) {
    return { ok: false, answer: problem('invalid', 'not-json', `The body is not JSON: ${messageOf(cause)}.`) }
  }
}

/** zod's issues as fields of a problem. */
const fieldsOf = (error: z.ZodError, where: string) =>
  error.issues.map((i) => ({ field: [where, ...i.path.map(String)].join('.'), message: i.message }))

/**
 * Makes a fetch function from an endpoint table and its handlers: parses input, checks sign-in, role,
 * licence and re-authentication, and turns refusals and failures into RFC 9457 problems.
 */
export function bind<T extends Record<string, Endpoint>>(
  table: T,
  handlers: Handlers<T>,
  guard: Guard,
  log: Logger,
): (request: Request) => Promise<Response> {
  const app = new Hono()
  for (const [name, endpoint] of Object.entries(table)) {
    // The table and the handlers share their keys by type; entries() forgets it.
    const handler = handlers[name] as (call: Call<Endpoint>) => Promise<unknown>
    app.on(endpoint.method, endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (c) => {
      const request = c.req.raw
      // A router asks whoever answers GET for HEAD as well. A file or a stream would be opened, and recorded as handed
      // out, with nobody to read it or to close it.
      if (request.method === 'HEAD' && typeof endpoint.reply === 'string')
        return problem('not-found', 'no-such-path', `Nothing answers HEAD ${c.req.path}.`)
      const who = endpoint.roles === 'open' ? null : await guard.identify(request)
      if (endpoint.roles !== 'open') {
        if (!who) return problem('unauthenticated', 'not-signed-in', 'Sign in first, or send a bearer token.')
        const needed = endpoint.roles
        if (needed !== 'anyone' && !who.roles.some((r) => needed.includes(r))) {
          await guard.refused?.(who, name, 'role')
          return problem('forbidden', 'role-missing', `This needs one of the roles ${needed.join(', ')}.`)
        }
        if (endpoint.entitlement && !(await guard.entitled(endpoint.entitlement))) {
          await guard.refused?.(who, name, 'licence')
          return problem(
            'forbidden',
            'not-licensed',
            `The licence of this install does not include ${endpoint.entitlement}.`,
          )
        }
        if (endpoint.reauthenticate) {
          const until = who.reauthenticatedUntil
          if (until === null || Temporal.Instant.compare(until, guard.now()) <= 0)
            return problem(
              'forbidden',
              'reauthenticate',
              'Prove your password again at /auth/reauthenticate, then repeat this.',
            )
        }
      }
      const params = c.req.param()
      if (notStorable(params, 'path').length > 0)
        return problem('not-found', 'no-such-path', `Nothing answers ${request.method} ${c.req.path}.`)
      let query: unknown
      if (endpoint.query) {
        const parsed = endpoint.query.safeParse(c.req.query())
        const errors = parsed.success ? notStorable(parsed.data, 'query') : fieldsOf(parsed.error, 'query')
        if (errors.length > 0)
          return problem('invalid', 'bad-query', 'The query has wrong fields.', { errors })
        query = parsed.data
      }
      let body: unknown
      if (endpoint.body) {
        const read = await parseBody(request)
        if (!read.ok) return read.answer
        const parsed = endpoint.body.safeParse(read.value)
        const errors = parsed.success ? notStorable(parsed.data, 'body') : fieldsOf(parsed.error, 'body')
        if (errors.length > 0) return problem('invalid', 'bad-body', 'The body has wrong fields.', { errors })
        body = parsed.data
      }
      const reason = reasonOf(request.headers)
      if (reason === undefined)
        return problem('invalid', 'bad-reason', 'The reason cannot be read, or is above 500 characters.', {
          errors: [{ field: 'header.x-attestry-reason', message: 'percent-encoded, at most 500 characters' }],
        })
      const address = request.headers.get('x-attestry-address') ?? ''
      const asked: Asked | null = who && { operator: who.operator, address, reason, recorded: false }
      const marked = (response: Response): Response => {
        if (asked?.recorded) response.headers.set(RECORDED_HEADER, 'yes')
        return response
      }
      try {
        const work = () =>
          handler({
            params,
            query,
            body,
            who,
            request,
            signal: request.signal,
            address,
            correlation: request.headers.get('x-request-id') ?? crypto.randomUUID(),
          } as Call<Endpoint>)
        const answer = await (asked ? whileAsked(asked, work) : work())
        if (answer instanceof Response) return marked(answer)
        if (isRefused(answer)) {
          const kind = endpoint.refusals[answer.refused]
          if (!kind) throw new Error(`${name} refused with ${answer.refused}, which its table does not name`)
          return problem(kind, answer.refused, answer.detail, answer.errors ? { errors: answer.errors } : {})
        }
        if (endpoint.reply === null) return marked(new Response(null, { status: 204 }))
        if (typeof endpoint.reply === 'string') throw new Error(`${name} must answer with a Response`)
        return marked(
          Response.json(endpoint.reply.parse(answer), { headers: { 'cache-control': 'no-store' } }),
        )
      } catch (error) {
        if (error instanceof Transient)
          return problem('unavailable', 'try-again', error.message, {
            retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 1000) / 1000),
          })
        // Each field is within its bounds, and all of them together say more than one event holds.
        if (error instanceof AppendDenied && error.code === 'too-large')
          return problem(
            'too-large',
            'body-too-large',
            'All of this together is more than one event of the ledger holds, 128 kB: say it in fewer or shorter words.',
          )
        const instance = crypto.randomUUID()
        log.error({ error, endpoint: name, instance }, 'A request failed')
        return problem(
          'internal',
          'internal-error',
          'Something broke on our side; the log has it under this instance.',
          { instance },
        )
      }
    })
  }
  app.notFound((c) => problem('not-found', 'no-such-path', `Nothing answers ${c.req.method} ${c.req.path}.`))
  return async (request) => app.fetch(request)
}

/** Server-sent events from a source of values; a comment every 15 s keeps proxies from closing it. */
export function eventStream(
  source: AsyncIterable<{ event?: string; data: unknown; id?: string }>,
  signal: AbortSignal,
): Response {
  const encoder = new TextEncoder()
  const iterator = source[Symbol.asyncIterator]()
  let beat: NodeJS.Timeout
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(': open\n\n'))
      beat = setInterval(() => controller.enqueue(encoder.encode(': beat\n\n')), 15_000)
      signal.addEventListener('abort', () => clearInterval(beat), { once: true })
    },
    async pull(controller) {
      const next = await iterator.next()
      if (next.done) {
        clearInterval(beat)
        controller.close()
        return
      }
      const { event, data, id } = next.value
      const lines = [id && `id: ${id}`, event && `event: ${event}`, `data: ${JSON.stringify(data)}`]
      controller.enqueue(encoder.encode(`${lines.filter(Boolean).join('\n')}\n\n`))
    },
    async cancel() {
      clearInterval(beat)
      await iterator.return?.()
    },
  })
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  })
}
