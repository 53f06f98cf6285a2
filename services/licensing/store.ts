import { INSTALL } from '@attestry/contracts'
import { type Host, iso, type Tx } from '@attestry/kit'

/** The install's one row about its licence. Instants are ISO texts. */
export interface InstallRow {
  readonly install: string
  readonly keySealed: string | null
  readonly keyPrefix: string | null
  readonly answer: string | null
  readonly file: string | null
  readonly lastIat: string | null
  readonly seenAt: string | null
  readonly lastAnswerAt: string | null
  readonly lastAttemptAt: string | null
  readonly nextAttemptAt: string | null
  readonly problem: string | null
  readonly sent: string | null
}

const COLUMNS: Readonly<Record<keyof InstallRow, string>> = {
  install: 'install',
  keySealed: 'key_sealed',
  keyPrefix: 'key_prefix',
  answer: 'answer',
  file: 'file',
  lastIat: 'last_iat',
  seenAt: 'seen_at',
  lastAnswerAt: 'last_answer_at',
  lastAttemptAt: 'last_attempt_at',
  nextAttemptAt: 'next_attempt_at',
  problem: 'problem',
  sent: 'sent',
}
const SELECT = Object.entries(COLUMNS)
  .map(([name, column]) => `${column} as "${name}"`)
  .join(', ')

/** Postgres writes instants its own way. */
const instant = (text: string | null): string | null => text && iso(Temporal.Instant.from(text))

/** Reads the row, and makes it the first time: from then on this database is this install. */
export const readInstall = (host: Host): Promise<InstallRow> =>
  host.tx(INSTALL, (tx) => installIn(tx, host.ids.uuid()))

/** The same within a transaction of the install's. */
export const installIn = async (tx: Tx, newId: string): Promise<InstallRow> => {
  await tx.rows('insert into install (tenant, install) values ($1, $2) on conflict do nothing', [
    tx.tenant,
    newId,
  ])
  const [row] = await tx.rows<InstallRow>(`select ${SELECT} from install where tenant = $1`, [tx.tenant])
  if (!row) throw new Error('the install has no row')
  return {
    ...row,
    lastIat: instant(row.lastIat),
    seenAt: instant(row.seenAt),
    lastAnswerAt: instant(row.lastAnswerAt),
    lastAttemptAt: instant(row.lastAttemptAt),
    nextAttemptAt: instant(row.nextAttemptAt),
  }
}

/** Changes some of the row. */
export const writeInstall = (host: Host, change: Partial<InstallRow>): Promise<void> =>
  host.tx(INSTALL, async (tx) => {
    // The names are those of the type; Object.entries forgets it.
    const entries = Object.entries(change) as [keyof InstallRow, string | null][]
    await tx.rows(
      `update install set ${entries.map(([name], i) => `${COLUMNS[name]} = $${i + 2}`).join(', ')} where tenant = $1`,
      [tx.tenant, ...entries.map(([, value]) => value)],
    )
  })

/** Notes what this machine's clock shows: only ever forward, so that setting it back shows. */
export const noteSeen = (tx: Tx, now: Temporal.Instant) =>
  tx.rows('update install set seen_at = greatest(seen_at, $2::timestamptz) where tenant = $1', [
    tx.tenant,
    iso(now),
  ])
