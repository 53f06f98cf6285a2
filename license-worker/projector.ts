import { readLicense, seatsOf } from './licenses.ts'
import { projectionOf, recordName } from './projection.ts'

/** KV takes one write a second of a name. */
const PUT_EVERY_MS = 1100
/** A flush writes at most so many names before it leaves the rest to the alarm. */
const MOST_PUTS = 100

/**
 * Carries what licence checks need from the registry to KV, behind a list of what is pending: a change is on it in
 * the change's own transaction, so that none stays unseen, whatever becomes of a write.
 */
export class Projector {
  readonly #storage: DurableObjectState['storage']
  readonly #kv: KVNamespace
  #flushing: Promise<void> | null = null

  constructor(storage: DurableObjectState['storage'], kv: KVNamespace) {
    this.#storage = storage
    this.#kv = kv
  }

  get #sql(): SqlStorage {
    return this.#storage.sql
  }

  /** Marks every key of a licence as to be projected. In the transaction of the change itself. */
  changed(license: string): void {
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
  async flush(patience: 'wait' | 'leave-to-alarm'): Promise<void> {
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
    if (left && (await this.#storage.getAlarm()) === null)
      await this.#storage.setAlarm(Date.now() + PUT_EVERY_MS)
  }

  async #put(digest: string, license: string | null, until: string | null): Promise<void> {
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
      return this.#kv.delete(recordName(digest))
    return this.#kv.put(
      recordName(digest),
      JSON.stringify(projection),
      lastSecond === null ? {} : { expiration: lastSecond },
    )
  }
}
