import { contextOf, type EventOf, INSTALL } from '@attestry/contracts'
import type { Pool } from 'pg'
import { type Bell, createBell } from './bell.ts'
import { type Clock, iso } from './clock.ts'
import { askCancel, commandStates, enqueue } from './commands.ts'
import { commit, open } from './committed.ts'
import { type Consumer, type ConsumerHost, consumersOf } from './consume.ts'
import { Transient } from './failure.ts'
import { attributed, noteRecorded } from './http/asked.ts'
import { drawnAhead, type Ids, opaqueId } from './ids.ts'
import { type AppendRequest, appendIn } from './ledger/append.ts'
import { type Appender, createAppender } from './ledger/coalesce.ts'
import { prune } from './ledger/prune.ts'
import { firstSince, readAfter, readHead, readLines, readStream, type Stored } from './ledger/read.ts'
import type { Logger } from './log.ts'
import * as measures from './measures.ts'
import type { Placed } from './message.ts'
import { type PoolClient, rows, transaction } from './postgres.ts'
import type { Append, Appended, Conflict, Host, Outcome, Service, Tx } from './service.ts'
import { currentTrace, inSpan } from './telemetry.ts'

/** Events of a walk that are held at once; more of them are not read faster, and hold more memory. */
const WALK_PAGE = 200

/** Events of a stream that are read at once. */
const LONGEST_STREAM = 10_000

/** A service's transaction with the client beneath, which only the host sees. */
export interface ClientTx extends Tx {
  readonly client: PoolClient
}

/** One service of this process, with what the host needs to feed it. */
export interface Member {
  readonly name: string
  /** In the database. */
  readonly role: string
  readonly service: Service
  readonly consumers: readonly Consumer[]
  readonly consumerHost: ConsumerHost
  readonly appender: Appender
  readonly tx: <T>(tenant: string, work: (tx: Tx) => Promise<T>) => Promise<T>
  readonly clientTx: <T>(tenant: string, work: (tx: ClientTx) => Promise<T>) => Promise<T>
  readonly log: Logger
  /** Rung when there may be commands to send. */
  readonly sendBell: Bell
}

/** Tenants of the install, and the key of each one's opaque ids. */
export interface Tenants {
  readonly all: () => Promise<readonly string[]>
  readonly keyOf: (tenant: string) => Promise<Uint8Array>
}

export interface MemberOptions {
  readonly name: string
  readonly make: (host: Host) => Service
  readonly pool: Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly productVersion: string
  readonly origin: 'real' | 'demo'
  readonly gapReads: boolean
  readonly tenants: Tenants
  /** Rung when there are events to relay. */
  readonly relayBell: Bell
  readonly signal: AbortSignal
}

/** An event as the ledger stores it, as a consumer takes it. */
export const placedOf = (s: Stored): Placed => ({
  tenant: s.tenant,
  context: contextOf(s.type),
  seq: s.seq,
  prevSeq: s.contextPrevSeq,
  envelope: s.envelope,
  private: s.private,
  trace: s.trace,
})

