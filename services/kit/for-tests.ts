import type { EventOf, Role } from '@attestry/contracts'
import { escapeIdentifier, escapeLiteral } from 'pg'
import { type Model, plannedDatabase } from '../twin/postgres/for-tests.ts'
import type { Bus } from './bus/bus.ts'
import { type Clock, pause, systemClock } from './clock.ts'
import { open } from './committed.ts'
import { consumerName, consumersOf, contextsOf, versionOf } from './consume.ts'
import type { Caller, Guard } from './http/bind.ts'
import { LEDGER_ROLE } from './ledger/open.ts'
import { readAfter } from './ledger/read.ts'
import { type Logger, silentLog } from './log.ts'
import { type Migration, migrate } from './migrate.ts'
import { connect, rows, transaction } from './postgres.ts'
import { type Running, type RunOptions, run } from './run.ts'
import type { Host, Service } from './service.ts'

/** A bus that loses every message: the sweep alone must do the work, which also is the harshest of buses. */
export const losingBus: Bus = {
  publish: () => Promise.resolve(),
  send: () => Promise.resolve(),
  subscribe: () => ({ stopped: Promise.resolve() }),
  acceptSessions: () => ({ stopped: Promise.resolve() }),
  deadLetters: () => Promise.resolve([]),
  resubmit: () => Promise.resolve(false),
  close: () => Promise.resolve(),
}

/** A clock that a test moves. */
export function movableClock(start: string): Clock & { advance(duration: Temporal.DurationLike): void } {
  let now = Temporal.Instant.from(start)
  return {
    now: () => now,
    advance(duration) {
      now = now.add(duration)
    },
  }
}

/** A clock that runs and can be put forward as well: what is due a moment later then comes due by itself. */
export function runningClock(
  start: Temporal.Instant = Temporal.Now.instant(),
): Clock & { advance(duration: Temporal.DurationLike): void } {
  let ahead = start.since(Temporal.Now.instant())
  return {
    now: () => Temporal.Now.instant().add(ahead),
    advance(duration) {
      ahead = ahead.add(duration)
    },
  }
}

/** Lets everybody in as the given roles of the tenant `acme`, freshly re-authenticated. */
export function guardOf(
  roles: readonly Role[],
  more: Partial<Caller> = {},
  clock: Clock = systemClock,
): Guard {
  return {
    identify: () =>
      Promise.resolve({
        tenant: 'acme',
        operator: 'operator-test0001',
        session: 'session-test0001',
        roles,
        reauthenticatedUntil: clock.now().add({ minutes: 5 }).toString(),
        ...more,
      }),
    entitled: () => Promise.resolve(true),
    now: () => clock.now(),
  }
}

export interface TestHost extends AsyncDisposable {
  readonly running: Running
  readonly url: string
  /** The service of a name, for its fetch. */
  service(name: string): Service
  /** The host that a service was made with: append facts of its context as it would. */
  host(name: string): Host
  /** The events of a context that this version knows, oldest first. */
  events(context: string): Promise<EventOf[]>
  /**
   * Resolves when every consumer has read to its end and no command is due or to be tried again; throws after a minute.
   */
  settle(): Promise<void>
}

/** A machine under load is slow; one that hangs is found all the same. */
const SETTLE_MS = 60_000

/** The database in which these steps were taken. */
export const migrated = (steps: readonly Migration[]): Model => ({
  key: JSON.stringify(steps),
  fill: async (url) => {
    const pool = connect({ url, max: 1 })
    try {
      await migrate(pool, steps)
    } finally {
      await pool.end()
    }
  },
})

const EVENTS_A_PAGE = 1000

