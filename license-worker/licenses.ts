import { Tier } from '@attestry/contracts'
import { type AuditRow, type LicenseRow, LicenseState, type VendorRole } from '@attestry/contracts/http'
import { type License } from './license.ts'

/* Rows of the registry's licences, and of what the vendor did to them. SQL and nothing else. */

/** Who does something, by their token, and when. */
export interface Doing {
  readonly name: string
  readonly role: VendorRole
  /** ISO, UTC. */
  readonly at: string
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

export interface LicenseFilter {
  readonly search?: string | undefined
  readonly state?: LicenseState | undefined
  readonly tier?: Tier | undefined
  /** Only those that end before it and are not revoked. */
  readonly endsBefore?: string | undefined
  /** Issued at and id of the last row seen. */
  readonly after?: readonly [string, string] | undefined
  readonly limit: number
}

/** A page of licences, newest first, and how many there are. */
export function listLicenses(sql: SqlStorage, f: LicenseFilter): { items: LicenseRow[]; total: number } {
  const where = ['1 = 1']
  const values: (string | number | null)[] = []
  const add = (condition: string, ...given: string[]) => {
    where.push(condition)
    values.push(...given)
  }
  if (f.search) {
    const like = `%${f.search.replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`
    add(
      `(customer like ? escape '\\' or contact like ? escape '\\' or license like ? escape '\\' or exists
         (select 1 from license_key k where k.license = license.license and k.prefix like ? escape '\\'))`,
      like,
      like,
      like,
      like,
    )
  }
  if (f.state) add('state = ?', f.state)
  if (f.tier) add('tier = ?', f.tier)
  if (f.endsBefore) add("expires_at < ? and state <> 'revoked'", f.endsBefore)
  const [count] = sql
    .exec<{ n: number }>(`select count(*) as n from license where ${where.join(' and ')}`, ...values)
    .toArray()
  if (f.after) add('(issued_at, license) < (?, ?)', ...f.after)
  const items = sql
    .exec<Row & { seated: number; prefix: string }>(
      `select ${COLUMNS}, ${SEATED}, ${PREFIX} from license where ${where.join(' and ')}
       order by issued_at desc, license desc limit ?`,
      ...values,
      f.limit,
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
      detail: string
    }>(
      `select id, at, by_name, role, action, license, detail from audit
       where (?1 is null or license = ?1) and id < ?2 order by id desc limit ?3`,
      f.license ?? null,
      f.before ?? Number.MAX_SAFE_INTEGER,
      f.limit,
    )
    .toArray()
    .map(({ by_name: by, ...row }) => ({ ...row, by }))
}
