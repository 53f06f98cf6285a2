import { DurableObject } from 'cloudflare:workers'
import type { AuditRow, FleetHealth, LicenseRow, TrendDay } from '@attestry/contracts/http'
import { isSilentSince, listSeen, MOST_SEATS } from './fleet.ts'
import { changeOf, decide, type License, type Wish, type WishRefusal } from './license.ts'
import {
  byContact,
  type Doing,
  keysOf,
  type LicenseFilter,
  listAudit,
  listLicenses,
  note,
  readLicense,
  readRow,
  seatsOf,
  writeLicense,
} from './licenses.ts'
import { dueNotice, type NoticeKind } from './notices.ts'
import { isRefused, refuse, type Refused } from './problem.ts'
import { projectionOf, recordName } from './projection.ts'
import { STEPS } from './registry-schema.ts'

type NoLicense = Refused<'no-such-license'>
const noLicense: NoLicense = refuse('no-such-license', 'There is no such licence.')

const DAY_MS = 86_400_000
/** The validation log is kept so long, and no longer. */
export const LOG_DAYS = 90
/** A licence's record is kept for its life and so long. */
const RECORD_DAYS_AFTER_END = 365
const TREND_DAYS = 400
/** KV takes one write a second of a name. */
const PUT_EVERY_MS = 1100
/** A flush writes at most so many names before it leaves the rest to the alarm. */
const MOST_PUTS = 100

/**
 * The one place where licences, their keys and their places are changed, one change after the other: KV alone would
 * lose all but the last of two edits. What licence checks need is projected to KV behind a list of what is pending,
 * so that no change stays unseen, whatever becomes of a write.
 */
