import type { http } from '@attestry/contracts/http'
import type { AssetRow } from '@attestry/contracts/http'
import type * as z from 'zod'

export type { AssetRow }

type Reply<E> = E extends { reply: infer R } ? (R extends z.ZodType ? z.output<R> : undefined) : never

/** What an endpoint answers, by service and name. */
export type ReplyOfFixture<S extends keyof typeof http, N extends keyof (typeof http)[S]> = Reply<
  (typeof http)[S][N]
>
