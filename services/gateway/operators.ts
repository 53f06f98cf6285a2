import type { Actor, Cause, EventOf, Fact } from '@attestry/contracts'
import {
  type Appended,
  type Host,
  iso,
  isRefused,
  isStorable,
  type Refused,
  Transient,
  type Tx,
} from '@attestry/kit'
import * as z from 'zod'
import { type Change, type ChangeRefusal, decide, evolve, administers, type Operator } from './operator.ts'

/** An operator and the place in the stream that this is the state at; 0 where there is none. */
export interface Loaded {
  readonly operator: Operator | null
  readonly position: number
}

/** A password as it is kept: its hash, and for a one-time password until when it opens anything. */
export interface Password {
  readonly phc: string
  readonly goodUntil: Temporal.Instant | null
}

/** Who does something, and for which request. */
export interface Doing {
  readonly by: Actor
  readonly cause: Cause
}

interface OperatorRow {
  readonly operator: string
  readonly position: number
  readonly state: Operator
}

/** Decisions lost to a concurrent one are made anew this often. */
const TRIES = 5
/** A page of `host.stream`. */
const PAGE = 10_000
/** How old what is known of an operator may be when a session is checked. */
const KNOWN_FOR_MS = 1_000
const MOST_KNOWN = 1_000

/** The same person however the name is typed: equal after NFKC, without outer blanks, in lower case. */
export const normalName = (name: string): string => name.normalize('NFKC').trim().toLowerCase()

const placeText = (o: Operator): string =>
  Buffer.from(JSON.stringify([o.name, o.operator])).toString('base64url')

