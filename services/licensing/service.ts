import { type Actor, type Feature, INSTALL, type LimitName } from '@attestry/contracts'
import { command, type Guard, type Host, iso, type Send, type Service } from '@attestry/kit'
import * as z from 'zod'
import { createLicensing, type LicensingOptions } from './check.ts'
import { countsView } from './counts.ts'
import {
  type Entitlement,
  EVALUATION,
  evolve,
  featuresOf,
  LICENSE,
  limitOf,
  statusOf,
} from './entitlement.ts'
import { licensingRoutes } from './routes.ts'
import { installIn, readInstall } from './store.ts'

export type { LicensingOptions } from './check.ts'
export { readVendorKeys } from './signed.ts'
export { vendor } from './vendor.ts'

/** Answers about the licence. Any process may ask: the answers come from the install's chain. */
export interface License {
  entitled(feature: Feature): Promise<boolean>
  /** How much of something may be there before more of it is refused; null is no limit. */
  limit(of: LimitName): Promise<number | null>
  status(): Promise<ReturnType<typeof statusOf>>
}

/** How old an answer may be. */
const KNOWN_FOR_MS = 5_000

/** Reads the licence from the chain, for the guard of whatever service the host is of. */
export function licenseOf(host: Pick<Host, 'stream' | 'clock' | 'origin'>): License {
  let known: Entitlement | null = null
  let position = 0
  let readAt: Temporal.Instant | null = null
  const read = async (): Promise<Entitlement> => {
    const now = host.clock.now()
    if (readAt === null || Math.abs(readAt.until(now).total('milliseconds')) >= KNOWN_FOR_MS) {
      for (const event of await host.stream(INSTALL, LICENSE, position)) {
        known = evolve(known, event)
        position = Math.max(position, event.position)
      }
      readAt = now
    }
    // Nothing recorded yet: the install starts as an evaluation, and the licensing service is about to say so.
    return known ?? EVALUATION
  }
  return {
    entitled: async (feature) => featuresOf(await read(), host.origin, host.clock.now()).includes(feature),
    limit: async (of) => limitOf(await read(), of, host.origin),
    status: async () => statusOf(await read(), host.origin, host.clock.now()),
  }
}

/** How often it is looked whether a check is due. */
const LOOK_EVERY_MS = 30_000
/** A restart within so long of the last check asks nobody. */
const FRESH_FOR_MS = 300_000
/** Checks that were done are kept this long, for a look at what happened. */
const KEEP_CHECKS_DAYS = 7

const schedule: Actor = { kind: 'schedule', id: 'licence-check' }

/**
 * Keeps the licence: checks it at start and each hour, folds what the install counts about itself, and shows both.
 * Everybody else reads the licence from the chain, and goes on without this service.
 */
export function licensingService(host: Host, guard: Guard, options: LicensingOptions): Service {
  const licensing = createLicensing(host, options)

  const checkAt = (due: string): Send => ({
    command: 'check',
    // The same for every replica that finds it due, so that one of them does it.
    id: `check ${due}`,
    session: 'licence',
    body: {},
    by: schedule,
    cause: { correlation: `check ${due}`, causation: 'schedule' },
  })

  return {
    name: 'licensing',
    schema: new URL('./schema/', import.meta.url),
    fetch: licensingRoutes(host, guard, licensing, options),
    commands: [command({ name: 'check', body: z.object({}), work: (job) => licensing.check(job.signal) })],
    reactions: [],
    views: [countsView],
    schedules: [
      {
        name: 'licence-check',
        of: 'install',
        everyMs: LOOK_EVERY_MS,
        due: async (now, tx) => {
          await tx.rows(
            `delete from pending_command where tenant = $1 and outcome = 'done' and ended_at < $2`,
            [tx.tenant, iso(now.subtract({ hours: KEEP_CHECKS_DAYS * 24 }))],
          )
          const { nextAttemptAt } = await installIn(tx, host.ids.uuid())
          const isDue = nextAttemptAt === null || Temporal.Instant.compare(nextAttemptAt, now) <= 0
          return isDue ? [checkAt(nextAttemptAt ?? 'first')] : []
        },
      },
    ],
    start: async () => {
      await licensing.begin()
      const { lastAttemptAt } = await readInstall(host)
      const now = host.clock.now()
      const isFresh =
        lastAttemptAt !== null && Math.abs(now.since(lastAttemptAt).total('milliseconds')) < FRESH_FOR_MS
      if (!isFresh)
        await host.tx(INSTALL, (tx) =>
          host.send(tx, [checkAt(lastAttemptAt ? `start ${iso(now)}` : 'first')]),
        )
    },
  }
}