/** Makes a service with a host of its own: its role, its transactions, its appends, its commands. */
export function createMember(options: MemberOptions): Member {
  const { name, make, pool, clock, ids, log, productVersion, origin, gapReads, tenants, signal } = options
  const { relayBell } = options
  const sendBell = createBell()
  const role = `attestry_${name}`
  const appender = createAppender({ pool, role, onCommit: () => relayBell.ring() })
  const memberLog = log.child({ service: name })
  const clientTx = <T>(tenant: string, work: (tx: ClientTx) => Promise<T>): Promise<T> =>
    transaction(pool, { role, tenant, searchPath: name, retries: 3 }, (client) =>
      work({ tenant, client, rows: (sql, values) => rows(client, sql, values) }),
    )
  const tx: <T>(tenant: string, work: (tx: Tx) => Promise<T>) => Promise<T> = clientTx
  /** In the transaction at hand, or in one of its own where only a tenant is given. */
  const within = <T>(of: string | Tx, work: (tx: ClientTx) => Promise<T>): Promise<T> =>
    // Only the host makes a Tx, and it always has the client beneath.
    typeof of === 'string' ? clientTx(of, work) : work(of as ClientTx)
  const salt = drawnAhead()
  const request = (tenant: string, a: Append): AppendRequest => {
    const trace = currentTrace()
    return {
      tenant,
      stream: a.stream,
      expected: a.expected,
      events: a.facts.map((f) => commit(f, attributed(a.by), a.cause, ids.uuid(), salt)),
      ...(trace ? { trace } : {}),
    }
  }
  const host: Host = {
    service: name,
    productVersion: productVersion,
    origin: origin,
    clock,
    ids,
    log: memberLog,
    signal,
    tx,
    append: async (tenant, append): Promise<Appended | Conflict> => {
      // The request is made inside the span, so that the event carries this span's trace.
      return inSpan('append', { tenant, stream: append.stream }, async () => {
        const began = performance.now()
        try {
          const result = await appender.append(request(tenant, append), signal)
          measures.appended(began, name, result.ok ? 'appended' : result.refused)
          if (result.ok) noteRecorded(append.by)
          return result
        } catch (error) {
          measures.appended(began, name, 'failed')
          throw error
        }
      })
    },
    stream: async (of, stream, after = 0): Promise<EventOf[]> => {
      const stored = await within(of, ({ tenant, client }) =>
        readStream(client, { tenant, stream, after, limit: LONGEST_STREAM + 1 }),
      )
      // A decision on a part of a stream would be wrong, and conflict for ever.
      if (stored.length > LONGEST_STREAM)
        throw new RangeError(`stream ${stream} has more than ${LONGEST_STREAM} events after ${after}`)
      return stored.map((r) => open(r)).filter((e): e is EventOf => e !== null)
    },
    head: async (tenant) => {
      const head = await clientTx(tenant, (t) => readHead(t.client, tenant))
      if (!head) throw new Error(`tenant ${tenant} has no chain`)
      return head
    },
    chain: async function* (tenant, { after, upTo, signal: stop }) {
      // A page a transaction: nothing is held open while the reader works.
      for (let at = after; at < upTo; ) {
        stop.throwIfAborted()
        const page = await clientTx(tenant, (t) =>
          readLines(t.client, { tenant, after: at, upTo, limit: WALK_PAGE }),
        )
        const last = page.at(-1)
        if (!last) return
        yield page.map((line) => {
          const { envelope } = line
          return { ...line, event: envelope === null ? null : open({ ...line, envelope }) }
        })
        at = last.seq
      }
    },
    firstSince: (tenant, instant) => clientTx(tenant, (t) => firstSince(t.client, tenant, instant)),
    prune: (tenant, retentionDays, cause) =>
      prune(pool, {
        tenant,
        retentionDays,
        now: clock.now(),
        by: { id: name, kind: 'service' },
        cause,
        id: ids.uuid(),
      }),
    opaque: async (tenant) => {
      const key = await tenants.keyOf(tenant)
      return (kind, of) => opaqueId(key, kind, of)
    },
    send: async (t, sends) => {
      await enqueue(t, sends, clock, currentTrace())
      sendBell.ring()
    },
    commands: commandStates,
    cancel: askCancel,
    tenants: async () => (await tenants.all()).filter((t) => t !== INSTALL),
  }
  const service = make(host)
  const consumerHost: ConsumerHost = {
    tx,
    readContext: async (of, context, after, limit) => {
      const stored = await within(of, ({ tenant, client }) =>
        readAfter(client, { tenant, after, contexts: [context], limit }),
      )
      return stored.map(placedOf)
    },
    carryOut: async (t, outcome: Outcome, cause) => {
      const requests = (outcome.append ?? []).map((a) => request(t.tenant, a))
      // Only the host makes a Tx, and it always has the client beneath.
      const { client } = t as ClientTx
      for (const result of requests.length > 0 ? await appendIn(client, requests) : [])
        if (!result.ok)
          throw new Transient(
            `a stream moved while event ${cause.seq} was reacted to; it will be tried again`,
          )
      if (outcome.send) await enqueue(t, outcome.send, clock, currentTrace())
      relayBell.ring()
      sendBell.ring()
    },
    log: memberLog,
    gapReads: gapReads,
    now: () => iso(clock.now()),
  }
  return {
    name,
    role,
    service,
    consumers: consumersOf(service),
    consumerHost,
    appender,
    tx,
    clientTx,
    log: memberLog,
    sendBell,
  }
}