/** A place in the list, which comes from outside: name and id of the row before. */
const placeOf = (text: string): [string, string] | null => {
  try {
    const parsed = z
      .tuple([z.string(), z.string()])
      .safeParse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return parsed.success && parsed.data.every(isStorable) ? parsed.data : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Operators of one tenant: their streams, and the password hashes that stand in rows alone. */
export function createOperators(host: Host, tenant: string) {
  const known = new Map<string, { readonly at: number; readonly loaded: Loaded }>()

  /** The row is where the fold stands; what came after it is read from the stream, so this is never behind. */
  const load = async (id: string): Promise<Loaded> => {
    const row = await host.tx(tenant, (tx) =>
      tx.rows<OperatorRow>(
        'select operator, position, state from operator where tenant = $1 and operator = $2',
        [tenant, id],
      ),
    )
    let operator: Operator | null = row[0]?.state ?? null
    let position = row[0]?.position ?? 0
    for (let more = true; more; ) {
      const events = await host.stream(tenant, id, position)
      for (const event of events) {
        operator = evolve(operator, event)
        position = event.position
      }
      more = events.length === PAGE
    }
    return { operator, position }
  }

  /** As load(), up to a second old. */
  const recall = async (id: string): Promise<Loaded> => {
    const now = host.clock.now().epochMilliseconds
    const found = known.get(id)
    if (found && Math.abs(now - found.at) < KNOWN_FOR_MS) return found.loaded
    const loaded = await load(id)
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(id, { at: now, loaded })
    return loaded
  }

  /**
   * Appends what `decision` makes of the present state; made anew when somebody else was faster. A decision may show
   * who it was that did it.
   */
  const record = async <R extends { readonly facts: readonly Fact[]; readonly by?: Actor }>(
    id: string,
    decision: (loaded: Loaded) => Promise<R>,
    doing: Doing,
  ): Promise<{ readonly decided: R; readonly appended: Appended | null }> => {
    for (let left = TRIES; left > 0; left--) {
      const loaded = await load(id)
      const decided = await decision(loaded)
      if (decided.facts.length === 0) return { decided, appended: null }
      const result = await host.append(tenant, {
        stream: id,
        expected: loaded.position,
        facts: decided.facts,
        by: decided.by ?? doing.by,
        cause: doing.cause,
      })
      known.delete(id)
      if (result.ok) return { decided, appended: result }
    }
    throw new Transient('Somebody else changes this operator at the same time.')
  }

  return {
    load,
    recall,
    record,

    /** Names give ids, so that a name is taken exactly when its stream exists. */
    idOf: async (name: string): Promise<string> => (await host.opaque(tenant))('operator', normalName(name)),

    /** Carries out an administrator's wish. `prepare` runs before the facts are written, once it is allowed. */
    async change(
      id: string,
      change: (now: Temporal.Instant) => Promise<Change>,
      doing: Doing,
      prepare: () => Promise<void> = async () => {},
    ): Promise<Refused<ChangeRefusal> | null> {
      const { decided } = await record(
        id,
        async ({ operator }) => {
          const now = host.clock.now()
          const facts = decide(operator, await change(now), now)
          if (isRefused(facts)) return { facts: [], refusal: facts }
          if (facts.length > 0) await prepare()
          return { facts, refusal: null }
        },
        doing,
      )
      return decided.refusal
    },

    /** Whether an operator other than this one could administer. */
    async othersAdminister(id: string): Promise<boolean> {
      const rows = await host.tx(tenant, (tx) =>
        tx.rows<{ operator: string }>(
          `select operator from operator where tenant = $1 and operator <> $2
             and state -> 'roles' ? 'tenant-admin' limit 1000`,
          [tenant, id],
        ),
      )
      for (const row of rows) {
        const { operator } = await load(row.operator)
        if (operator && administers(operator)) return true
      }
      return false
    },

    /**
     * How many may sign in. Counted where the fold stands, so that of some that are added in the same moment by
     * several processes one too many may pass; it then stays.
     */
    async count(): Promise<number> {
      const [row] = await host.tx(tenant, (tx) =>
        tx.rows<{ n: number }>(
          `select count(*)::int as n from operator where tenant = $1 and not coalesce((state->>'disabled')::boolean, false)`,
          [tenant],
        ),
      )
      return row?.n ?? 0
    },

    async passwordOf(id: string): Promise<Password | null> {
      const rows = await host.tx(tenant, (tx) =>
        tx.rows<{ phc: string; good_until: string | null }>(
          'select phc, good_until from password where tenant = $1 and operator = $2',
          [tenant, id],
        ),
      )
      const row = rows[0]
      if (!row) return null
      return {
        phc: row.phc,
        goodUntil: row.good_until === null ? null : Temporal.Instant.from(row.good_until),
      }
    },

    async setPassword(id: string, { phc, goodUntil }: Password): Promise<void> {
      await host.tx(tenant, (tx) =>
        tx.rows(
          `insert into password (tenant, operator, phc, good_until) values ($1, $2, $3, $4)
           on conflict (tenant, operator) do update set phc = excluded.phc, good_until = excluded.good_until`,
          [tenant, id, phc, goodUntil && iso(goodUntil)],
        ),
      )
    },

    /** Operators by name, `limit` of them after a place that an earlier page gave; null for any other place. */
    async list(
      after: string | null,
      limit: number,
    ): Promise<{ operators: Operator[]; next: string | null; total: number } | null> {
      const place = after === null ? ['', ''] : placeOf(after)
      if (!place) return null
      return host.tx(tenant, async (tx) => {
        const rows = await tx.rows<OperatorRow>(
          `select operator, position, state from operator where tenant = $1 and (name, operator) > ($2, $3)
           order by name, operator limit $4`,
          [tenant, ...place, limit + 1],
        )
        const counted = await tx.rows<{ total: number }>(
          'select count(*)::int as total from operator where tenant = $1',
          [tenant],
        )
        const page = rows.slice(0, limit).map((row) => row.state)
        const last = page.at(-1)
        const next = last && rows.length > limit ? placeText(last) : null
        return { operators: page, next, total: counted[0]?.total ?? 0 }
      })
    },

    /** Names of those ids that are operators. */
    async namesOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const rows = await host.tx(tenant, (tx) =>
        tx.rows<{ operator: string; name: string }>(
          'select operator, name from operator where tenant = $1 and operator = any($2)',
          [tenant, [...new Set(ids)]],
        ),
      )
      return new Map(rows.map((r) => [r.operator, r.name]))
    },
  }
}

export type Operators = ReturnType<typeof createOperators>

/** Folds operators' streams into their rows. */
export async function foldOperators(events: readonly EventOf[], tx: Tx): Promise<void> {
  const rows = new Map<string, { operator: Operator | null; position: number }>()
  for (const event of events) {
    if (!event.stream.startsWith('operator-')) continue
    let row = rows.get(event.stream)
    if (!row) {
      const found = await tx.rows<OperatorRow>(
        'select operator, position, state from operator where tenant = $1 and operator = $2',
        [tx.tenant, event.stream],
      )
      row = { operator: found[0]?.state ?? null, position: found[0]?.position ?? 0 }
    }
    if (event.position > row.position)
      row = { operator: evolve(row.operator, event), position: event.position }
    rows.set(event.stream, row)
  }
  for (const [id, { operator, position }] of rows) {
    if (!operator) continue
    await tx.rows(
      `insert into operator (tenant, operator, position, name, state) values ($1, $2, $3, $4, $5)
       on conflict (tenant, operator) do update
         set position = excluded.position, name = excluded.name, state = excluded.state`,
      [tx.tenant, id, position, operator.name, JSON.stringify(operator)],
    )
  }
}
