import type { Endpoint, Problem } from '@attestry/contracts/http'
import { Problem as ProblemSchema } from '@attestry/contracts/http'
import * as z from 'zod'

/** The server refused: its problem, in words. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused'
  readonly problem: Problem | null
  constructor(what: string, status: number, problem: Problem | null) {
    const fields = problem?.errors?.map((e) => `; ${e.field} ${e.message}`).join('') ?? ''
    super(`${what}: ${problem ? `${problem.detail}${fields}` : `the server answered ${status}`}`)
    this.problem = problem
  }
}

type ReplyOf<E extends Endpoint> = E['reply'] extends z.ZodType ? z.infer<E['reply']> : Response

export interface Client {
  /** Calls an endpoint of the contract; the reply is parsed by it. @throws RequestRefused with the problem */
  call<E extends Endpoint>(
    endpoint: E,
    input?: { params?: Record<string, string>; query?: Record<string, string>; body?: unknown },
  ): Promise<ReplyOf<E>>
  /** Bearer token of the calls that follow. */
  token: string | null
}

/** A thin client over the HTTP contract, for the command line. */
export function createClient(base: string, signal: AbortSignal): Client {
  return {
    token: null,
    async call(endpoint, input = {}) {
      const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
        encodeURIComponent(input.params?.[name] ?? ''),
      )
      const url = new URL(path, base)
      for (const [name, value] of Object.entries(input.query ?? {})) url.searchParams.set(name, value)
      const response = await fetch(url, {
        method: endpoint.method,
        signal: AbortSignal.any([signal, AbortSignal.timeout(60_000)]),
        headers: {
          ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        },
        ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
      })
      if (!response.ok) {
        const problem = ProblemSchema.safeParse(await response.json().catch(() => null))
        throw new RequestRefused(
          `${endpoint.method} ${path}`,
          response.status,
          problem.success ? problem.data : null,
        )
      }
      // The endpoint's own schema makes the reply; a stream or a file is the response itself.
      return (
        endpoint.reply instanceof z.ZodType ? endpoint.reply.parse(await response.json()) : response
      ) as ReplyOf<typeof endpoint>
    },
  }
}
