import { Refusal } from '../refusal.ts'

/** The exclusive hold of one receiver on one session. It is lost once `until` has passed or `lost` is set. */
export interface SessionLock {
  readonly id: string
  until: number
  lost: boolean
}

interface Session {
  lock: SessionLock | undefined
  state: Uint8Array | undefined
  updatedAt: number
}

/**
 * The sessions of one entity: who holds which, until when, and the state kept beside them.
 * https://learn.microsoft.com/azure/service-bus-messaging/message-sessions
 */
export class Sessions {
  readonly #sessions = new Map<string, Session>()
  readonly #lockDuration: number

  /** @param lockDuration milliseconds. */
  constructor(lockDuration: number) {
    this.#lockDuration = lockDuration
  }

  isHeld(id: string, now: number): boolean {
    const lock = this.#sessions.get(id)?.lock
    return lock !== undefined && !lock.lost && lock.until > now
  }

  /** @throws Refusal `session-cannot-be-locked` when another receiver holds it. */
  accept(id: string, now: number): SessionLock {
    if (this.isHeld(id, now))
      throw new Refusal(
        'com.microsoft:session-cannot-be-locked',
        `The requested session '${id}' cannot be accepted. It may be locked by another receiver.`,
      )
    const session = this.#session(id, now)
    session.lock = { id, until: now + this.#lockDuration, lost: false }
    return session.lock
  }

  /** Extends the lock and returns its new end. @throws Refusal `session-lock-lost`. */
  renew(lock: SessionLock, now: number): number {
    this.check(lock, now)
    lock.until = now + this.#lockDuration
    return lock.until
  }

  /** @throws Refusal `session-lock-lost` unless the lock still holds. */
  check(lock: SessionLock, now: number): void {
    if (lock.lost || lock.until <= now)
      throw new Refusal(
        'com.microsoft:session-lock-lost',
        `The session lock was lost. Request a new session receiver. SessionId: ${lock.id}`,
      )
  }

  release(lock: SessionLock): void {
    lock.lost = true
    const session = this.#sessions.get(lock.id)
    if (session?.lock === lock) session.lock = undefined
    this.#forget(lock.id)
  }

  /** The locks whose time has passed, marked lost and taken away. */
  expire(now: number): SessionLock[] {
    const expired: SessionLock[] = []
    for (const session of this.#sessions.values()) {
      const lock = session.lock
      if (lock !== undefined && lock.until <= now) expired.push(lock)
    }
    for (const lock of expired) this.release(lock)
    return expired
  }

  /** The next moment at which a lock may expire. */
  get deadline(): number {
    let soonest = Infinity
    for (const { lock } of this.#sessions.values()) if (lock && lock.until < soonest) soonest = lock.until
    return soonest
  }

  state(id: string): Uint8Array | undefined {
    return this.#sessions.get(id)?.state
  }

  /** Keeps `state` beside the session; undefined clears it. */
  setState(id: string, state: Uint8Array | undefined, now: number): void {
    const session = this.#session(id, now)
    session.state = state
    session.updatedAt = now
    this.#forget(id)
  }

  /** Ids of sessions with a state set since `since` (milliseconds since the epoch), oldest first. */
  updatedSince(since: number): string[] {
    return [...this.#sessions]
      .filter(([, s]) => s.state !== undefined && s.updatedAt > since)
      .map(([id]) => id)
  }

  #session(id: string, now: number): Session {
    let session = this.#sessions.get(id)
    if (session === undefined) {
      session = { lock: undefined, state: undefined, updatedAt: now }
      this.#sessions.set(id, session)
    }
    return session
  }

  #forget(id: string): void {
    const session = this.#sessions.get(id)
    if (session && session.lock === undefined && session.state === undefined) this.#sessions.delete(id)
  }
}
