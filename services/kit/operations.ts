import { type Clock, iso } from './clock.ts'
import type { Bell } from './bell.ts'
import { consumerName, replay } from './consume.ts'
import { contextHeads } from './ledger/read.ts'
import type { Member } from './member.ts'

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

export interface Lag {
  readonly service: string
  readonly consumer: string
  readonly context: string
  readonly cursor: number
  readonly head: number
}

/** What an operator sees and does about the services of this process. */
export interface Operations {
  /** How far each consumer is behind the ledger. */
  lag(tenant: string): Promise<Lag[]>
  stuck(tenant: string): Promise<StuckWork[]>
  /** Tries stuck work again; false if there is no such work. */
  replay(tenant: string, service: string, id: string): Promise<boolean>
}

/** Operations over the members; a replayed command rings the sender. */
export function operations(members: readonly Member[], clock: Clock, sendBell: Bell): Operations {
  const memberOf = (name: string) => members.find((m) => m.name === name)
  return {
    lag: async (tenant) => {
      const all: Lag[] = []
      for (const member of members)
        all.push(
          ...(await member.clientTx(tenant, async (t) => {
            const cursors = await t.rows<{ consumer: string; context: string; cursor: number }>(
              'select consumer, context, seq as cursor from cursor where tenant = $1 order by 1, 2',
              [tenant],
            )
            const heads = await contextHeads(t.client, tenant)
            return cursors.map((c) => ({
              ...c,
              service: member.name,
              head: heads.get(c.context) ?? c.cursor,
            }))
          })),
        )
      return all
    },
    stuck: async (tenant) => {
      const all: StuckWork[] = []
      for (const member of members)
        all.push(
          ...(await member.tx(tenant, async (t) =>
            (
              await t.rows<{
                id: string
                consumer: string
                context: string | null
                seq: number | null
                reason: string
                since: string
              }>(
                `select id, consumer, context, seq, reason,
                   to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since
                 from stuck where tenant = $1 order by since limit 200`,
                [tenant],
              )
            ).map((r) => ({ ...r, service: member.name })),
          )),
        )
      return all
    },
    replay: async (tenant, serviceName, id) => {
      const member = memberOf(serviceName)
      if (!member) return false
      const [row] = await member.tx(tenant, (t) =>
        t.rows<{ consumer: string; context: string | null; seq: number | null }>(
          'select consumer, context, seq from stuck where tenant = $1 and id = $2',
          [tenant, id],
        ),
      )
      if (!row) return false
      if (row.context === null || row.seq === null) {
        await member.tx(tenant, async (t) => {
          await t.rows(
            `update pending_command set outcome = null, attempts = 0, due_at = $3, sent_at = null
             where tenant = $1 and id = $2 and outcome = 'failed'`,
            [tenant, id.replace(/^command:/, ''), iso(clock.now())],
          )
          await t.rows('delete from stuck where tenant = $1 and id = $2', [tenant, id])
        })
        sendBell.ring()
        return true
      }
      const consumer = member.consumers.find((c) => consumerName(c) === row.consumer)
      if (!consumer) return false
      await replay(member.consumerHost, consumer, tenant, row.context, row.seq)
      return true
    },
  }
}
