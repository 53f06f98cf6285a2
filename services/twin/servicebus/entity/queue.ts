import { Refusal } from '../refusal.ts'
import type { Arrival, Delivery, Held } from './delivery.ts'
import { amended, type Message, type Value } from './message.ts'
import { Order } from './order.ts'
import { type SessionLock, Sessions } from './session.ts'

/** How one queue or subscription behaves. Durations are milliseconds. */
export interface QueueSettings {
  readonly name: string
  readonly lockDuration: number
  readonly maxDeliveryCount: number
  readonly requiresSession: boolean
  readonly timeToLive: number
  readonly deadLetterOnExpiration: boolean
  /** How long a message id is remembered; undefined: no duplicate detection. */
  readonly duplicateWindow: number | undefined
  /** Bytes held at most; further messages are refused. */
  readonly maxBytes: number
}

/** Where time and lock tokens come from. */
export interface QueueSources {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A fresh UUID. */
  readonly newToken: () => string
}

type Changes = Readonly<Record<string, Value>> | undefined

interface Lock {
  readonly token: string
  readonly session: SessionLock | undefined
  until: number
}

interface Entry {
  readonly sequence: number
  readonly enqueuedSequence: number | undefined
  readonly enqueuedAt: number
  readonly expiresAt: number
  readonly deadLetterSource: string | undefined
  message: Message
  deliveryCount: number
  state: 'active' | 'deferred' | 'scheduled'
  visibleAt: number
  lock: Lock | undefined
}

const NO_SESSION = ''

/**
 * The messages of one queue, subscription or dead-letter queue with their locks. Pure memory: time and tokens
 * are given, nothing is awaited. Time passes only in `sweep`, due no later than `deadline`, and lazily wherever a
 * lock is used, so that a late sweep never lets a lapsed lock settle.
 */
export class Queue {
  readonly settings: QueueSettings
  readonly deadLetters: Queue | undefined
  readonly #sources: QueueSources
  readonly #entries = new Map<number, Entry>()
  readonly #locked = new Map<string, Entry>()
  readonly #scheduled = new Set<Entry>()
  readonly #ready = new Map<string, Order>()
  readonly #sessions: Sessions
  readonly #seen = new Map<string, number>()
  #sequence = 0
  #bytes = 0
  #deadline = Infinity

  constructor(settings: QueueSettings, sources: QueueSources, deadLetters?: Queue) {
    this.settings = settings
    this.deadLetters = deadLetters
    this.#sources = sources
    this.#sessions = new Sessions(settings.lockDuration)
  }

  get size(): number {
    return this.#entries.size
  }

  /** No later than this moment `sweep` should run; Infinity: nothing waits for time. */
  get deadline(): number {
    return this.#deadline
  }

