import { http } from '@attestry/contracts/http'
import type { Endpoint, PathParameters } from '@attestry/contracts/http'
import type * as z from 'zod'
import { offline, ProblemError, problemFrom, strangeReply, tooSlow } from './problem.ts'
import { type Presence, watchPresence } from './presence.ts'

type Parameters<E extends Endpoint> = [PathParameters<E['path']>] extends [never]
  ? { readonly params?: undefined }
  : { readonly params: Readonly<Record<PathParameters<E['path']>, string>> }
type Query<E extends Endpoint> = E['query'] extends z.ZodObject
  ? { readonly query?: Partial<z.input<E['query']>> }
  : { readonly query?: undefined }
type Body<E extends Endpoint> = E['body'] extends z.ZodType
  ? { readonly body: z.input<E['body']> }
  : { readonly body?: undefined }

/** What a caller gives: path parameters, query and body, each only where the endpoint's table has it. */
export type RequestOf<E extends Endpoint> = Parameters<E> &
  Query<E> &
  Body<E> & {
    /** Why it is done, in the caller’s words; it stands in the audit log. */
    readonly reason?: string | undefined
  }
export type ReplyOf<E extends Endpoint> = E['reply'] extends z.ZodType ? z.output<E['reply']> : undefined

/** One endpoint as a function, with its line of the table and the address of a request. */
export interface Operation<E extends Endpoint = Endpoint> {
  /** Answers the parsed reply. Throws `ProblemError` for every refusal and failure. */
  (request: RequestOf<E>, signal?: AbortSignal): Promise<ReplyOf<E>>
  /** `discovery.listAssets`: unique, and the head of a query key. */
  readonly id: string
  readonly endpoint: E
  /** Path with query, for streams and downloads that the browser opens by itself. */
  address(request: RequestOf<E>): string
}

export type Api = {
  readonly [S in keyof typeof http]: {
    readonly [N in keyof (typeof http)[S]]: (typeof http)[S][N] extends Endpoint
      ? Operation<(typeof http)[S][N]>
      : never
  }
}

interface AnyRequest {
  readonly params?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, Askable>> | undefined
  readonly body?: unknown
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

/** Every request ends within this time, milliseconds. */
const DEADLINE_MS = 30_000

async function bodyOf(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.includes('json')) return undefined
  return response.json()
}

async function send(
  endpoint: Endpoint,
  address: string,
  { body, reason }: AnyRequest,
  fetchIt: typeof fetch,
  presence: Presence,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  try {
    return await fetchIt(address, {
      method: endpoint.method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(reason ? { 'x-attestry-reason': encodeURIComponent(reason) } : {}),
        ...(presence.away() ? { 'x-attestry-background': '1' } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ProblemError(deadline.aborted ? tooSlow(DEADLINE_MS / 1000) : offline(), { cause })
  }
}

/** Makes one operation from one line of a table. */
function operation(id: string, endpoint: Endpoint, fetchIt: typeof fetch, presence: Presence): Operation {
  const address = (request: AnyRequest): string =>
    pathOf(endpoint.path, request.params) + queryOf(request.query)
  const call = async (request: AnyRequest, signal?: AbortSignal): Promise<unknown> => {
    const response = await send(endpoint, address(request), request, fetchIt, presence, signal)
    if (!response.ok) throw new ProblemError(problemFrom(response.status, await bodyOf(response)))
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
  // The table's types are erased here on purpose: Api gives each operation its own back.
  return Object.assign(call, { id, endpoint, address }) as unknown as Operation
}

/** The typed client: one function an endpoint, made from the contract's tables alone. */
export function makeApi(fetchIt: typeof fetch, presence: Presence): Api {
  const services = Object.entries(http).map(([service, table]) => [
    service,
    Object.fromEntries(
      Object.entries(table).map(([name, endpoint]) => [
        name,
        operation(`${service}.${name}`, endpoint, fetchIt, presence),
      ]),
    ),
  ])
  // Object.fromEntries forgets keys; they are those of the table that Api is mapped from.
  return Object.fromEntries(services) as Api
}

/** Outside a browser, where tests run, somebody is always there. */
const presence: Presence =
  typeof window === 'undefined' ? { away: () => false } : watchPresence(window, () => Date.now())

export const api: Api = makeApi((input, init) => fetch(input, init), presence)
