import { escapeLiteral, type Pool } from 'pg'
import * as z from 'zod'
import { iso } from './clock.ts'
import { type Consumer, consumerName, contextsOf, versionOf } from './consume.ts'
import { look } from './postgres.ts'

/*
 * What a sweep looks for: events that no message brought, and commands that no message started. It looks all day and
 * finds nothing, so it asks one thing once.
 */

/** Commands that one sweep takes up at most. */
const MOST_COMMANDS = 50

const Place = z.object({
  context: z.string(),
  head: z.int(),
  consumer: z.string().nullable(),
  seq: z.int().nullable(),
  version: z.int().nullable(),
})
const Overdue = z.object({ id: z.string() })

export interface Found {
  /** Whoever has something to read, and of which context. */
  readonly behind: readonly { readonly consumer: Consumer; readonly context: string }[]
  /** Ids of commands that are due since a while, and that nobody works on. */
  readonly overdue: readonly string[]
}

/**
 * Which consumers have something to read of which contexts: whoever stands before a context's last event, or whose
 * rows are of another version. Pure.
 */
export function behind(
  consumers: readonly Consumer[],
  places: readonly z.infer<typeof Place>[],
): Found['behind'] {
  const heads = new Map(places.map(({ context, head }) => [context, head]))
  const cursors = new Map(places.map((place) => [`${place.consumer}\0${place.context}`, place]))
  return consumers.flatMap((consumer) =>
    contextsOf(consumer).flatMap((context) => {
      const cursor = cursors.get(`${consumerName(consumer)}\0${context}`)
      const read = cursor?.version === versionOf(consumer) ? (cursor.seq ?? -1) : -1
      return read < (heads.get(context) ?? -1) ? [{ consumer, context }] : []
    }),
  )
}

/**
 * Looks once, under a service's role.
 * @param olderThanMs commands that are due since less than this are left to their messages
 * @throws {Transient} when the database is away
 */
export async function lookFor(
  pool: Pool,
  service: { readonly name: string; readonly role: string; readonly consumers: readonly Consumer[] },
  tenant: string,
  now: Temporal.Instant,
  olderThanMs: number,
): Promise<Found> {
  const of = escapeLiteral(tenant)
  const [places = [], overdue = []] = await look(
    pool,
    { role: service.role, tenant, searchPath: service.name },
    [
      `select u.context, u.seq as head, c.consumer, c.seq, c.version
       from ledger.head h cross join unnest(h.contexts, h.context_seqs) u(context, seq)
       left join cursor c on c.tenant = h.tenant and c.context = u.context where h.tenant = ${of}`,
      `select id from pending_command where tenant = ${of} and outcome is null
       and due_at <= ${escapeLiteral(iso(now))}::timestamptz - make_interval(secs => ${olderThanMs / 1000})
       and (lease_until is null or lease_until < now()) order by due_at limit ${MOST_COMMANDS}`,
    ],
  )
  return {
    behind: behind(service.consumers, z.array(Place).parse(places)),
    overdue: z
      .array(Overdue)
      .parse(overdue)
      .map(({ id }) => id),
  }
}
