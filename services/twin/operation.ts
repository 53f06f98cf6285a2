import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import type { Clock } from './clock.ts'
import type { Tokens } from './entra/tokens.ts'
import type { Estate } from './estate/estate.ts'
import type { ActiveFaults } from './faults.ts'
import { Refusal } from './refusal.ts'
import type { Throttle } from './throttle.ts'

/** What every plane shares. */
export interface Cloud {
  readonly estate: Estate
  readonly clock: Clock
  readonly tokens: Tokens
  readonly throttle: Throttle
  readonly faults: ActiveFaults
  readonly settings: Settings
  /** How often each operation was called, refusals included. */
  readonly calls: Map<string, number>
  /** Random bytes for new ids and values, as hexadecimal. */
  readonly randomHex: (bytes: number) => string
  /** Called after each change of the estate. */
  readonly changed: () => void
  /** Called after each operation and each move of the clock: whoever watches the cloud looks again. */
  readonly watch: () => void
}

export interface Settings {
  /** How long a credential made by addPassword stays unknown to the token endpoint. */
  credentialReplicationMs: number
  /** How far the report of sign-ins lags behind. */
  signInReportLagMs: number
  /** How long a new revision of a container app takes to come up. */
  revisionStartMs: number
  /** Whether new revisions come up healthy. */
  revisionsHealthy: boolean
  /** How long a certificate operation stays in progress. */
  certificateIssuanceMs: number
  /** Whether issuers refuse what they are asked for. */
  certificateIssuanceFails: boolean
  /** Key Vault does not promise Retry-After on 429, so by default there is none. */
  keyVaultRetryAfter: boolean
  /** Lifetime of an application's token in seconds. */
  tokenLifetimeSeconds: number
  /** How long lists of AWS and Google Cloud go on showing what was there before a change. */
  listLagMs: number
}

export type TwinContext = Context<{ Bindings: HttpBindings }>

/** The header in which a routed client keeps the host that the request was meant for. */
export const hostHeader = 'x-attestry-host'

/** The host that a request was meant for. */
export const hostOf = (headers: Headers): string =>
  (headers.get(hostHeader) ?? headers.get('host') ?? '').toLowerCase().replace(/:443$/, '')

export interface Plane {
  readonly name:
    | 'entra'
    | 'arm'
    | 'graph'
    | 'keyvault'
    | 'storage'
    | 'servicebus'
    | `aws.${string}`
    | `gcp.${string}`
  /** The provider's own error shape. */
  readonly render: (refusal: Refusal) => Response
  /** What this plane answers when tests make it throttle. */
  readonly throttled: (retryAfterSeconds: number | undefined) => Refusal
}

export interface Call {
  readonly context: TwinContext
  readonly host: string
  readonly url: URL
  /** A fault says that the caller's token has run out. */
  readonly tokenExpired: boolean
}

export interface Guard {
  /** Query names that this operation knows; any other is refused. */
  readonly query?: readonly string[]
  /** Several operations share one path and method only in Graph, which checks its own query. */
  readonly mutates?: boolean
}

/** A JSON answer. */
export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  Response.json(body, { status, headers })

/** The body as a plain object; anything else is refused. */
export async function bodyOf(call: Call): Promise<Record<string, unknown>> {
  const text = await call.context.req.text()
  if (text === '') return {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
  } catch {
    throw new Refusal(400, 'BadParameter', 'The request body is not valid JSON.')
  }
  throw new Refusal(400, 'BadParameter', 'The request body must be a JSON object.')
}

/** A request that hangs ends after so long, should its client never give up. */
const longestHangMs = 120_000

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    // Nothing else waits for a pause: a cloud that is stopped meanwhile ends.
    const timer = setTimeout(resolve, ms).unref()
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

/** What a POST asks for, where everything goes to one path. */
const said = async (context: TwinContext): Promise<string> =>
  context.req.method === 'POST' && context.req.header('x-amz-target') !== undefined
    ? `${context.req.header('x-amz-target')} ${await context.req.text()}`
    : ''