export class Registry extends DurableObject {
  #flushing: Promise<void> | null = null

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { sql } = ctx.storage
    ctx.storage.transactionSync(() => {
      sql.exec('create table if not exists step (n integer primary key)')
      const [taken] = sql.exec<{ n: number }>('select count(*) as n from step').toArray()
      for (const [i, step] of STEPS.entries()) {
        if (i < (taken?.n ?? 0)) continue
        sql.exec(step)
        sql.exec('insert into step (n) values (?)', i)
      }
    })
  }

  get #sql(): SqlStorage {
    return this.ctx.storage.sql
  }

  /** Issues a licence under the digest of its key. */
  async issue(by: Doing, license: License, key: { digest: string; prefix: string }): Promise<void> {
    this.ctx.storage.transactionSync(() => {
      writeLicense(this.#sql, license, by.at)
      this.#addKey(license.license, key, by.at)
      note(this.#sql, by, 'issue', license.license, `${license.tier} until ${license.expiresAt}`)
      this.#changed(license.license)
    })
    await this.#flush('wait')
  }

  /** Carries out a vendor's wish, or refuses it. */
  async change(
    by: Doing,
    license: string,
    wish: Wish,
    reason: string | null,
  ): Promise<LicenseRow | NoLicense | Refused<WishRefusal>> {
    const outcome = this.ctx.storage.transactionSync(() => {
      const before = readLicense(this.#sql, license)
      if (!before) return noLicense
      const after = decide(before, wish)
      if (isRefused(after)) return after
      writeLicense(this.#sql, after, by.at)
      const why = reason === null ? '' : ` (${reason})`
      note(this.#sql, by, wish.do, license, `${changeOf(before, after)}${why}`)
      this.#changed(license)
      return null
    })
    if (outcome) return outcome
    await this.#flush('wait')
    return readRow(this.#sql, license) ?? noLicense
  }

  /** Adds a key; those before it work until `oldUntil`. */
  async rotateKey(
    by: Doing,
    license: string,
    key: { digest: string; prefix: string },
    oldUntil: string,
  ): Promise<NoLicense | Refused<'revoked'> | null> {
    const refused = this.ctx.storage.transactionSync(() => {
      const found = readLicense(this.#sql, license)
      if (!found) return noLicense
      if (found.state === 'revoked') return refuse('revoked', 'The licence is revoked; reinstate it first.')
      this.#sql.exec(
        'update license_key set until = min(coalesce(until, ?1), ?1) where license = ?2',
        oldUntil,
        license,
      )
      this.#addKey(license, key, by.at)
      note(this.#sql, by, 'rotate-key', license, `the old key works until ${oldUntil}`)
      this.#changed(license)
      return null
    })
    await this.#flush('wait')
    return refused
  }

  /**
   * A place for an install, if there is one. An install that has one keeps it; one that was silent for a month gives
   * its place up to a new one. Asked only by installs that the projection does not show.
   */
  async takeSeat(
    license: string,
    install: string,
    check: { at: string; keyDigest: string; version: string },
  ): Promise<boolean> {
    const now = new Date(check.at)
    const take = (): boolean | null => {
      const found = readLicense(this.#sql, license)
      if (!found) return false
      const seats = seatsOf(this.#sql, license)
      if (seats.some((s) => s.install === install)) return true
      if (seats.length >= (found.installs ?? MOST_SEATS)) return null
      this.#sql.exec(
        'insert into seat (license, install, since) values (?, ?, ?)',
        license,
        install,
        check.at,
      )
      this.#changed(license)
      return true
    }
    let seated = this.ctx.storage.transactionSync(take)
    if (seated === null) {
      const { installs } = await listSeen(this.env.LICENSES, license)
      // Looked at again: somebody may have taken or given up a place meanwhile.
      seated = this.ctx.storage.transactionSync(() => {
        const idle = seatsOf(this.#sql, license).find((s) => isSilentSince(s, installs, now))
        if (idle) this.#sql.exec('delete from seat where license = ? and install = ?', license, idle.install)
        return take()
      })
    }
    // At most one line an hour and licence: a crowd that is turned away does not fill the log.
    if (seated !== true)
      this.#sql.exec(
        `insert into validation (at, key_digest, verdict, version)
         select ?1, ?2, 'TOO_MANY_INSTALLS', ?3 where not exists
           (select 1 from validation where key_digest = ?2 and verdict = 'TOO_MANY_INSTALLS' and at > ?4)`,
        check.at,
        check.keyDigest,
        check.version,
        new Date(now.getTime() - 3_600_000).toISOString(),
      )
    await this.#flush('leave-to-alarm')
    return seated === true
  }

  async releaseInstall(
    by: Doing,
    license: string,
    install: string,
  ): Promise<NoLicense | Refused<'no-such-install'> | null> {
    const refused = this.ctx.storage.transactionSync(() => {
      if (!readLicense(this.#sql, license)) return noLicense
      if (!seatsOf(this.#sql, license).some((s) => s.install === install))
        return refuse('no-such-install', 'This licence has no such install.')
      this.#sql.exec('delete from seat where license = ? and install = ?', license, install)
      note(this.#sql, by, 'release-install', license, `install ${install}`)
      this.#changed(license)
      return null
    })
    await this.#flush('wait')
    return refused
  }

  /** A place for an install that will get a file, and the licence that the file is made of. */
  async fileFor(
    by: Doing,
    license: string,
    install: string,
  ): Promise<License | NoLicense | Refused<'revoked' | 'not-active' | 'no-install-left'>> {
    const found = readLicense(this.#sql, license)
    if (!found) return noLicense
    if (found.state === 'revoked') return refuse('revoked', 'The licence is revoked; reinstate it first.')
    if (found.state !== 'active' || found.expiresAt <= by.at)
      return refuse('not-active', 'The licence is suspended or over; a file of it would be worth nothing.')
    const outcome = this.ctx.storage.transactionSync(() => {
      const seats = seatsOf(this.#sql, license)
      if (!seats.some((s) => s.install === install)) {
        if (seats.length >= (found.installs ?? MOST_SEATS))
          return refuse('no-install-left', `All ${seats.length} installs of this licence are in use.`)
        this.#sql.exec('insert into seat (license, install, since) values (?, ?, ?)', license, install, by.at)
        this.#changed(license)
      }
      note(this.#sql, by, 'license-file', license, `install ${install}`)
      return found
    })
    await this.#flush('wait')
    return outcome
  }

  logValidation(line: { at: string; keyDigest: string; verdict: string; version: string }): void {
    this.#sql.exec(
      'insert into validation (at, key_digest, verdict, version) values (?, ?, ?, ?)',
      line.at,
      line.keyDigest,
      line.verdict,
      line.version,
    )
  }

  read(license: string): {
    row: LicenseRow
    keys: { prefix: string; since: string; until: string | null }[]
    seats: { install: string; since: string }[]
    audit: AuditRow[]
  } | null {
    const row = readRow(this.#sql, license)
    return (
      row && {
        row,
        keys: keysOf(this.#sql, license).map(({ prefix, since, until }) => ({ prefix, since, until })),
        seats: seatsOf(this.#sql, license),
        audit: listAudit(this.#sql, { license, limit: 100 }),
      }
    )
  }

  list(filter: LicenseFilter): { items: LicenseRow[]; total: number } {
    return listLicenses(this.#sql, filter)
  }

  audit(filter: { license?: string | undefined; before?: number | undefined; limit: number }): AuditRow[] {
    return listAudit(this.#sql, filter)
  }

  /** How licences stand, and each licence's tier. */
  standing(now: string): { licenses: FleetHealth['licenses']; tiers: [string, string][] } {
    const soon = new Date(Date.parse(now) + 30 * DAY_MS).toISOString()
    const [row] = this.#sql
      .exec<FleetHealth['licenses']>(
        `select count(*) filter (where state = 'active' and expires_at > ?1) as active,
           count(*) filter (where state = 'suspended') as suspended, count(*) filter (where state = 'revoked') as revoked,
           count(*) filter (where state = 'active' and expires_at > ?1 and expires_at <= ?2) as expiring,
           count(*) filter (where state = 'active' and expires_at <= ?1) as expired from license`,
        now,
        soon,
      )
      .toArray()
    const tiers = this.#sql
      .exec<{ license: string; tier: string }>('select license, tier from license')
      .toArray()
    return {
      licenses: { active: 0, suspended: 0, revoked: 0, expiring: 0, expired: 0, ...row },
      tiers: tiers.map((t) => [t.license, t.tier]),
    }
  }

  /** What is stored of an address, for the person behind it. */
  subject(by: Doing, email: string, emailDigest: string) {
    note(this.#sql, by, 'export-subject', null, 'a person’s data')
    const licenses = byContact(this.#sql, email)
    const mine = licenses.map((l) => l.license)
    return {
      licenses,
      trials: this.#sql
        .exec<{ at: string; license: string }>(
          'select at, license from trial where email_digest = ?',
          emailDigest,
        )
        .toArray(),
      notices: mine.flatMap((license) =>
        this.#sql
          .exec<{ at: string; license: string; kind: string }>(
            'select at, license, kind from notice where license = ? order by at',
            license,
          )
          .toArray(),
      ),
    }
  }

  /** Erases what names a person. Licences stay: somebody's install runs on them. */
  eraseSubject(
    by: Doing,
    email: string,
    emailDigest: string,
  ): { licenses: number; trials: number; notices: number } {
    return this.ctx.storage.transactionSync(() => {
      const licenses = byContact(this.#sql, email)
      let notices = 0
      for (const { license } of licenses) {
        const [told] = this.#sql
          .exec<{ n: number }>('select count(*) as n from notice where license = ?', license)
          .toArray()
        notices += told?.n ?? 0
        this.#sql.exec('delete from notice where license = ?', license)
      }
      this.#sql.exec('update license set contact = null, customer = null where contact = ?', email)
      const [trials] = this.#sql
        .exec<{ n: number }>('select count(*) as n from trial where email_digest = ?', emailDigest)
        .toArray()
      this.#sql.exec('delete from trial where email_digest = ?', emailDigest)
      note(this.#sql, by, 'erase-subject', null, `${licenses.length} licences, ${trials?.n ?? 0} trials`)
      return { licenses: licenses.length, trials: trials?.n ?? 0, notices }
    })
  }

  /** Notes that an address has had its trial; false if it had one within a year. */
  beginTrial(emailDigest: string, license: string, at: string): boolean {
    const aYearAgo = new Date(Date.parse(at) - RECORD_DAYS_AFTER_END * DAY_MS).toISOString()
    return this.ctx.storage.transactionSync(() => {
      const had = this.#sql
        .exec('select 1 as had from trial where email_digest = ? and at > ?', emailDigest, aYearAgo)
        .toArray()
      if (had.length > 0) return false
      this.#sql.exec(
        'insert into trial (email_digest, at, license) values (?, ?, ?)',
        emailDigest,
        at,
        license,
      )
      return true
    })
  }

  /** A mail that could not be sent: the address may ask again. */
  forgetTrial(license: string): void {
    this.#sql.exec('delete from trial where license = ?', license)
  }

  /** Claims the notices that are due, at most so many: a claimed one is sent once or given back. */
  claimNotices(now: string, most: number): { kind: NoticeKind; row: LicenseRow; contact: string }[] {
    return this.ctx.storage.transactionSync(() => {
      const until = new Date(Date.parse(now) + 31 * DAY_MS).toISOString()
      const claimed: { kind: NoticeKind; row: LicenseRow; contact: string }[] = []
      const due = this.#sql
        .exec<{ license: string; contact: string }>(
          `select license, contact from license where state = 'active' and contact is not null and expires_at < ?
           order by expires_at desc`,
          until,
        )
        .toArray()
      for (const { license, contact } of due) {
        if (claimed.length >= most) break
        const row = readRow(this.#sql, license)
        if (!row) continue
        const told = this.#sql
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
        this.#sql.exec(
          'insert into notice (license, expires_at, kind, at) values (?, ?, ?, ?)',
          license,
          row.expiresAt,
          kind,
          now,
        )
        claimed.push({ kind, row, contact })
      }
      return claimed
    })
  }

  giveBackNotice(license: string, expiresAt: string, kind: string): void {
    this.#sql.exec(
      'delete from notice where license = ? and expires_at = ? and kind = ?',
      license,
      expiresAt,
      kind,
    )
  }

  saveDay(day: TrendDay): void {
    this.#sql.exec(
      `insert into day (day, installs, totals) values (?, ?, ?)
       on conflict (day) do update set installs = excluded.installs, totals = excluded.totals`,
      day.day,
      day.installs,
      JSON.stringify(day.totals),
    )
  }

  trends(since: string): { day: string; installs: number; totals: string }[] {
    return this.#sql
      .exec<{ day: string; installs: number; totals: string }>(
        'select day, installs, totals from day where day >= ? order by day',
        since,
      )
      .toArray()
  }

  /** Removes what has been kept long enough. */
  async purge(now: string): Promise<{ validations: number; licenses: string[] }> {
    const before = (days: number) => new Date(Date.parse(now) - days * DAY_MS).toISOString()
    const gone = this.ctx.storage.transactionSync(() => {
      const [old] = this.#sql
        .exec<{ n: number }>('select count(*) as n from validation where at < ?', before(LOG_DAYS))
        .toArray()
      this.#sql.exec('delete from validation where at < ?', before(LOG_DAYS))
      this.#sql.exec('delete from day where day < ?', before(TREND_DAYS).slice(0, 10))
      this.#sql.exec('delete from trial where at < ?', before(RECORD_DAYS_AFTER_END))
      const ended = this.#sql
        .exec<{ license: string }>(
          'select license from license where min(expires_at, coalesce(revoked_at, expires_at)) < ? limit 500',
          before(RECORD_DAYS_AFTER_END),
        )
        .toArray()
        .map((r) => r.license)
      const oldKeys = this.#sql
        .exec<{ license: string }>('select distinct license from license_key where until < ?', now)
        .toArray()
      for (const { license } of oldKeys) this.#changed(license)
      for (const license of ended) {
        this.#changed(license)
        for (const table of ['license', 'license_key', 'seat', 'audit', 'notice', 'trial'])
          this.#sql.exec(`delete from ${table} where license = ?`, license)
      }
      this.#sql.exec('delete from license_key where until < ?', now)
      this.#sql.exec('delete from audit where license is null and at < ?', before(RECORD_DAYS_AFTER_END))
      return { validations: old?.n ?? 0, licenses: ended }
    })
    await this.#flush('wait')
    return gone
  }

  /** Goes on with what could not be projected at once. */
  async alarm(): Promise<void> {
    await this.#flush('wait')
  }

  #addKey(license: string, key: { digest: string; prefix: string }, at: string): void {
    this.#sql.exec(
      'insert into license_key (digest, license, prefix, since, until) values (?, ?, ?, ?, null)',
      key.digest,
      license,
      key.prefix,
      at,
    )
  }

  /** Marks every key of a licence as to be projected. In the transaction of the change itself. */
  #changed(license: string): void {
    this.#sql.exec(
      `insert into pending (digest, change, put_at) select digest, 1, 0 from license_key where license = ?
       on conflict (digest) do update set change = pending.change + 1`,
      license,
    )
  }

  /**
   * Projects what is pending, one flush at a time: writes of one name must not overtake each other. A vendor's edit
   * waits the second that KV asks for between two writes, so that its answer means that it is done; an install does not.
   */
  async #flush(patience: 'wait' | 'leave-to-alarm'): Promise<void> {
    // Whoever comes while a flush runs waits for it and for the next, which sees the newest change.
    while (this.#flushing) await this.#flushing
    this.#flushing = this.#project(patience).finally(() => {
      this.#flushing = null
    })
    await this.#flushing
  }

  async #project(patience: 'wait' | 'leave-to-alarm'): Promise<void> {
    const pending = this.#sql
      .exec<{ digest: string; change: number; put_at: number }>(
        'select digest, change, put_at from pending where change > 0 order by digest limit ?',
        MOST_PUTS,
      )
      .toArray()
    let left = pending.length === MOST_PUTS
    for (const { digest, put_at: putAt } of pending) {
      const waitMs = putAt + PUT_EVERY_MS - Date.now()
      if (waitMs > 0 && patience === 'leave-to-alarm') {
        left = true
        continue
      }
      if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs))
      // Read right before the write, so that it always writes the newest.
      const [now] = this.#sql
        .exec<{ change: number; license: string | null; until: string | null }>(
          `select p.change, k.license, k.until from pending p left join license_key k on k.digest = p.digest
           where p.digest = ?`,
          digest,
        )
        .toArray()
      if (!now) continue
      try {
        await this.#put(digest, now.license, now.until)
      } catch (error) {
        // oxlint-disable-next-line no-console -- the only log there is: a name, never what it was about
        console.error('not projected yet', error instanceof Error ? error.name : 'unknown')
        this.#sql.exec('update pending set put_at = ? where digest = ?', Date.now(), digest)
        left = true
        continue
      }
      if (now.license === null) {
        // Of a key that is no more, no trace is left.
        this.#sql.exec('delete from pending where digest = ? and change = ?', digest, now.change)
        continue
      }
      // A change that came while we wrote stays pending; one that did not leaves the time of this write behind.
      this.#sql.exec(
        'update pending set change = change - ?, put_at = ? where digest = ?',
        now.change,
        Date.now(),
        digest,
      )
      const [still] = this.#sql
        .exec<{ change: number }>('select change from pending where digest = ?', digest)
        .toArray()
      left ||= (still?.change ?? 0) > 0
    }
    this.#sql.exec('delete from pending where change = 0 and put_at < ?', Date.now() - 60_000)
    if (left && (await this.ctx.storage.getAlarm()) === null)
      await this.ctx.storage.setAlarm(Date.now() + PUT_EVERY_MS)
  }

  async #put(digest: string, license: string | null, until: string | null): Promise<void> {
    const kv = this.env.LICENSES
    const found = license === null ? null : readLicense(this.#sql, license)
    const projection =
      found &&
      projectionOf(
        found,
        seatsOf(this.#sql, found.license).map((s) => s.install),
      )
    const lastSecond = until === null ? null : Math.floor(Date.parse(until) / 1000)
    // KV keeps nothing for less than a minute.
    if (!projection || (lastSecond !== null && lastSecond < Date.now() / 1000 + 60))
      return kv.delete(recordName(digest))
    return kv.put(
      recordName(digest),
      JSON.stringify(projection),
      lastSecond === null ? {} : { expiration: lastSecond },
    )
  }
}
