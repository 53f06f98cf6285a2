import { DurableObject } from 'cloudflare:workers'
import type { AuditRow, LicenseRow, Standing, TrendDay } from '@attestry/contracts/http'
import { isSilentSince, listSeen, MOST_SEATS } from './fleet.ts'
import { changeOf, decide, type License, type Wish, type WishRefusal } from './license.ts'
import {
  countStandings,
  type Doing,
  keysOf,
  type LicenseFilter,
  listAudit,
  listLicenses,
  note,
  readLicense,
  readRow,
  readTitles,
  seatsOf,
  writeLicense,
} from './licenses.ts'
import { type MarkReused, noteDone, wasDone } from './once.ts'
import { beginTrial, eraseSubject, forgetTrial, readSubject } from './people.ts'
import { isRefused, refuse, type Refused } from './problem.ts'
import { Projector } from './projector.ts'
import { STEPS } from './registry-schema.ts'
import { claimNotices, type DueNotice, giveBackNotice, purge, readTrends, saveDay } from './upkeep.ts'

type NoLicense = Refused<'no-such-license'>
const noLicense: NoLicense = refuse('no-such-license', 'There is no such licence.')
const isRevoked = refuse('revoked', 'The licence is revoked; reinstate it first.')
const toldBefore = refuse(
  'key-told-before',
  'This was carried out before, and its key cannot be told again; give the licence a new key.',
)

/** What is stored of a key. */
interface StoredKey {
  readonly digest: string
  readonly prefix: string
}

/**
 * The one place where licences, their keys and their places are changed, one change after the other: KV alone would
 * lose all but the last of two edits. What licence checks need is projected to KV (projector.ts).
 */
export class Registry extends DurableObject {
  readonly #projector: Projector

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#projector = new Projector(ctx.storage, env.LICENSES)
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