/** Half of the announced bytes, then the connection ends. */
async function breakOff(context: TwinContext, response: Response): Promise<Response> {
  const bytes = Buffer.from(await response.arrayBuffer())
  const { outgoing } = context.env
  outgoing.writeHead(response.status, {
    ...Object.fromEntries(response.headers),
    'content-length': String(bytes.length),
  })
  await new Promise<void>((resolve) => {
    outgoing.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => resolve())
  })
  outgoing.destroy()
  return RESPONSE_ALREADY_SENT
}

/** Drops the connection: what a client sees when there is nobody at that name. */
export function hangUp(context: TwinContext): Response {
  context.env.outgoing.destroy()
  return RESPONSE_ALREADY_SENT
}

/**
 * Wraps the handler of one named operation: counts the call, lets the injected faults befall it, refuses unknown
 * query parameters and renders refusals in the plane's shape.
 */
export function operations(cloud: Cloud, plane: Plane) {
  return (
    name: string,
    handler: (call: Call) => Response | Promise<Response>,
    { query, mutates = false }: Guard = {},
  ) =>
    async (context: TwinContext): Promise<Response> => {
      const operation = `${plane.name}.${name}`
      const host = hostOf(context.req.raw.headers)
      const url = new URL(context.req.url)
      cloud.calls.set(operation, (cloud.calls.get(operation) ?? 0) + 1)
      // A call without a token only asks how to sign in: it changes nothing yet.
      const signed = context.req.header('authorization') !== undefined
      const troubles = cloud.faults.befalling(
        operation,
        host,
        !signed ? 'asks' : mutates ? 'changes' : 'reads',
      )
      let tokenExpired = false
      /** What befalls the caller instead of the answer, before the work or after it. */
      const befall = async (after: boolean): Promise<Response | undefined> => {
        for (const { fault } of troubles) {
          const { trouble } = fault
          if ('after' in trouble !== after) continue
          if (trouble.kind === 'latency') await pause(trouble.ms, context.req.raw.signal)
          else if (trouble.kind === 'meanwhile') {
            trouble.happen()
            cloud.watch()
          } else if (trouble.kind === 'reset') return hangUp(context)
          else if (trouble.kind === 'hang') {
            await pause(longestHangMs, context.req.raw.signal)
            return hangUp(context)
          } else if (trouble.kind === 'throttled')
            return plane.render(plane.throttled(trouble.retryAfterSeconds))
          else if (trouble.kind === 'forbidden')
            return plane.render(new Refusal(403, 'Forbidden', 'The caller may not do this.'))
          else if (trouble.kind === 'error')
            return plane.render(
              new Refusal(trouble.status, 'InternalServerError', 'An unexpected error occurred.'),
            )
          else if (trouble.kind === 'expired-token') tokenExpired = true
        }
        return undefined
      }
      const before = await befall(false)
      if (before !== undefined) return before
      const call: Call = { context, host, url, tokenExpired }
      const answer = async (): Promise<Response> => {
        try {
          const unknown = query && [...url.searchParams.keys()].find((key) => !query.includes(key))
          if (unknown !== undefined)
            throw new Refusal(400, 'BadParameter', `The query parameter '${unknown}' is not supported here.`)
          const response = await handler(call)
          if (mutates) cloud.changed()
          cloud.watch()
          return response
        } catch (error) {
          if (error instanceof Refusal) return plane.render(error)
          throw error
        }
      }
      const stale = troubles.find(({ fault }) => fault.trouble.kind === 'stale-read')
      const place = `${context.req.method} ${host} ${url.pathname}${url.search} ${await said(context)}`
      let response = (!mutates && stale?.seen.get(place)?.clone()) || (await answer())
      if (stale !== undefined && !mutates && response.ok) {
        stale.seen.set(place, response)
        response = response.clone()
      }
      const instead = await befall(true)
      if (instead !== undefined) return instead
      for (const { fault } of troubles) {
        if (fault.trouble.kind === 'partial-page') return breakOff(context, response)
        if (fault.trouble.kind === 'malformed-page')
          return new Response('{"value":[{"id":', {
            status: 200,
            headers: { 'content-type': 'application/json' },
          })
      }
      return response
    }
}
