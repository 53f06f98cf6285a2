import type { Host } from '@attestry/kit'
import { iso } from '@attestry/kit'
import type { Session } from './session.ts'

interface SessionRow {
  readonly session: string
  readonly operator: string
  readonly carried_as: 'cookie' | 'bearer'
  readonly started_at: string
  readonly last_seen_at: string
  readonly trusted_since: string
  readonly reauthenticated_until: string | null
  readonly ended_at: string | null
}

const instant = (text: string) => Temporal.Instant.from(text)

const sessionOf = (row: SessionRow): Session => ({
  session: row.session,
  operator: row.operator,
  as: row.carried_as,
  startedAt: instant(row.started_at),
  lastSeenAt: instant(row.last_seen_at),
  trustedSince: instant(row.trusted_since),
  reauthenticatedUntil: row.reauthenticated_until === null ? null : instant(row.reauthenticated_until),
  endedAt: row.ended_at === null ? null : instant(row.ended_at),
})

/** Rows of sessions. Who signed in when is in the ledger; how long a session goes on is not worth a fact. */
export function createSessions(host: Host, tenant: string) {
  const update = (assignments: string) => (session: string, at: string) =>
    host.tx(tenant, async (tx) => {
      await tx.rows(`update session set ${assignments} where tenant = $1 and session = $2`, [
        tenant,
        session,
        at,
      ])
    })

  return {
    async open(session: {
      session: string
      operator: string
      as: 'cookie' | 'bearer'
      now: Temporal.Instant
      /** Time of the event that tells of the sign-in. */
      trustedSince: string
      reauthenticatedUntil: Temporal.Instant | null
    }): Promise<Session> {
      const now = iso(session.now)
      const until = session.reauthenticatedUntil
      await host.tx(tenant, (tx) =>
        tx.rows(
          `insert into session (tenant, session, operator, carried_as, started_at, last_seen_at, trusted_since,
             reauthenticated_until)
           values ($1, $2, $3, $4, $5, $5, $6, $7)`,
          [
            tenant,
            session.session,
            session.operator,
            session.as,
            now,
            session.trustedSince,
            until && iso(until),
          ],
        ),
      )
      return {
        session: session.session,
        operator: session.operator,
        as: session.as,
        startedAt: session.now,
        lastSeenAt: session.now,
        trustedSince: instant(session.trustedSince),
        reauthenticatedUntil: until,
        endedAt: null,
      }
    },

    async find(session: string): Promise<Session | null> {
      const rows = await host.tx(tenant, (tx) =>
        tx.rows<SessionRow>('select * from session where tenant = $1 and session = $2', [tenant, session]),
      )
      return rows[0] ? sessionOf(rows[0]) : null
    },

    end: update('ended_at = coalesce(ended_at, $3)'),
    noteSeen: update('last_seen_at = greatest(last_seen_at, $3)'),
    reauthenticate: update('reauthenticated_until = $3'),
    /** The session that changed the password goes on; all others of the operator are void. */
    trustSince: update('trusted_since = $3'),
  }
}

export type Sessions = ReturnType<typeof createSessions>
