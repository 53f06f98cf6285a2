import type { Endpoint, PathParameters } from '@attestry/contracts/http'
import type * as z from 'zod'
import { offline, ProblemError, problemFrom, strangeReply, tooSlow } from './problem.ts'

/** What of an endpoint's line a request is made of; who may call it is another matter. */
export type EndpointShape = Pick<Endpoint, 'method' | 'path' | 'query' | 'body' | 'upload' | 'reply'>

type Parameters<E extends EndpointShape> = [PathParameters<E['path']>] extends [never]
  ? { readonly params?: undefined }
  : { readonly params: Readonly<Record<PathParameters<E['path']>, string>> }
type Query<E extends EndpointShape> = E['query'] extends z.ZodObject
  ? { readonly query?: Partial<z.input<E['query']>> }
  : { readonly query?: undefined }
type Body<E extends EndpointShape> = E['body'] extends z.ZodType
  ? { readonly body: z.input<E['body']> }
  : { readonly body?: undefined }

type Upload<E extends EndpointShape> = E['upload'] extends string
  ? { /** Text of the file. */ readonly upload: string }
  : { readonly upload?: undefined }

/** What a caller gives: path parameters, query and body, each only where the endpoint's table has it. */
export type RequestOf<E extends EndpointShape> = Parameters<E> &
  Query<E> &
  Body<E> &
  Upload<E> & {
    /** Why it is done, in the caller’s words; it stands in the audit log. */
    readonly reason?: string | undefined
  }
export type ReplyOf<E extends EndpointShape> = E['reply'] extends z.ZodType ? z.output<E['reply']> : undefined

/** One endpoint as a function, with its line of the table and the address of a request. */
export interface Operation<E extends EndpointShape = EndpointShape> {
  /** Answers the parsed reply. Throws `ProblemError` for every refusal and failure. */
  (request: RequestOf<E>, signal?: AbortSignal): Promise<ReplyOf<E>>
  /** `discovery.listAssets`: unique, and the head of a query key. */
  readonly id: string
  readonly endpoint: E
  /** Path with query, for streams and downloads that the browser opens by itself. */
  address(request: RequestOf<E>): string
}

interface AnyRequest {
  readonly params?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, Askable>> | undefined
  readonly body?: unknown
  readonly upload?: string | undefined
  readonly reason?: string | undefined
}

/** A path with its parameters filled in and escaped; a missing one is a mistake of ours and throws. */
export function pathOf(template: string, params: Readonly<Record<string, string>> = {}): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (value === undefined || value === '') throw new Error(`the path ${template} needs ${name}`)
    return encodeURIComponent(value)
  })
}

/** What a query may hold. */
export type Askable = string | number | boolean | null | undefined

/** A query string with its question mark; absent and empty values are left out, keys keep their order. */
export function queryOf(query: Readonly<Record<string, Askable>> = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '') continue
    search.append(key, String(value))
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

/** A request as it goes out. */
export interface Asked {
  readonly method: string
  readonly address: string
  /** Text of the body. */
  readonly body: string | undefined
  readonly reason: string | undefined
}

/** The way to a server: how to ask, what goes with each request, and what the server is called. */
export interface Transport {
  readonly fetchIt: typeof fetch
  /** As a person knows it: `the Attestry gateway`. */
  readonly far: string
  readonly headers: (asked: Asked) => Readonly<Record<string, string>>
  /** A status came back for a request; none comes where the answer was lost. */
  readonly heard?: (asked: Asked, status: number) => void
}

/** Every request ends within this time, milliseconds. */
const DEADLINE_MS = 30_000

async function bodyOf(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.includes('json')) return undefined
  return response.json()
}

async function send(to: Transport, asked: Asked, signal: AbortSignal | undefined): Promise<Response> {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  try {
    const response = await to.fetchIt(asked.address, {
      method: asked.method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(asked.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...to.headers(asked),
      },
      ...(asked.body === undefined ? {} : { body: asked.body }),
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    })
    to.heard?.(asked, response.status)
    return response
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ProblemError(deadline.aborted ? tooSlow(DEADLINE_MS / 1000, to.far) : offline(to.far), {
      cause,
    })
  }
}

/** Makes one operation from one line of a table. */
export function operation(id: string, endpoint: EndpointShape, to: Transport): Operation {
  const address = (request: AnyRequest): string =>
    pathOf(endpoint.path, request.params) + queryOf(request.query)
  const call = async (request: AnyRequest, signal?: AbortSignal): Promise<unknown> => {
    const body = request.body === undefined ? request.upload : JSON.stringify(request.body)
    const { reason } = request
    const asked = { method: endpoint.method, address: address(request), body, reason }
    const response = await send(to, asked, signal)
    if (!response.ok) throw new ProblemError(problemFrom(response.status, await bodyOf(response), to.far))
    if (endpoint.reply === null || typeof endpoint.reply === 'string') return undefined
    const parsed = endpoint.reply.safeParse(await bodyOf(response))
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    throw new ProblemError(
      strangeReply(
        response.status,
        `${id} answered something else than its contract says${issue ? `, at ${issue.path.join('.') || 'its root'}` : ''}.`,
      ),
      { cause: parsed.error },
    )
  }
  // The table's types are erased here on purpose: the client's type gives each operation its own back.
  return Object.assign(call, { id, endpoint, address }) as unknown as Operation
}
