import { Tier } from '@attestry/contracts'
import {
  type AuditRow,
  type LicenseRow,
  LicenseState,
  SOON_DAYS,
  type Standing,
  type VendorRole,
} from '@attestry/contracts/http'
import { type License } from './license.ts'

/* Rows of the registry's licences, and of what the vendor did to them. SQL and nothing else. */

/** By what a repeated request is known; see once.ts. */
export interface Once {
  /** Digest of who asks and of their mark. */
  readonly mark: string
  /** Digest of what was asked: the same mark on another request is a mistake. */
  readonly asked: string
}

/** Who does something, by their token, and when. */
export interface Doing {
  readonly name: string
  readonly role: VendorRole
  /** ISO, UTC. */
  readonly at: string
  /** By what a repetition is known; absent: every request is a new one. */
  readonly once?: Once | undefined
}

interface Row {
  license: string
  tier: string
  state: string
  expires_at: string
  installs: number | null
  trial: number
  customer: string | null
  contact: string | null
  issued_at: string
}

const licenseOf = (row: Row): License => ({
  license: row.license,
  tier: Tier.parse(row.tier),
  state: LicenseState.parse(row.state),
  expiresAt: row.expires_at,
  installs: row.installs,
  trial: row.trial === 1,
  customer: row.customer,
  contact: row.contact,
  issuedAt: row.issued_at,
})

const COLUMNS = 'license, tier, state, expires_at, installs, trial, customer, contact, issued_at'

export function readLicense(sql: SqlStorage, license: string): License | null {
  const [row] = sql.exec<Row>(`select ${COLUMNS} from license where license = ?`, license).toArray()
  return row ? licenseOf(row) : null
}

export function writeLicense(sql: SqlStorage, l: License, at: string): void {
  sql.exec(
    `insert into license (${COLUMNS}, revoked_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (license) do update set tier = excluded.tier, state = excluded.state, expires_at = excluded.expires_at,
       installs = excluded.installs, customer = excluded.customer, contact = excluded.contact,
       revoked_at = case when excluded.state = 'revoked' then coalesce(revoked_at, excluded.revoked_at) end`,
    l.license,
    l.tier,
    l.state,
    l.expiresAt,
    l.installs,
    l.trial ? 1 : 0,
    l.customer,
    l.contact,
    l.issuedAt,
    l.state === 'revoked' ? at : null,
  )
}

export const seatsOf = (sql: SqlStorage, license: string): { install: string; since: string }[] =>
  sql
    .exec<{ install: string; since: string }>(
      'select install, since from seat where license = ? order by since, install',
      license,
    )
    .toArray()
    .map(({ install, since }) => ({ install, since }))

export const keysOf = (
  sql: SqlStorage,
  license: string,
): { digest: string; prefix: string; since: string; until: string | null }[] =>
  sql
    .exec<{ digest: string; prefix: string; since: string; until: string | null }>(
      'select digest, prefix, since, until from license_key where license = ? order by until is not null, since desc',
      license,
    )
    .toArray()
    .map(({ digest, prefix, since, until }) => ({ digest, prefix, since, until }))

const SEATED = '(select count(*) from seat s where s.license = license.license) as seated'
const PREFIX = `coalesce((select prefix from license_key k where k.license = license.license
   order by k.until is not null, k.since desc limit 1), '') as prefix`

/** A licence as the vendor sees it. */
const rowOf = (row: Row & { seated: number; prefix: string }): LicenseRow => ({
  ...licenseOf(row),
  prefix: row.prefix,
  seated: row.seated,
})

export const readRow = (sql: SqlStorage, license: string): LicenseRow | null => {
  const [row] = sql
    .exec<Row & { seated: number; prefix: string }>(
      `select ${COLUMNS}, ${SEATED}, ${PREFIX} from license where license = ?`,
      license,
    )
    .toArray()
  return row ? rowOf(row) : null
}

export const byContact = (sql: SqlStorage, email: string): LicenseRow[] =>
  sql
    .exec<Row & { seated: number; prefix: string }>(
      `select ${COLUMNS}, ${SEATED}, ${PREFIX} from license where contact = ? order by issued_at limit 1000`,
      email,
    )
    .toArray()
    .map(rowOf)

const soonAfter = (now: string): string => new Date(Date.parse(now) + SOON_DAYS * 86_400_000).toISOString()

/** `standingOf()` in SQL, at `?1`, soon being until `?2`. */
const STANDINGS: Readonly<Record<Standing, string>> = {
  active: "state = 'active' and expires_at > ?2",
  expiring: "state = 'active' and expires_at > ?1 and expires_at <= ?2",
  expired: "state = 'active' and expires_at <= ?1",
  suspended: "state = 'suspended'",
  revoked: "state = 'revoked'",
}

