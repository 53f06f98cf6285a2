import { http } from '@attestry/contracts/http'
import type { Endpoint } from '@attestry/contracts/http'
import { operation, type Operation, type Transport } from './operation.ts'
import { type Presence, watchPresence } from './presence.ts'

export type { Operation, ReplyOf, RequestOf } from './operation.ts'

export type Api = {
  readonly [S in keyof typeof http]: {
    readonly [N in keyof (typeof http)[S]]: (typeof http)[S][N] extends Endpoint
      ? Operation<(typeof http)[S][N]>
      : never
  }
}

/** The typed client: one function an endpoint, made from the contract's tables alone. */
export function makeApi(fetchIt: typeof fetch, presence: Presence): Api {
  const gateway: Transport = {
    fetchIt,
    far: 'the Attestry gateway',
    headers: ({ reason }) => ({
      ...(reason ? { 'x-attestry-reason': encodeURIComponent(reason) } : {}),
      ...(presence.away() ? { 'x-attestry-background': '1' } : {}),
    }),
  }
  const services = Object.entries(http).map(([service, table]) => [
    service,
    Object.fromEntries(
      Object.entries(table).map(([name, endpoint]) => [
        name,
        operation(`${service}.${name}`, endpoint, gateway),
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