/** Runs services on a real, empty Postgres, with no bus but the sweep. */
export async function testHost(options: {
  readonly services: RunOptions['services']
  readonly clock?: Clock
  readonly log?: Logger
  readonly origin?: 'real' | 'demo'
  readonly bus?: Bus
  readonly sweepMs?: number | null
  readonly gapReads?: boolean
  /** Each costs the server more than most tests ask of it. @default 3 */
  readonly connections?: number
}): Promise<TestHost> {
  const database = await plannedDatabase()
  const pool = connect({ url: database.url, max: options.connections ?? 3 })
  const clock = options.clock ?? systemClock
  const hosts = new Map<string, Host>()
  const running = await run({
    services: options.services.map(({ name, make }) => ({
      name,
      make: (host) => {
        hosts.set(name, host)
        return make(host)
      },
    })),
    pool,
    admin: pool,
    migrate: (_admin, steps) => database.create(migrated(steps)),
    bus: options.bus ?? losingBus,
    // What nobody gets need not be read.
    relay: options.bus !== undefined,
    clock,
    log: options.log ?? silentLog,
    productVersion: '0.0.0',
    origin: options.origin ?? 'demo',
    tenant: 'acme',
    sweepMs: options.sweepMs === undefined ? 50 : options.sweepMs,
    ...(options.gapReads === undefined ? {} : { gapReads: options.gapReads }),
  })
  const named = <T>(map: ReadonlyMap<string, T>, name: string): T => {
    const found = map.get(name)
    if (!found) throw new Error(`no service ${name} runs in this test`)
    return found
  }
  /**
   * Whether every consumer has read to the end and no command is left. Asked of all services in one statement, which sees
   * one moment: a reaction moves its cursor and writes its command together, a command appends before it ends.
   */
  const quiet = async (): Promise<boolean> => {
    const expected = [...running.services.values()].flatMap((service) =>
      consumersOf(service).flatMap((consumer) =>
        contextsOf(consumer).map((context) => ({
          service: service.name,
          consumer: consumerName(consumer),
          version: versionOf(consumer),
          context,
        })),
      ),
    )
    const ofEach = (columns: string, table: string) =>
      [...running.services.keys()]
        .map(
          (name) =>
            `select ${escapeLiteral(name)} as service, ${columns} from ${escapeIdentifier(name)}.${table} where tenant = $1`,
        )
        .join(' union all ')
    const left = await transaction(pool, { role: LEDGER_ROLE, tenant: 'acme' }, (client) =>
      rows(
        client,
        `select from jsonb_to_recordset($2::jsonb) as e(service text, consumer text, version int, context text)
         join (select u.context, u.seq from ledger.head h, unnest(h.contexts, h.context_seqs) u(context, seq)
               where h.tenant = $1) head using (context)
         left join (${ofEach('consumer, context, seq, version', 'cursor')}) c using (service, consumer, context, version)
         where coalesce(c.seq, 0) < head.seq
         union all
         select from (${ofEach('due_at, outcome, attempts', 'pending_command')}) p
         where p.outcome is null and (p.due_at <= $3 or p.attempts > 0)`,
        ['acme', JSON.stringify(expected), clock.now().toString()],
      ),
    )
    return left.length === 0
  }
  return {
    running,
    url: database.url,
    service: (name) => named(running.services, name),
    host: (name) => named(hosts, name),
    events: async (context) => {
      const found: EventOf[] = []
      for (let after = 0; ; ) {
        const page = await transaction(pool, { role: `attestry_${context}`, tenant: 'acme' }, (client) =>
          readAfter(client, { tenant: 'acme', after, contexts: [context], limit: EVENTS_A_PAGE }),
        )
        found.push(...page.map((stored) => open(stored)).filter((event) => event !== null))
        after = page.at(-1)?.seq ?? after
        if (page.length === 0) return found
      }
    },
    settle: async () => {
      const deadline = AbortSignal.timeout(SETTLE_MS)
      // Quiet twice in a row: a reaction may just have written what starts the next step.
      for (let calm = 0; calm < 2; ) {
        if (deadline.aborted)
          throw new Error(
            `not settled: ${JSON.stringify([await running.lag('acme'), await running.stuck('acme')])}`,
          )
        await pause(80, deadline)
        calm = (await quiet()) ? calm + 1 : 0
      }
    },
    [Symbol.asyncDispose]: async () => {
      await running.stop()
      await pool.end()
      await database.drop()
    },
  }
}