  /** @throws Refusal when the entity cannot take this message: no session id, or full. */
  check(message: Message): void {
    if (this.settings.requiresSession && message.sessionId === undefined)
      throw new Refusal(
        'amqp:not-allowed',
        `The SessionId was not set on a message, and it cannot be sent to the entity '${this.settings.name}'. Entities that have session support enabled can only receive messages that have the SessionId set to a valid value.`,
      )
    if (this.#bytes + message.bytes > this.settings.maxBytes)
      throw new Refusal(
        'amqp:resource-limit-exceeded',
        `The maximum entity size of '${this.settings.name}' (${this.settings.maxBytes} bytes) has been reached.`,
      )
  }

  /**
   * Stores a message and returns its sequence number. A duplicate within the window gets a number and is
   * dropped, as the real broker does. @throws Refusal as `check`.
   */
  enqueue(message: Message, arrival: Arrival = {}): number {
    this.check(message)
    const now = this.#sources.now()
    const sequence = ++this.#sequence
    if (this.#isDuplicate(message, now)) return sequence
    const scheduled = arrival.scheduledFor !== undefined && arrival.scheduledFor > now
    const visibleAt = scheduled ? (arrival.scheduledFor ?? now) : now
    const entry: Entry = {
      sequence,
      enqueuedSequence: arrival.enqueuedSequence,
      enqueuedAt: visibleAt,
      expiresAt: visibleAt + Math.min(message.timeToLive ?? Infinity, this.settings.timeToLive),
      deadLetterSource: arrival.deadLetterSource,
      message,
      deliveryCount: 0,
      state: scheduled ? 'scheduled' : 'active',
      visibleAt,
      lock: undefined,
    }
    this.#entries.set(sequence, entry)
    this.#bytes += message.bytes
    this.#await(entry.expiresAt)
    if (scheduled) {
      this.#scheduled.add(entry)
      this.#await(visibleAt)
    } else this.#offer(entry)
    return sequence
  }

  /** Removes scheduled messages. @throws Refusal `message-not-found` when one is not (or no longer) scheduled. */
  cancel(sequences: readonly number[]): void {
    const entries = sequences.map((sequence) => {
      const entry = this.#entries.get(sequence)
      if (entry?.state !== 'scheduled')
        throw new Refusal(
          'com.microsoft:message-not-found',
          `No scheduled message has the number ${sequence}.`,
        )
      return entry
    })
    for (const entry of entries) this.#remove(entry)
  }

  /** The next message, locked; of the given session where the entity has sessions. */
  take(session?: SessionLock): Delivery | undefined {
    const entry = this.#next(session)
    return entry && this.#lock(entry, session)
  }

  /** The next message, removed at once. */
  takeAndDelete(session?: SessionLock): Held | undefined {
    const entry = this.#next(session)
    if (entry) this.#remove(entry)
    return entry
  }

  /** Deferred messages by number. @throws Refusal `message-not-found` when one is not deferred or is locked. */
  takeDeferred(
    sequences: readonly number[],
    mode: 'lock' | 'delete',
    session?: SessionLock,
  ): (Held & Partial<Pick<Delivery, 'token' | 'lockedUntil'>>)[] {
    if (session) this.#sessions.check(session, this.#sources.now())
    const entries = sequences.map((sequence) => {
      const entry = this.#entries.get(sequence)
      const ours = !this.settings.requiresSession || entry?.message.sessionId === session?.id
      if (entry?.state !== 'deferred' || !ours || this.#isLocked(entry))
        throw new Refusal(
          'com.microsoft:message-not-found',
          `No deferred message has the number ${sequence}.`,
        )
      return entry
    })
    return entries.map((entry) => {
      if (mode === 'lock') return this.#lock(entry, session)
      this.#remove(entry)
      return entry
    })
  }

  /** @throws Refusal `message-lock-lost` or `session-lock-lost`, as do all that take a token. */
  complete(token: string): void {
    this.#remove(this.#holder(token))
  }

  /** Gives the message back, counted as a delivery; at the maximum it is dead-lettered. */
  abandon(token: string, changes?: Changes): void {
    const entry = this.#holder(token)
    entry.message = amended(entry.message, changes)
    this.#release(entry, true)
  }

  /** Sets the message aside until it is asked for by number. */
  defer(token: string, changes?: Changes): void {
    const entry = this.#holder(token)
    entry.message = amended(entry.message, changes)
    this.#unlock(entry)
    entry.state = 'deferred'
  }

  deadLetter(token: string, reason?: string, description?: string, changes?: Changes): void {
    const entry = this.#holder(token)
    this.#bury(entry, {
      ...changes,
      ...(reason === undefined ? {} : { DeadLetterReason: reason }),
      ...(description === undefined ? {} : { DeadLetterErrorDescription: description }),
    })
  }

  /** Extends the lock of a message and returns its new end in milliseconds since the epoch. */
  renew(token: string): number {
    const lock = this.#holder(token).lock
    if (lock === undefined) throw lockLost()
    lock.until = this.#sources.now() + this.settings.lockDuration
    return lock.until
  }

  /** Messages from a sequence number on, in order, whatever their state; nothing is locked. */
  peek(from: number, count: number, session?: string): Held[] {
    const now = this.#sources.now()
    const found: Held[] = []
    for (const entry of this.#entries.values()) {
      if (found.length >= count) break
      if (entry.sequence < from || entry.expiresAt <= now) continue
      if (session === undefined || entry.message.sessionId === session) found.push(entry)
    }
    return found
  }

  /**
   * Locks a session: the one named, or the first unlocked one that has messages. Undefined: none is free.
   * @throws Refusal `session-cannot-be-locked` when the one named is held.
   */
  acceptSession(id: string | undefined): SessionLock | undefined {
    const now = this.#sources.now()
    const free = id ?? this.#freeSession(now)
    if (free === undefined) return undefined
    const lock = this.#sessions.accept(free, now)
    this.#await(lock.until)
    return lock
  }

  renewSession(lock: SessionLock): number {
    return this.#sessions.renew(lock, this.#sources.now())
  }

  /** Ends a hold by the receiver's own wish: its messages come back uncounted. */
  releaseSession(lock: SessionLock): void {
    this.#sessions.release(lock)
    for (const entry of this.#heldBy(lock)) this.#release(entry, false)
  }

  sessionState(lock: SessionLock): Uint8Array | undefined {
    this.#sessions.check(lock, this.#sources.now())
    return this.#sessions.state(lock.id)
  }

  setSessionState(lock: SessionLock, state: Uint8Array | undefined): void {
    this.#sessions.check(lock, this.#sources.now())
    this.#sessions.setState(lock.id, state, this.#sources.now())
  }

  /** Ids of sessions that have messages, or whose state was set since `since`. */
  sessionIds(since: number): string[] {
    const ids = new Set(this.#sessions.updatedSince(since))
    for (const { message } of this.#entries.values())
      if (message.sessionId !== undefined) ids.add(message.sessionId)
    return [...ids]
  }

  /** Lets time pass: lapsed locks, due schedules, expired messages. Returns the session locks that were lost. */
  sweep(): SessionLock[] {
    const now = this.#sources.now()
    if (now < this.#deadline) return []
    for (const entry of this.#scheduled) if (entry.visibleAt <= now) this.#surface(entry)
    const lost = this.#sessions.expire(now)
    for (const lock of lost) for (const entry of this.#heldBy(lock)) this.#release(entry, true)
    for (const entry of this.#locked.values())
      if (entry.lock && !entry.lock.session && entry.lock.until <= now) this.#release(entry, true)
    for (const entry of this.#entries.values()) if (entry.expiresAt <= now && !entry.lock) this.#expire(entry)
    this.#deadline = this.#sessions.deadline
    for (const entry of this.#scheduled) this.#await(entry.visibleAt)
    for (const { lock } of this.#locked.values()) if (lock && !lock.session) this.#await(lock.until)
    for (const entry of this.#entries.values()) if (!entry.lock) this.#await(entry.expiresAt)
    return lost
  }

  #await(moment: number): void {
    if (moment < this.#deadline) this.#deadline = moment
  }

  #isDuplicate(message: Message, now: number): boolean {
    const window = this.settings.duplicateWindow
    if (window === undefined || message.messageId === undefined) return false
    for (const [id, until] of this.#seen) {
      if (until > now) break
      this.#seen.delete(id)
    }
    if (this.#seen.has(message.messageId)) return true
    this.#seen.set(message.messageId, now + window)
    return false
  }

  #offer(entry: Entry): void {
    const key = this.settings.requiresSession ? (entry.message.sessionId ?? NO_SESSION) : NO_SESSION
    let order = this.#ready.get(key)
    if (order === undefined) {
      order = new Order()
      this.#ready.set(key, order)
    }
    order.push(entry.sequence)
  }

  /** The head of a line, with what is gone, locked or expired since it was offered taken off first. */
  #head(key: string, now: number): Entry | undefined {
    const order = this.#ready.get(key)
    for (let sequence = order?.first(); sequence !== undefined; sequence = order?.first()) {
      const entry = this.#entries.get(sequence)
      if (entry?.state === 'active' && !entry.lock) {
        if (entry.expiresAt > now) return entry
        this.#expire(entry)
      }
      order?.shift()
    }
    this.#ready.delete(key)
    return undefined
  }

  #next(session: SessionLock | undefined): Entry | undefined {
    const now = this.#sources.now()
    if (session && (session.lost || session.until <= now)) return undefined
    const key = session?.id ?? NO_SESSION
    const entry = this.#head(key, now)
    if (entry) this.#ready.get(key)?.shift()
    return entry
  }

  #freeSession(now: number): string | undefined {
    for (const id of this.#ready.keys()) if (!this.#sessions.isHeld(id, now) && this.#head(id, now)) return id
    return undefined
  }

  #lock(entry: Entry, session: SessionLock | undefined): Delivery {
    const until = session?.until ?? this.#sources.now() + this.settings.lockDuration
    const token = this.#sources.newToken()
    entry.lock = { token, session, until }
    this.#locked.set(token, entry)
    if (!session) this.#await(until)
    return { ...entry, token, lockedUntil: until }
  }

  #isLocked(entry: Entry): boolean {
    return entry.lock !== undefined && (entry.lock.session?.until ?? entry.lock.until) > this.#sources.now()
  }

  #holder(token: string): Entry {
    const entry = this.#locked.get(token)
    if (entry?.lock?.session) this.#sessions.check(entry.lock.session, this.#sources.now())
    if (entry === undefined || !this.#isLocked(entry)) throw lockLost()
    return entry
  }

  #heldBy(lock: SessionLock): Entry[] {
    return [...this.#locked.values()].filter((entry) => entry.lock?.session === lock)
  }

  #unlock(entry: Entry): void {
    if (entry.lock) this.#locked.delete(entry.lock.token)
    entry.lock = undefined
    this.#await(entry.expiresAt)
  }

  #release(entry: Entry, counted: boolean): void {
    this.#unlock(entry)
    if (counted) entry.deliveryCount++
    if (this.deadLetters && entry.deliveryCount >= this.settings.maxDeliveryCount)
      this.#bury(entry, {
        DeadLetterReason: 'MaxDeliveryCountExceeded',
        DeadLetterErrorDescription: `Message could not be consumed after ${entry.deliveryCount} delivery attempts.`,
      })
    else if (entry.state === 'active') this.#offer(entry)
  }

  #surface(entry: Entry): void {
    this.#scheduled.delete(entry)
    entry.state = 'active'
    this.#offer(entry)
  }

  #expire(entry: Entry): void {
    if (this.settings.deadLetterOnExpiration)
      this.#bury(entry, {
        DeadLetterReason: 'TTLExpiredException',
        DeadLetterErrorDescription: 'The message expired and was dead lettered.',
      })
    else this.#remove(entry)
  }

  /** Moves a message to the dead-letter queue; inside one there is no further, so it is given back. */
  #bury(entry: Entry, changes: Readonly<Record<string, Value>>): void {
    this.#remove(entry)
    const target = this.deadLetters ?? this
    target.enqueue(amended(entry.message, changes), {
      enqueuedSequence: entry.enqueuedSequence ?? entry.sequence,
      deadLetterSource: entry.deadLetterSource ?? this.settings.name,
    })
  }

  #remove(entry: Entry): void {
    if (entry.lock) this.#locked.delete(entry.lock.token)
    this.#scheduled.delete(entry)
    if (this.#entries.delete(entry.sequence)) this.#bytes -= entry.message.bytes
  }
}

function lockLost(): Refusal {
  return new Refusal(
    'com.microsoft:message-lock-lost',
    'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
  )
}
