import { randomBytes } from 'node:crypto'
import { INSTALL } from '@attestry/contracts'
import type { Pool } from 'pg'
import { createBell } from './bell.ts'
import type { Bus, Received } from './bus/bus.ts'
import { type Clock, pause } from './clock.ts'
import { areUnfinished, CommandMessage, dueCommands, enqueue, perform } from './commands.ts'
import { catchUp, consumerName, contextsOf, deliver } from './consume.ts'
import { messageOf, Transient } from './failure.ts'
import { createIds } from './ids.ts'
import { leaseKeeper } from './leases.ts'
import { openTenant, tenantChains } from './ledger/open.ts'
import { relay } from './ledger/relay.ts'
import type { Logger } from './log.ts'
import * as measures from './measures.ts'
import { createMember, type Member } from './member.ts'
import { fromMessage, type Placed } from './message.ts'
import { ledgerMigrations, type Migration, migrate, migrationsIn } from './migrate.ts'
import { type Operations, operations, replayAsked } from './operations.ts'
import { publishEvents } from './publish.ts'
import type { Host, Service } from './service.ts'
import { lookFor } from './sweep.ts'
import { inSpan } from './telemetry.ts'

/** The one topic that facts travel on. */
export const EVENTS = 'events'

/** How long everything under way may take to end at a stop. */
const STOPS_WITHIN_MS = 8_000

/** How soon work that an operator wants tried again is taken up. */
const REPLAY_EVERY_MS = 2000
/** How often commands are looked for while some are unfinished, and at least while none is. */
const LOOK_EVERY_MS = 500
const LOOK_RARELY_MS = 5000
/** How soon a tenant is seen that another process opened. */
const TENANTS_FRESH_MS = 1000

export interface RunOptions {
  /** Makes the services; called before tables exist, so a service touches nothing until its start(). */
  readonly services: readonly { readonly name: string; readonly make: (host: Host) => Service }[]
  readonly pool: Pool
  /** May create schemas and roles. */
  readonly admin: Pool
  /** Login roles that are granted the services' roles: that of `pool`, where it is not `admin`'s. */
  readonly logins?: readonly string[]
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly productVersion: string
  readonly origin: 'real' | 'demo'
  readonly tenant: string
  /** Null: no sweep, which only a test asks for. */
  readonly sweepMs: number | null
  /** False only in the test that messages alone suffice. */
  readonly gapReads?: boolean
  /**
   * Takes the steps of the schemas. Tests give one that copies a database where the same steps were taken.
   * @default migrate
   */
  readonly migrate?: (
    admin: Pool,
    steps: readonly Migration[],
    options: { readonly logins: readonly string[] },
  ) => Promise<unknown>
  /** Whether this process offers itself as the relay; the lease decides who is. */
  readonly relay?: boolean
}

export interface Running extends Operations {
  readonly services: ReadonlyMap<string, Service>
  /** Ends when every consumer has once read to the end of the ledger. */
  readonly caughtUp: Promise<void>
  /** Rings whenever an event was delivered to a service of this process. */
  readonly delivered: { wait(ms: number, signal: AbortSignal): Promise<boolean> }
  stop(): Promise<void>
}

/** The host's own tables in every service's schema, then the service's. */
const migrationsOf = async (name: string, schema: URL) => [
  ...(await migrationsIn(name, new URL('./schema/', import.meta.url), 'host')),
  ...(await migrationsIn(name, schema)),
]

