import { escapeIdentifier, type Pool } from 'pg'
import { type Clock, iso } from './clock.ts'
import { consumerName, replay } from './consume.ts'
import { messageOf, Transient } from './failure.ts'
import { LEDGER_ROLE } from './ledger/open.ts'
import { contextHeads } from './ledger/read.ts'
import type { Member } from './member.ts'
import { type PoolClient, rows, transaction } from './postgres.ts'

/** Work that somebody has to look at. */
export interface StuckWork {
  readonly id: string
  readonly service: string
  readonly consumer: string
  readonly context: string | null
  readonly seq: number | null
  readonly reason: string
  readonly since: string
}

/** How far a consumer has read a context, and where the context ends. */
export interface Lag {
  readonly service: string
  readonly consumer: string
  readonly context: string
  readonly cursor: number
  readonly head: number
}

/** What an operator sees and does about every service of the install, in whatever process it runs. */
export interface Operations {
  lag(tenant: string): Promise<Lag[]>
  /** The oldest 200 of each service. */
  stuck(tenant: string): Promise<StuckWork[]>
  /** Asks for stuck work to be tried again by its own service; false if there is no such work. */
  replay(tenant: string, service: string, id: string): Promise<boolean>
}

/** Schemas that hold the host's tables: one a service that was ever started on this database. */
const servicesOf = async (client: PoolClient): Promise<string[]> =>
  (
    await rows<{ service: string }>(
      client,
      `select n.nspname as service from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relname = 'pending_command' and has_table_privilege(c.oid, 'select') order by 1`,
    )
  ).map((row) => row.service)

/** Operations over the host's tables of all services. */
export function operations(pool: Pool): Operations {
  const asKeeper = <T>(tenant: string, work: (client: PoolClient) => Promise<T>): Promise<T> =>
    transaction(pool, { role: LEDGER_ROLE, tenant }, work)
  return {
    lag: (tenant) =>
      asKeeper(tenant, async (client) => {
        const heads = await contextHeads(client, tenant)
        const all: Lag[] = []
        for (const service of await servicesOf(client))
          for (const row of await rows<{ consumer: string; context: string; cursor: number }>(
            client,
            `select consumer, context, seq as cursor from ${escapeIdentifier(service)}.cursor
             where tenant = $1 order by 1, 2`,
            [tenant],
          ))
            all.push({ ...row, service, head: heads.get(row.context) ?? row.cursor })
        return all
      }),
    stuck: (tenant) =>
      asKeeper(tenant, async (client) => {
        const all: StuckWork[] = []
        for (const service of await servicesOf(client))
          for (const row of await rows<Omit<StuckWork, 'service'>>(
            client,
            `select id, consumer, context, seq, reason,
               to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since
             from ${escapeIdentifier(service)}.stuck where tenant = $1 order by since limit 200`,
            [tenant],
          ))
            all.push({ ...row, service })
        return all
      }),
    replay: (tenant, service, id) =>
      asKeeper(tenant, async (client) => {
        if (!(await servicesOf(client)).includes(service)) return false
        const asked = await rows(
          client,
          `update ${escapeIdentifier(service)}.stuck set replay_asked = true where tenant = $1 and id = $2 returning id`,
          [tenant, id],
        )
        return asked.length > 0
      }),
  }
}

/**
 * Tries what operators asked to be tried again; answers whether they asked. Work that fails once more stays, with its
 * new reason; where the world is away for a moment it is asked for again.
 * @throws {Transient} the first of those, after all were tried
 */
export async function replayAsked(member: Member, tenant: string, clock: Clock): Promise<boolean> {
  const asked = await member.tx(tenant, (tx) =>
    tx.rows<{ id: string; consumer: string; context: string | null; seq: number | null }>(
      `update stuck set replay_asked = false where tenant = $1 and replay_asked
       returning id, consumer, context, seq`,
      [tenant],
    ),
  )
  let away: Transient | null = null
  for (const { id, consumer: name, context, seq } of asked) {
    if (context === null || seq === null) {
      await member.tx(tenant, async (tx) => {
        await tx.rows(
          `update pending_command set outcome = null, attempts = 0, due_at = $3, sent_at = null
           where tenant = $1 and id = $2 and outcome = 'failed'`,
          [tenant, id.replace(/^command:/, ''), iso(clock.now())],
        )
        await tx.rows('delete from stuck where tenant = $1 and id = $2', [tenant, id])
      })
      continue
    }
    const consumer = member.consumers.find((c) => consumerName(c) === name)
    if (!consumer) continue
    try {
      await replay(member.consumerHost, consumer, tenant, context, seq)
    } catch (error) {
      const again = error instanceof Transient
      if (again) away ??= error
      else member.log.error({ error, consumer: name, tenant, seq }, 'Stuck work failed again')
      await member.tx(tenant, (tx) =>
        tx.rows(
          `update stuck set replay_asked = $3, reason = $4, attempts = attempts + 1 where tenant = $1 and id = $2`,
          [tenant, id, again, messageOf(error).slice(0, 500)],
        ),
      )
    }
  }
  if (away) throw away
  return asked.length > 0
}
