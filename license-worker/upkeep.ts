import type { LicenseRow, TrendDay } from '@attestry/contracts/http'
import { readRow } from './licenses.ts'
import { dueNotice, type NoticeKind } from './notices.ts'
import { TRIAL_EVERY_DAYS } from './people.ts'

/* What the registry does once a day: notices, the day's sums, and what is old enough to go. */

const DAY_MS = 86_400_000
/** The validation log is kept so long, and no longer. */
export const LOG_DAYS = 90
/** A licence's record is kept for its life and so long. */
const RECORD_DAYS_AFTER_END = 365
const TREND_DAYS = 400
/** A request that was carried out is known again for so long. */
const DONE_DAYS = 2

export interface DueNotice {
  readonly kind: NoticeKind
  readonly row: LicenseRow
  readonly contact: string
}

/** Claims the notices that are due, at most so many: a claimed one is sent once or given back. In a transaction. */
export function claimNotices(sql: SqlStorage, now: string, most: number): DueNotice[] {
  const until = new Date(Date.parse(now) + 31 * DAY_MS).toISOString()
  const claimed: DueNotice[] = []
  const due = sql
    .exec<{ license: string; contact: string }>(
      `select license, contact from license where state = 'active' and contact is not null and expires_at < ?
       order by expires_at desc`,
      until,
    )
    .toArray()
  for (const { license, contact } of due) {
    if (claimed.length >= most) break
    const row = readRow(sql, license)
    if (!row) continue
    const told = sql
      .exec<{ kind: string }>(
        'select kind from notice where license = ? and expires_at = ?',
        license,
        row.expiresAt,
      )
      .toArray()
    const kind = dueNotice(
      row.expiresAt,
      told.map((t) => t.kind),
      new Date(now),
    )
    if (!kind) continue
    sql.exec(
      'insert into notice (license, expires_at, kind, at) values (?, ?, ?, ?)',
      license,
      row.expiresAt,
      kind,
      now,
    )
    claimed.push({ kind, row, contact })
  }
  return claimed
}

export const giveBackNotice = (sql: SqlStorage, license: string, expiresAt: string, kind: string): void => {
  sql.exec('delete from notice where license = ? and expires_at = ? and kind = ?', license, expiresAt, kind)
}

export const saveDay = (sql: SqlStorage, day: TrendDay): void => {
  sql.exec(
    `insert into day (day, installs, totals) values (?, ?, ?)
     on conflict (day) do update set installs = excluded.installs, totals = excluded.totals`,
    day.day,
    day.installs,
    JSON.stringify(day.totals),
  )
}

export const readTrends = (
  sql: SqlStorage,
  since: string,
): { day: string; installs: number; totals: string }[] =>
  sql
    .exec<{ day: string; installs: number; totals: string }>(
      'select day, installs, totals from day where day >= ? order by day',
      since,
    )
    .toArray()

/**
 * Removes what has been kept long enough, and answers the licences that are gone. `changed` is told of each licence
 * of which KV must be told something else, before its keys are gone. In a transaction.
 */
export function purge(
  sql: SqlStorage,
  now: string,
  changed: (license: string) => void,
): { validations: number; licenses: string[] } {
  const before = (days: number) => new Date(Date.parse(now) - days * DAY_MS).toISOString()
  const [old] = sql
    .exec<{ n: number }>('select count(*) as n from validation where at < ?', before(LOG_DAYS))
    .toArray()
  sql.exec('delete from validation where at < ?', before(LOG_DAYS))
  sql.exec('delete from day where day < ?', before(TREND_DAYS).slice(0, 10))
  sql.exec('delete from trial where at < ?', before(TRIAL_EVERY_DAYS))
  sql.exec('delete from done where at < ?', before(DONE_DAYS))
  const ended = sql
    .exec<{ license: string }>(
      'select license from license where min(expires_at, coalesce(revoked_at, expires_at)) < ? limit 500',
      before(RECORD_DAYS_AFTER_END),
    )
    .toArray()
    .map((r) => r.license)
  const oldKeys = sql
    .exec<{ license: string }>('select distinct license from license_key where until < ?', now)
    .toArray()
  for (const { license } of oldKeys) changed(license)
  for (const license of ended) {
    changed(license)
    for (const table of ['license', 'license_key', 'seat', 'audit', 'notice', 'trial'])
      sql.exec(`delete from ${table} where license = ?`, license)
  }
  sql.exec('delete from license_key where until < ?', now)
  sql.exec('delete from audit where license is null and at < ?', before(RECORD_DAYS_AFTER_END))
  return { validations: old?.n ?? 0, licenses: ended }
}