  /**
   * Carries out what a vendor asks, in one transaction, and projects it before it answers. What was carried out
   * before is not carried out again: then the outcome is null, as if nothing had stood against it.
   */
  async #once<R extends Refused>(by: Doing, work: () => R | null): Promise<R | MarkReused | null> {
    const outcome = this.ctx.storage.transactionSync(() => {
      const done = wasDone(this.#sql, by)
      if (done !== false) return done === true ? null : done
      const refused = work()
      if (!refused) noteDone(this.#sql, by)
      return refused
    })
    await this.#projector.flush('wait')
    return outcome
  }

  /** Issues a licence under the digest of its key; answers the licence, which is an earlier one for a repetition. */
  async issue(
    by: Doing,
    license: License,
    key: StoredKey,
  ): Promise<string | MarkReused | Refused<'key-told-before'>> {
    const refused = await this.#once<typeof toldBefore>(by, () => {
      if (this.#licenseOf(key.digest) !== null) return toldBefore
      writeLicense(this.#sql, license, by.at)
      this.#addKey(license.license, key, by.at)
      note(this.#sql, by, 'issue', license.license, `${license.tier} until ${license.expiresAt.slice(0, 10)}`)
      this.#projector.changed(license.license)
      return null
    })
    return refused ?? this.#licenseOf(key.digest) ?? toldBefore
  }

  /** Carries out a vendor's wish, or refuses it. */
  async change(
    by: Doing,
    license: string,
    wish: Wish,
    reason: string | null,
  ): Promise<LicenseRow | NoLicense | MarkReused | Refused<WishRefusal>> {
    const refused = await this.#once<NoLicense | Refused<WishRefusal>>(by, () => {
      const before = readLicense(this.#sql, license)
      if (!before) return noLicense
      const after = decide(before, wish)
      if (isRefused(after)) return after
      writeLicense(this.#sql, after, by.at)
      const why = reason === null ? '' : ` (${reason})`
      note(this.#sql, by, wish.do, license, `${changeOf(before, after)}${why}`)
      this.#projector.changed(license)
      return null
    })
    return refused ?? readRow(this.#sql, license) ?? noLicense
  }

  /** Adds a key; those before it work until `oldUntil`. Answers until when they do, which a repetition hears again. */
  async rotateKey(
    by: Doing,
    license: string,
    key: StoredKey,
    oldUntil: string,
  ): Promise<string | NoLicense | MarkReused | Refused<'revoked' | 'key-told-before'>> {
    const refused = await this.#once<NoLicense | typeof isRevoked | typeof toldBefore>(by, () => {
      const found = readLicense(this.#sql, license)
      if (!found) return noLicense
      if (found.state === 'revoked') return isRevoked
      if (this.#licenseOf(key.digest) !== null) return toldBefore
      this.#sql.exec(
        'update license_key set until = min(coalesce(until, ?1), ?1) where license = ?2',
        oldUntil,
        license,
      )
      this.#addKey(license, key, by.at)
      note(this.#sql, by, 'rotate-key', license, `the old key works until ${oldUntil.slice(0, 10)}`)
      this.#projector.changed(license)
      return null
    })
    if (refused) return refused
    if (this.#licenseOf(key.digest) === null) return toldBefore
    const [last] = this.#sql
      .exec<{ until: string | null }>(
        'select max(until) as until from license_key where license = ?',
        license,
      )
      .toArray()
    return last?.until ?? oldUntil
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
      this.#seat(license, install, check.at)
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
    await this.#projector.flush('leave-to-alarm')
    return seated === true
  }

  async releaseInstall(
    by: Doing,
    license: string,
    install: string,
  ): Promise<NoLicense | MarkReused | Refused<'no-such-install'> | null> {
    return this.#once<NoLicense | Refused<'no-such-install'>>(by, () => {
      if (!readLicense(this.#sql, license)) return noLicense
      if (!seatsOf(this.#sql, license).some((s) => s.install === install))
        return refuse('no-such-install', 'This licence has no such install.')
      this.#sql.exec('delete from seat where license = ? and install = ?', license, install)
      note(this.#sql, by, 'release-install', license, `install ${install}`)
      this.#projector.changed(license)
      return null
    })
  }

  /** A place for an install that will get a file, and the licence that the file is made of. */
  async fileFor(
    by: Doing,
    license: string,
    install: string,
  ): Promise<License | NoLicense | MarkReused | Refused<'revoked' | 'not-active' | 'no-install-left'>> {
    const refused = await this.#once<NoLicense | Refused<'revoked' | 'not-active' | 'no-install-left'>>(
      by,
      () => {
        const found = readLicense(this.#sql, license)
        if (!found) return noLicense
        if (found.state === 'revoked') return isRevoked
        if (found.state !== 'active' || found.expiresAt <= by.at)
          return refuse(
            'not-active',
            'The licence is suspended or over; a file of it would be worth nothing.',
          )
        const seats = seatsOf(this.#sql, license)
        if (!seats.some((s) => s.install === install)) {
          if (seats.length >= (found.installs ?? MOST_SEATS))
            return refuse('no-install-left', `All ${seats.length} installs of this licence are in use.`)
          this.#seat(license, install, by.at)
        }
        note(this.#sql, by, 'license-file', license, `install ${install}`)
        return null
      },
    )
    return refused ?? readLicense(this.#sql, license) ?? noLicense
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

  /** Tier and customer of these licences. */
  titles(licenses: readonly string[]): ReturnType<typeof readTitles> {
    return readTitles(this.#sql, licenses)
  }

  audit(filter: { license?: string | undefined; before?: number | undefined; limit: number }): AuditRow[] {
    return listAudit(this.#sql, filter)
  }

  /** How licences stand, and each licence's tier. */
  standing(now: string): { licenses: Record<Standing, number>; tiers: [string, string][] } {
    const tiers = this.#sql
      .exec<{ license: string; tier: string }>('select license, tier from license')
      .toArray()
    return { licenses: countStandings(this.#sql, now), tiers: tiers.map((t) => [t.license, t.tier]) }
  }

  subject(by: Doing, email: string, emailDigest: string): ReturnType<typeof readSubject> {
    return readSubject(this.#sql, by, email, emailDigest)
  }

  eraseSubject(by: Doing, email: string, emailDigest: string): ReturnType<typeof eraseSubject> {
    return this.ctx.storage.transactionSync(() => eraseSubject(this.#sql, by, email, emailDigest))
  }

  beginTrial(emailDigest: string, license: string, at: string): boolean {
    return this.ctx.storage.transactionSync(() => beginTrial(this.#sql, emailDigest, license, at))
  }

  forgetTrial(license: string): void {
    forgetTrial(this.#sql, license)
  }

  claimNotices(now: string, most: number): DueNotice[] {
    return this.ctx.storage.transactionSync(() => claimNotices(this.#sql, now, most))
  }

  giveBackNotice(license: string, expiresAt: string, kind: string): void {
    giveBackNotice(this.#sql, license, expiresAt, kind)
  }

  saveDay(day: TrendDay): void {
    saveDay(this.#sql, day)
  }

  trends(since: string): ReturnType<typeof readTrends> {
    return readTrends(this.#sql, since)
  }

  /** Removes what has been kept long enough. */
  async purge(now: string): Promise<{ validations: number; licenses: string[] }> {
    const gone = this.ctx.storage.transactionSync(() =>
      purge(this.#sql, now, (license) => this.#projector.changed(license)),
    )
    await this.#projector.flush('wait')
    return gone
  }

  /** Goes on with what could not be projected at once. */
  async alarm(): Promise<void> {
    await this.#projector.flush('wait')
  }

  #addKey(license: string, key: StoredKey, at: string): void {
    this.#sql.exec(
      'insert into license_key (digest, license, prefix, since, until) values (?, ?, ?, ?, null)',
      key.digest,
      license,
      key.prefix,
      at,
    )
  }

  #seat(license: string, install: string, at: string): void {
    this.#sql.exec('insert into seat (license, install, since) values (?, ?, ?)', license, install, at)
    this.#projector.changed(license)
  }

  /** The licence that a key is of, by the key's digest. */
  #licenseOf(digest: string): string | null {
    const [key] = this.#sql
      .exec<{ license: string }>('select license from license_key where digest = ?', digest)
      .toArray()
    return key?.license ?? null
  }
}
