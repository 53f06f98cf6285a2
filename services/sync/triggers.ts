import type { Actor, RouteSettings } from '@attestry/contracts'
import type { Host, Reaction, Schedule, Send, Tx } from '@attestry/kit'
import { command, instantOf, iso } from '@attestry/kit'
import * as z from 'zod'
import { sendRun } from './send-run.ts'
import { nextRun } from './schedule.ts'
import { lostWorkers, recordLost } from './worker.ts'

/* What starts a run without a person: the schedule, a version that rotation stored, a change that discovery saw. */

const SCHEDULE_MS = 30_000
/** More changed secrets than this of one vault are one run of the whole route. */
const MANY = 50

const scheduler: Actor = { kind: 'schedule', id: 'schedule-sync' }
const changes: Actor = { kind: 'service', id: 'sync-changes' }

interface Watching {
  readonly route: string
  readonly connector: string
}

/** Active routes that copy on change from a vault, or from any vault that holds these secrets. */
const watching = (tx: Tx, vault: string | null, secrets: readonly string[]): Promise<Watching[]> =>
  tx.rows<Watching>(
    `select route, connector from route
     where tenant = $1 and state = 'active' and accepted and (settings ->> 'onChange')::boolean
       and (source = $2 or source in (select vault from source_item where tenant = $1 and asset = any($3)))
     order by route`,
    [tx.tenant, vault, secrets],
  )

/**
 * Runs on change. A run is asked for in the reaction's own transaction, so that a change is neither lost nor run twice.
 */
export function changeReactions(host: Host): Reaction[] {
  const start = async (
    tx: Tx,
    at: { readonly seq: number; readonly vault: string | null },
    trigger: 'rotation' | 'discovery',
    secrets: readonly string[],
  ) => {
    for (const route of await watching(tx, at.vault, secrets))
      await sendRun(host, tx, route, {
        trigger,
        by: changes,
        secrets: secrets.length > MANY ? [] : secrets,
        id: `${trigger} ${route.route} ${at.seq}`,
      })
    return {}
  }
  return [
    {
      name: 'rotated',
      on: ['rotation.credential-stored'],
      react: (event, tx) =>
        event.type === 'rotation.credential-stored'
          ? start(tx, { seq: event.seq, vault: event.data.vault }, 'rotation', [event.data.secret])
          : Promise.resolve({}),
    },
    {
      name: 'seen-to-change',
      on: ['discovery.vault-scanned'],
      react: (event, tx) => {
        if (event.type !== 'discovery.vault-scanned') return Promise.resolve({})
        const { vault, found, changed } = event.data
        const secrets = [...found, ...changed].filter((i) => i.kind === 'secret').map((i) => i.asset)
        return secrets.length > 0
          ? start(tx, { seq: event.seq, vault }, 'discovery', secrets)
          : Promise.resolve({})
      },
    },
  ]
}

/** Runs that are due by time, one a route however many were missed. */
export const scheduledRuns = (host: Host): Schedule => ({
  name: 'routes',
  everyMs: SCHEDULE_MS,
  due: async (now, tx) => {
    // Runs on change and retries look at a few secrets: what is due by time is counted from the others.
    const rows = await tx.rows<Watching & { settings: RouteSettings; last: string }>(
      `select r.route, r.connector, r.settings,
         coalesce((select max(started_at) from run where tenant = r.tenant and route = r.route
           and trigger in ('operator', 'schedule', 'accepted', 'released')), r.opened_at) as last
       from route r where r.tenant = $1 and r.state = 'active' and r.accepted`,
      [tx.tenant],
    )
    for (const { route, connector, settings, last } of rows) {
      const due = nextRun(settings, Temporal.Instant.from(instantOf(last)))
      if (!due || Temporal.Instant.compare(due, now) > 0) continue
      await sendRun(
        host,
        tx,
        { route, connector },
        { trigger: 'schedule', by: scheduler, id: `${route} ${iso(due)}` },
      )
    }
    return []
  },
})

/** Looks for workers that are no more. */
export const lookForLost: Schedule = {
  name: 'workers',
  everyMs: SCHEDULE_MS,
  due: async (now, tx): Promise<readonly Send[]> =>
    (await lostWorkers(tx, now)).map(({ worker }) => ({
      command: 'record-lost',
      id: `lost ${worker}`,
      session: worker,
      body: { worker },
      by: scheduler,
      cause: { correlation: worker, causation: iso(now) },
    })),
}

export const lostCommand = (host: Host) =>
  command({
    name: 'record-lost',
    body: z.object({ worker: z.string() }),
    work: ({ tenant, body }) => recordLost(host, tenant, body.worker),
  })
