import { createHash, timingSafeEqual } from 'node:crypto'
import type { EventOf, Fact } from '@attestry/contracts'
import { type Appended, type Host, iso, isRefused, type Refused, Transient, type Tx } from '@attestry/kit'
import { AUDITOR, type Auditor, enter, evolveAuditor, invite, issueLink, revoke } from './auditor.ts'
import type { Doing } from './operators.ts'

interface AuditorState {
  readonly auditor: Auditor | null
  readonly position: number
}

/** Decisions lost to a concurrent one are made anew this often. */
const TRIES = 5
/** How old what is known of an auditor may be when a session is checked. */
const KNOWN_FOR_MS = 1_000
const MOST_KNOWN = 1_000
const SECRET_BYTES = 32

const hashOf = (secret: string): Uint8Array => createHash('sha256').update(secret).digest()

/** Auditors from outside: their streams, and the hashes of their links. */
export function createAuditors(host: Host, tenant: string, random: (bytes: number) => Uint8Array) {
  const known = new Map<string, { readonly at: number; readonly state: AuditorState }>()

  const load = async (id: string): Promise<AuditorState> => {
    const events = await host.stream(tenant, id)
    return {
      auditor: events.reduce(evolveAuditor, null),
      position: events.at(-1)?.position ?? 0,
    }
  }

  /** Appends what `decision` makes of the present state; made anew when somebody else was faster. */
  const record = async <R extends { readonly facts: readonly Fact[] }>(
    id: string,
    decision: (auditor: Auditor | null) => R,
    doing: Doing,
  ): Promise<{ readonly decided: R; readonly appended: Appended | null }> => {
    for (let left = TRIES; left > 0; left--) {
      const { auditor, position } = await load(id)
      const decided = decision(auditor)
      if (decided.facts.length === 0) return { decided, appended: null }
      const { facts } = decided
      const result = await host.append(tenant, { stream: id, expected: position, facts, ...doing })
      known.delete(id)
      if (result.ok) return { decided, appended: result }
    }
    throw new Transient('Somebody else changes this auditor at the same time.')
  }

  /** Makes a link's secret and keeps its hash. A link without an event opens nothing. */
  const newLink = async (auditor: string): Promise<{ link: string; secret: string }> => {
    const link = host.ids.opaque('link')
    const secret = `${link}.${Buffer.from(random(SECRET_BYTES)).toString('base64url')}`
    await host.tx(tenant, (tx) =>
      tx.rows('insert into auditor_link (tenant, link, auditor, sha256) values ($1, $2, $3, $4)', [
        tenant,
        link,
        auditor,
        hashOf(secret),
      ]),
    )
    return { link, secret }
  }

  const decided = async <C extends string>(
    id: string,
    wish: (auditor: Auditor | null) => Fact[] | Refused<C>,
    doing: Doing,
  ): Promise<Refused<C> | null> => {
    const outcome = await record(
      id,
      (auditor) => {
        const facts = wish(auditor)
        return isRefused(facts) ? { facts: [], refusal: facts } : { facts, refusal: null }
      },
      doing,
    )
    return outcome.decided.refusal
  }

  return {
    /** As it stands, up to a second old. */
    async recall(id: string): Promise<Auditor | null> {
      const now = host.clock.now().epochMilliseconds
      const found = known.get(id)
      if (found && Math.abs(now - found.at) < KNOWN_FOR_MS) return found.state.auditor
      const state = await load(id)
      if (known.size >= MOST_KNOWN) known.clear()
      known.set(id, { at: now, state })
      return state.auditor
    },

    async invite(
      wish: { readonly name: string; readonly until: string; readonly bundles: readonly string[] | null },
      doing: Doing,
    ): Promise<{ auditor: string; secret: string } | Refused<'until-past' | 'until-too-far'>> {
      const auditor = host.ids.opaque(AUDITOR)
      const { link, secret } = await newLink(auditor)
      const refused = await decided(
        auditor,
        () =>
          invite({ ...wish, until: iso(Temporal.Instant.from(wish.until)), auditor, link }, host.clock.now()),
        doing,
      )
      return refused ?? { auditor, secret }
    },

    async issueLink(
      auditor: string,
      doing: Doing,
    ): Promise<{ secret: string } | Refused<'no-such-auditor' | 'door-closed'>> {
      const { link, secret } = await newLink(auditor)
      const refused = await decided(auditor, (state) => issueLink(state, link, host.clock.now()), doing)
      return refused ?? { secret }
    },

    revoke: (auditor: string, doing: Doing): Promise<Refused<'no-such-auditor' | 'door-closed'> | null> =>
      decided(auditor, (state) => revoke(state, host.clock.now()), doing),

    /** Uses a link; null where its secret opens nothing. Why that is, is recorded and not told. */
    async enter(
      secret: string,
      session: string,
      address: string,
      cause: Doing['cause'],
    ): Promise<{ readonly auditor: Auditor; readonly appended: Appended } | null> {
      const link = secret.slice(0, Math.max(0, secret.indexOf('.')))
      const [row] = await host.tx(tenant, (tx) =>
        tx.rows<{ auditor: string; sha256: Uint8Array }>(
          'select auditor, sha256 from auditor_link where tenant = $1 and link = $2',
          [tenant, link],
        ),
      )
      if (!row || !timingSafeEqual(hashOf(secret), row.sha256)) return null
      const { auditor: id } = row
      const { decided: outcome, appended } = await record(
        id,
        (auditor) =>
          auditor
            ? { auditor, ...enter(auditor, link, session, host.clock.now()) }
            : { auditor, entered: false, facts: [] },
        { by: { kind: 'operator', id, ...(address ? { address } : {}) }, cause },
      )
      const { auditor, entered } = outcome
      return auditor && entered && appended ? { auditor, appended } : null
    },

    /** Auditors newest first, below a seq; `next` is the place to go on from. */
    async list(
      before: number | null,
      limit: number,
    ): Promise<{ auditors: Auditor[]; next: string | null; total: number }> {
      return host.tx(tenant, async (tx) => {
        const rows = await tx.rows<{ seq: number; state: Auditor }>(
          `select seq, state from auditor where tenant = $1 and ($2::bigint is null or seq < $2)
           order by seq desc limit $3`,
          [tenant, before, limit + 1],
        )
        const [counted] = await tx.rows<{ total: number }>(
          'select count(*)::int as total from auditor where tenant = $1',
          [tenant],
        )
        const page = rows.slice(0, limit)
        const next = rows.length > limit ? String(page.at(-1)?.seq) : null
        return { auditors: page.map((row) => row.state), next, total: counted?.total ?? 0 }
      })
    },

    /** Names of those ids that are auditors. */
    async namesOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const rows = await host.tx(tenant, (tx) =>
        tx.rows<{ auditor: string; name: string }>(
          `select auditor, state ->> 'name' as name from auditor where tenant = $1 and auditor = any($2)`,
          [tenant, [...new Set(ids)]],
        ),
      )
      return new Map(rows.map((r) => [r.auditor, r.name]))
    },
  }
}

export type Auditors = ReturnType<typeof createAuditors>

/** Folds auditors' streams into their rows. */
export async function foldAuditors(events: readonly EventOf[], tx: Tx): Promise<void> {
  for (const event of events) {
    if (!event.stream.startsWith(`${AUDITOR}-`)) continue
    const [row] = await tx.rows<{ position: number; state: Auditor }>(
      'select position, state from auditor where tenant = $1 and auditor = $2',
      [tx.tenant, event.stream],
    )
    if (row && row.position >= event.position) continue
    const state = evolveAuditor(row?.state ?? null, event)
    if (!state) continue
    await tx.rows(
      `insert into auditor (tenant, auditor, position, seq, state) values ($1, $2, $3, $4, $5)
       on conflict (tenant, auditor) do update set position = excluded.position, state = excluded.state`,
      [tx.tenant, event.stream, event.position, event.seq, JSON.stringify(state)],
    )
  }
}
