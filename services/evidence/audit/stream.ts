import { type AuditTarget, fact, INSTALL } from '@attestry/contracts'
import type { AuditStream } from '@attestry/contracts/http'
import { type Host, iso, messageOf, pause, Transient, type Tx } from '@attestry/kit'
import { recordOf } from './record.ts'
import { type AuditSink, DELIVER_WITHIN_MS, type Entry, type SinkState } from './sink.ts'

/*
 * The audit log sent on as it happens. Each target has a cursor, a row: what is behind it has arrived, what is before it
 * is sent in the order of the chain, so nothing is left out, and after a crash the last delivery may come again. A lease
 * lets one process at a time send.
 */

const LEASE_SECONDS = 60
/** How soon a new event is looked for. */
const LOOK_EVERY_MS = 1000
const LONGEST_WAIT_MS = 300_000
/** So many failures in a row, and the chain says that the target is away. */
const BROKEN_AFTER = 3
/** Deliveries in one go, before other tenants have their turn. */
const MOST_IN_A_ROW = 50

interface Row {
  cursor: number
  state: SinkState
  failures: number
  broken: boolean
}

/** How long to wait after so many failures, in ms: a second, doubled up to five minutes. */
export const backoffMs = (failures: number): number =>
  Math.min(LONGEST_WAIT_MS, 1000 * 2 ** Math.min(failures - 1, 10))

async function lease(host: Host, tenant: string, target: AuditTarget, holder: string): Promise<Row | null> {
  const now = host.clock.now()
  return host.tx(tenant, async (tx) => {
    await tx.rows(
      `insert into audit_stream (tenant, target, next_at) values ($1, $2, $3) on conflict do nothing`,
      [tenant, target, iso(now)],
    )
    const [row] = await tx.rows<Row>(
      `update audit_stream set holder = $3, lease_until = $5
       where tenant = $1 and target = $2 and next_at <= $4
         and (holder = $3 or lease_until is null or lease_until < $4)
       returning cursor, state, failures, broken`,
      [tenant, target, holder, iso(now), iso(now.add({ seconds: LEASE_SECONDS }))],
    )
    return row ?? null
  })
}

async function entriesAfter(host: Host, tenant: string, after: number, most: number): Promise<Entry[]> {
  const { seq } = await host.head(tenant)
  if (seq <= after) return []
  const walk = { after, upTo: Math.min(seq, after + most), signal: host.signal }
  const entries: Entry[] = []
  for await (const page of host.chain(tenant, walk))
    for (const stored of page) entries.push(recordOf(tenant, stored))
  return entries
}

const cause = { correlation: 'audit-stream', causation: 'audit-stream' }
const by = { kind: 'service', id: 'evidence' } as const

/** One delivery to one target; whether there may be more to send at once. */
export async function sendOnce(
  host: Host,
  tenant: string,
  sink: AuditSink,
  holder: string,
): Promise<boolean> {
  const { target } = sink
  const row = await lease(host, tenant, target, holder)
  if (!row) return false
  const tell = async (facts: Parameters<Host['append']>[1]['facts']) => {
    await host.append(tenant, { stream: `audit-${target}`, expected: 'any', facts, by, cause })
  }
  const entries = await entriesAfter(host, tenant, row.cursor, sink.most)
  if (entries.length === 0) return false
  const signal = AbortSignal.any([host.signal, AbortSignal.timeout(DELIVER_WITHIN_MS)])
  const outcome = await sink.deliver(entries, row.state, signal).catch((error: unknown) => ({ error }))
  // The process stops: whoever comes next begins where the cursor stands.
  host.signal.throwIfAborted()
  const now = host.clock.now()
  if ('error' in outcome) {
    const { error } = outcome
    const failures = row.failures + 1
    const asked = error instanceof Transient ? (error.retryAfterMs ?? 0) : 0
    const reason = messageOf(error).slice(0, 300)
    const broken = row.broken || failures >= BROKEN_AFTER
    const next = now.add({ milliseconds: Math.max(backoffMs(failures), asked) })
    await host.tx(tenant, (tx) =>
      tx.rows(
        `update audit_stream set failures = $3, broken = $4, problem = $5, since = coalesce(since, $6), next_at = $7
         where tenant = $1 and target = $2`,
        [tenant, target, failures, broken, reason, iso(now), iso(next)],
      ),
    )
    host.log.warn({ error, target, tenant }, 'The audit log did not reach a target; it will be tried again')
    if (broken && !row.broken)
      await tell([fact('evidence.stream-broken', { target, cursor: row.cursor, reason })])
    return false
  }
  const { through, state = {} } = outcome
  await host.tx(tenant, (tx) =>
    tx.rows(
      `update audit_stream set cursor = greatest(cursor, $3), state = $4, failures = 0, broken = false, problem = null,
         since = null, delivered_at = $5
       where tenant = $1 and target = $2 and holder = $6`,
      [tenant, target, through, JSON.stringify(state), iso(now), holder],
    ),
  )
  if (row.broken) await tell([fact('evidence.stream-restored', { target, cursor: through })])
  return true
}

/** Sends to every target until the process stops. The install's own chain, with its unknown sign-ins, is sent too. */
export function startStreams(host: Host, sinks: readonly AuditSink[]): void {
  const holder = host.ids.uuid()
  for (const sink of sinks) {
    const work = async () => {
      for (; !host.signal.aborted; await pause(LOOK_EVERY_MS, host.signal)) {
        try {
          for (const tenant of [INSTALL, ...(await host.tenants())])
            for (let left = MOST_IN_A_ROW; left > 0 && (await sendOnce(host, tenant, sink, holder)); ) left--
        } catch (error) {
          if (!host.signal.aborted)
            host.log.warn({ error, target: sink.target }, 'Sending the audit log on will be tried again')
        }
      }
      sink.close()
    }
    void work()
  }
}

/** How each target of a tenant stands. */
export async function standingOf(tx: Tx, sinks: readonly AuditSink[], head: number): Promise<AuditStream[]> {
  const rows = await tx.rows<{
    target: AuditTarget
    cursor: number
    delivered_at: string | null
    problem: string | null
    since: string | null
  }>('select target, cursor, delivered_at, problem, since from audit_stream where tenant = $1', [tx.tenant])
  return sinks.map(({ target, where }) => {
    const row = rows.find((r) => r.target === target)
    return {
      target,
      where,
      cursor: row?.cursor ?? 0,
      head,
      deliveredAt: row?.delivered_at ?? null,
      problem: row?.problem ?? null,
      since: row?.since ?? null,
    }
  })
}