/** Hosts services in this process: their tables, deliveries, commands, schedules, and the relay. */
export async function run(options: RunOptions): Promise<Running> {
  const { pool, bus, clock, log } = options
  const stopping = new AbortController()
  const signal = stopping.signal
  const ids = createIds(clock)
  const relayBell = createBell()
  const delivered = createBell()
  const streamKeys = new Map<string, Uint8Array>()
  let tenants: readonly string[] = []
  let tenantsReadAt = Number.NEGATIVE_INFINITY
  const readTenants = async () => {
    const chains = await tenantChains(pool)
    for (const c of chains) streamKeys.set(c.tenant, c.streamKey)
    tenants = chains.map((c) => c.tenant)
    tenantsReadAt = performance.now()
  }
  /** Tenants with a chain; their number is small and grows rarely, and every loop of every service asks. */
  const tenantsOf = async () => {
    if (performance.now() - tenantsReadAt > TENANTS_FRESH_MS) await readTenants()
    return tenants
  }
  const keyOf = async (tenant: string): Promise<Uint8Array> => {
    if (!streamKeys.has(tenant)) await readTenants()
    const key = streamKeys.get(tenant)
    if (!key) throw new Error(`tenant ${tenant} has no chain`)
    return key
  }
  const loops = new Set<Promise<unknown>>()
  const keep = (work: Promise<unknown>) => {
    loops.add(work)
    void work.finally(() => loops.delete(work))
  }

  const members = options.services.map(({ name, make }) =>
    createMember({
      name,
      make,
      pool,
      clock,
      ids,
      log,
      productVersion: options.productVersion,
      origin: options.origin,
      gapReads: options.gapReads ?? true,
      tenants: { all: tenantsOf, keyOf },
      relayBell,
      signal,
    }),
  )

  const steps = await Promise.all(members.map((m) => migrationsOf(m.name, m.service.schema)))
  await (options.migrate ?? migrate)(options.admin, [...(await ledgerMigrations()), ...steps.flat()], {
    logins: options.logins ?? [],
  })
  const { origin, productVersion } = options
  for (const tenant of [INSTALL, options.tenant])
    await openTenant(pool, {
      tenant,
      origin,
      productVersion,
      id: ids.uuid(),
      streamKey: randomBytes(32),
      by: { kind: 'install', id: 'install' },
      cause: { correlation: 'start', causation: 'start' },
      signal,
    })
  await readTenants()
  for (const member of members) await member.service.start?.()

  /** One turn of a loop that must outlive its failures. */
  const turn = async (what: string, member: Member | null, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      if (!signal.aborted) (member?.log ?? log).warn({ error }, `${what} will be tried again`)
      return false
    }
  }
  const every = (
    what: string,
    member: Member | null,
    waitMs: () => Promise<void>,
    work: () => Promise<void>,
  ) => {
    keep(
      (async () => {
        for (let failures = 0; !signal.aborted; ) {
          failures = (await turn(what, member, work)) ? 0 : failures + 1
          if (failures > 0) await pause(Math.min(5000, 100 * 2 ** Math.min(failures, 6)), signal)
          else await waitMs()
        }
      })(),
    )
  }

  /** Hands a batch of messages to every consumer that takes their context, then settles them. */
  const receive = (member: Member) => async (batch: readonly Received[]) => {
    const groups = new Map<string, { message: Received; placed: Placed }[]>()
    for (const message of batch) {
      try {
        const placed = fromMessage(message)
        const key = `${placed.tenant}\0${placed.context}`
        groups.set(key, [...(groups.get(key) ?? []), { message, placed }])
      } catch (error) {
        member.log.error({ error, id: message.id }, 'A message is not an event of ours')
        await message.deadLetter('not-an-event', messageOf(error))
      }
    }
    for (const group of groups.values()) {
      group.sort((a, b) => a.placed.seq - b.placed.seq)
      const events = group.map((g) => g.placed)
      const context = events[0]?.context ?? ''
      const traces = events.flatMap((e) => (e.trace ? [e.trace] : [])).slice(0, 20)
      const ok = await turn('A delivery', member, () =>
        inSpan(
          `deliver ${context}`,
          { service: member.name, events: events.length },
          async () => {
            for (const consumer of member.consumers)
              if (
                contextsOf(consumer).includes(context) &&
                !(await deliver(member.consumerHost, consumer, context, events))
              )
                throw new Transient(`${consumerName(consumer)} is behind`)
          },
          traces,
        ),
      )
      measures.delivered(events.length, member.name, context, ok)
      delivered.ring()
      const settled = await Promise.allSettled(
        group.map(({ message }) => (ok ? message.complete() : message.abandon())),
      )
      // What was applied but could not be completed comes again, and is skipped then.
      for (const s of settled)
        if (s.status === 'rejected') member.log.warn({ error: s.reason }, 'A message could not be settled')
    }
  }

  /** Reads what no message brought to a member. Answers the ids of commands that are due since a while. */
  const sweepOnce = async (member: Member, tenant: string, olderThanMs: number) => {
    const { behind, overdue } = await lookFor(pool, member, tenant, clock.now(), olderThanMs)
    for (const { consumer, context } of behind) {
      if (signal.aborted) break
      await catchUp(member.consumerHost, consumer, tenant, context)
    }
    return overdue
  }

  for (const member of members) {
    const leases = leaseKeeper({ tx: member.tx, log: member.log, signal })
    const workerHost = { tx: member.tx, clock, log: member.log, signal, leases }
    keep(
      bus.subscribe(EVENTS, member.name, { maxBatch: 200, maxWaitMs: 20 }, receive(member), signal).stopped,
    )
    if (member.service.commands.length > 0) {
      const queue = `${member.name}-commands`
      const accepting = bus.acceptSessions(
        queue,
        { concurrency: member.service.commandsAtOnce ?? 4 },
        async (message) => {
          const body =
            typeof message.body === 'string' ? message.body : new TextDecoder().decode(message.body)
          const { tenant, id } = CommandMessage.parse(JSON.parse(body))
          // The row is the truth: settle first, so that a long job does not outlive its lock.
          await message.complete()
          await perform(workerHost, member.service.commands, tenant, id)
          member.sendBell.ring()
        },
        signal,
      )
      keep(accepting.stopped)
      // While nothing is unfinished, looked for less and less often: who makes a command rings, though perhaps a moment
      // before its transaction ends.
      let idle = 0
      every(
        'Sending commands',
        member,
        async () => {
          if (await member.sendBell.wait(Math.min(LOOK_EVERY_MS * 2 ** idle, LOOK_RARELY_MS), signal))
            idle = 0
        },
        async () => {
          let unfinished = false
          for (const tenant of await tenantsOf()) {
            // Sent within the transaction that marks them as sent: if sending fails, they are not.
            await member.tx(tenant, async (t) => {
              const due = await dueCommands(t, clock.now())
              unfinished ||= due.length > 0 || (await areUnfinished(t))
              if (due.length > 0)
                await bus.send(
                  queue,
                  due.map((d) => ({
                    // A command that is sent again is another message: duplicate detection must not swallow it.
                    id: `${d.id}:${ids.uuid()}`,
                    subject: 'command',
                    sessionId: d.session,
                    properties: { tenant },
                    body: JSON.stringify({ tenant, id: d.id }),
                  })),
                  signal,
                )
            })
          }
          idle = unfinished ? 0 : idle + 1
        },
      )
    }
    every(
      'Stuck work',
      member,
      () => pause(REPLAY_EVERY_MS, signal),
      async () => {
        for (const tenant of await tenantsOf())
          if (await replayAsked(member, tenant, clock)) member.sendBell.ring()
      },
    )
    for (const schedule of member.service.schedules)
      every(
        `Schedule ${schedule.name}`,
        member,
        () => pause(schedule.everyMs, signal),
        async () => {
          let made = false
          for (const tenant of await tenantsOf()) {
            if ((tenant === INSTALL) !== (schedule.of === 'install')) continue
            await member.tx(tenant, async (t) => {
              const [lock] = await t.rows<{ mine: boolean }>(
                'select pg_try_advisory_xact_lock(hashtext($1), hashtext($2)) as mine',
                [`${member.name}.${schedule.name}`, tenant],
              )
              const due = lock?.mine ? await schedule.due(clock.now(), t) : []
              if (due.length === 0) return
              await enqueue(t, due, clock, null)
              made = true
            })
          }
          if (made) member.sendBell.ring()
        },
      )
    if (options.sweepMs !== null) {
      const sweepMs = options.sweepMs
      every(
        'The sweep',
        member,
        () => pause(sweepMs, signal),
        async () => {
          for (const tenant of await tenantsOf())
            for (const id of await sweepOnce(member, tenant, sweepMs))
              keep(
                turn('An overdue command', member, () =>
                  perform(workerHost, member.service.commands, tenant, id),
                ),
              )
          delivered.ring()
        },
      )
    }
  }
  if (options.relay ?? true)
    keep(
      relay({
        pool,
        signal,
        bell: relayBell,
        onError: (error) => log.warn({ error }, 'The relay will try again'),
        publish: async (batch) => {
          await publishEvents(bus, EVENTS, batch, {
            signal,
            leftOut: ({ tenant, seq, type }) =>
              log.warn(
                { tenant, seq, type },
                'An event is larger than a message: consumers find it in the ledger',
              ),
          })
          const [oldest] = batch
          if (oldest) measures.relayed((clock.now().epochMilliseconds - Date.parse(oldest.at)) / 1000)
        },
      }),
    )

  const firstLook = async () => {
    const { sweepMs } = options
    if (sweepMs === null) return
    for (const member of members)
      await turn('The first look at the ledger', member, async () => {
        for (const tenant of await tenantsOf()) await sweepOnce(member, tenant, sweepMs)
      })
  }
  const caughtUp = firstLook()
  return {
    services: new Map(members.map((m) => [m.name, m.service])),
    caughtUp,
    delivered,
    ...operations(pool),
    stop: async () => {
      stopping.abort('the process stops')
      const over = new AbortController()
      const ended = Promise.allSettled(loops).finally(() => over.abort())
      await Promise.race([ended, pause(STOPS_WITHIN_MS, over.signal)])
      // What still runs bears being cut off, as by a crash.
      if (loops.size > 0) log.warn({ loops: loops.size }, 'Not everything ended in time')
      await Promise.allSettled(members.map((m) => m.appender.close()))
    },
  }
}
