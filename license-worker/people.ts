import { byContact, type Doing, note } from './licenses.ts'

/* What the registry knows of people: addresses of contacts, and digests of those that had a trial. */

const DAY_MS = 86_400_000
/** An address may have one trial in so many days. */
export const TRIAL_EVERY_DAYS = 365

/** What is stored of an address, for the person behind it. */
export function readSubject(sql: SqlStorage, by: Doing, email: string, emailDigest: string) {
  note(sql, by, 'export-subject', null, 'a person’s data')
  const licenses = byContact(sql, email)
  return {
    licenses,
    trials: sql
      .exec<{ at: string; license: string }>(
        'select at, license from trial where email_digest = ?',
        emailDigest,
      )
      .toArray(),
    notices: licenses.flatMap(({ license }) =>
      sql
        .exec<{ at: string; license: string; kind: string }>(
          'select at, license, kind from notice where license = ? order by at',
          license,
        )
        .toArray(),
    ),
  }
}

/** Erases what names a person. Licences stay: somebody's install runs on them. Within a transaction. */
export function eraseSubject(
  sql: SqlStorage,
  by: Doing,
  email: string,
  emailDigest: string,
): { licenses: number; trials: number; notices: number } {
  const licenses = byContact(sql, email)
  let notices = 0
  for (const { license } of licenses) {
    const [told] = sql
      .exec<{ n: number }>('select count(*) as n from notice where license = ?', license)
      .toArray()
    notices += told?.n ?? 0
    sql.exec('delete from notice where license = ?', license)
  }
  sql.exec('update license set contact = null, customer = null where contact = ?', email)
  const [trials] = sql
    .exec<{ n: number }>('select count(*) as n from trial where email_digest = ?', emailDigest)
    .toArray()
  sql.exec('delete from trial where email_digest = ?', emailDigest)
  note(sql, by, 'erase-subject', null, `${licenses.length} licences, ${trials?.n ?? 0} trials`)
  return { licenses: licenses.length, trials: trials?.n ?? 0, notices }
}

/** Notes that an address has its trial; false if it had one within a year. Within a transaction. */
export function beginTrial(sql: SqlStorage, emailDigest: string, license: string, at: string): boolean {
  const aYearAgo = new Date(Date.parse(at) - TRIAL_EVERY_DAYS * DAY_MS).toISOString()
  const had = sql
    .exec('select 1 as had from trial where email_digest = ? and at > ?', emailDigest, aYearAgo)
    .toArray()
  if (had.length > 0) return false
  sql.exec('insert into trial (email_digest, at, license) values (?, ?, ?)', emailDigest, at, license)
  return true
}

/** A mail that could not be sent: the address may ask again. */
export const forgetTrial = (sql: SqlStorage, license: string): void => {
  sql.exec('delete from trial where license = ?', license)
}