/** How many licences stand how. */
export function countStandings(sql: SqlStorage, now: string): Record<Standing, number> {
  const counts = Object.entries(STANDINGS).map(
    ([standing, condition]) => `count(*) filter (where ${condition}) as ${standing}`,
  )
  const [row] = sql
    .exec<Record<Standing, number>>(`select ${counts.join(', ')} from license`, now, soonAfter(now))
    .toArray()
  return { active: 0, expiring: 0, expired: 0, suspended: 0, revoked: 0, ...row }
}

/** Tier and customer of licences by their ids. */
export const readTitles = (
  sql: SqlStorage,
  licenses: readonly string[],
): { license: string; tier: Tier; customer: string | null }[] =>
  sql
    .exec<{ license: string; tier: string; customer: string | null }>(
      'select license, tier, customer from license where license in (select value from json_each(?))',
      JSON.stringify(licenses),
    )
    .toArray()
    .map((row) => ({ ...row, tier: Tier.parse(row.tier) }))

export interface LicenseFilter {
  readonly now: string
  readonly search?: string | undefined
  readonly standing?: Standing | undefined
  readonly tier?: Tier | undefined
  readonly order: 'newest' | 'ends-first'
  /** Of the last row seen what it is sorted by, and its id. */
  readonly after?: readonly [string, string] | undefined
  readonly limit: number
}

/** A page of licences, and how many there are. */
export function listLicenses(sql: SqlStorage, f: LicenseFilter): { items: LicenseRow[]; total: number } {
  const where: string[] = []
  const values: (string | number | null)[] = [f.now, soonAfter(f.now)]
  /** Numbered, because a condition may use the time twice. */
  const given = (value: string | number): string => {
    values.push(value)
    return `?${values.length}`
  }
  if (f.search) {
    const like = `like ${given(`%${f.search.replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`)} escape '\\'`
    where.push(
      `(customer ${like} or contact ${like} or license ${like} or exists
         (select 1 from license_key k where k.license = license.license and k.prefix ${like}))`,
    )
  }
  if (f.standing) where.push(`(${STANDINGS[f.standing]})`)
  if (f.tier) where.push(`tier = ${given(f.tier)}`)
  // The time stands in each query, so that its number is taken whatever is asked.
  const times = '?1 is not null and ?2 is not null'
  const [count] = sql
    .exec<{ n: number }>(
      `select count(*) as n from license where ${[times, ...where].join(' and ')}`,
      ...values,
    )
    .toArray()
  const [column, direction, beyond] =
    f.order === 'newest' ? ['issued_at', 'desc', '<'] : ['expires_at', 'asc', '>']
  if (f.after)
    where.push(`(${column}, license) ${beyond} (${f.after.map((value) => given(value)).join(', ')})`)
  const items = sql
    .exec<Row & { seated: number; prefix: string }>(
      `select ${COLUMNS}, ${SEATED}, ${PREFIX} from license where ${[times, ...where].join(' and ')}
       order by ${column} ${direction}, license ${direction} limit ${given(f.limit)}`,
      ...values,
    )
    .toArray()
    .map(rowOf)
  return { items, total: count?.n ?? 0 }
}

/** Notes what a vendor did, in the same transaction as the deed. */
export function note(
  sql: SqlStorage,
  by: Doing,
  action: string,
  license: string | null,
  detail: string,
): void {
  sql.exec(
    'insert into audit (at, by_name, role, action, license, detail) values (?, ?, ?, ?, ?, ?)',
    by.at,
    by.name,
    by.role,
    action,
    license,
    detail,
  )
}

export function listAudit(
  sql: SqlStorage,
  f: { readonly license?: string | undefined; readonly before?: number | undefined; readonly limit: number },
): AuditRow[] {
  return sql
    .exec<{
      id: number
      at: string
      by_name: string
      role: VendorRole
      action: string
      license: string | null
      customer: string | null
      detail: string
    }>(
      `select a.id, a.at, a.by_name, a.role, a.action, a.license, l.customer, a.detail
       from audit a left join license l on l.license = a.license
       where (?1 is null or a.license = ?1) and a.id < ?2 order by a.id desc limit ?3`,
      f.license ?? null,
      f.before ?? Number.MAX_SAFE_INTEGER,
      f.limit,
    )
    .toArray()
    .map(({ by_name: by, ...row }) => ({ ...row, by }))
}
