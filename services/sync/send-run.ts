import { type Actor, Digest, OpaqueId, RunTrigger } from '@attestry/contracts'
import type { Host, Tx } from '@attestry/kit'
import * as z from 'zod'
import type { Route } from './route.ts'

/** What a run is asked to do. */
export const RunBody = z.object({
  route: OpaqueId,
  run: OpaqueId,
  trigger: RunTrigger,
  planOnly: z.boolean(),
  /** The plan that a person accepted. */
  accept: Digest.nullable(),
  /** Secrets (assets) that alone are looked at; empty is all. */
  secrets: z.array(OpaqueId).max(1000),
})
export type RunBody = z.infer<typeof RunBody>

export interface RunWish {
  readonly trigger: z.infer<typeof RunTrigger>
  readonly by: Actor
  readonly planOnly?: boolean
  readonly accept?: string | null
  readonly secrets?: readonly string[]
  /** Makes the command idempotent; a fresh one where it is left out. */
  readonly id?: string
  readonly dueAt?: Temporal.Instant
  readonly correlation?: string
}

/**
 * Asks for a run. Runs of whole routes to one connector go one after the other; a few secrets do not wait behind a
 * whole vault, nor one secret behind another.
 */
export async function sendRun(
  host: Host,
  tx: Tx,
  route: Pick<Route, 'route' | 'connector'>,
  wish: RunWish,
): Promise<string> {
  const opaque = await host.opaque(tx.tenant)
  const run = wish.id === undefined ? host.ids.opaque('run') : opaque('run', wish.id)
  const secrets = [...(wish.secrets ?? [])]
  const body: RunBody = {
    route: route.route,
    run,
    trigger: wish.trigger,
    planOnly: wish.planOnly ?? false,
    accept: wish.accept ?? null,
    secrets,
  }
  await host.send(tx, [
    {
      command: 'run',
      id: run,
      session: [
        route.connector,
        ...(secrets.length === 0 ? [] : secrets.length === 1 ? secrets : ['now']),
      ].join(' '),
      body,
      by: wish.by,
      cause: { correlation: (wish.correlation ?? run).slice(0, 80), causation: wish.trigger },
      ...(wish.dueAt === undefined ? {} : { dueAt: wish.dueAt }),
    },
  ])
  return run
}
