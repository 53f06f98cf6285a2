import type { Delivery, EventContext, Sender } from 'rhea'
import * as z from 'zod'
import type { Queue } from './entity/queue.ts'
import type { SessionLock } from './entity/session.ts'
import { answerSender, Credit, hold, isAttached, letGo, refuse, settle } from './link.ts'
import { Refusal } from './refusal.ts'
import type { Clock, Station, Waiting } from './station.ts'
import { tagOf, ticks, tokenOfTag, writeMessage } from './wire.ts'

const SESSION_FILTER = 'com.microsoft:session-filter'
const DEFAULT_SESSION_WAIT = 60_000
const LONGEST_SESSION_WAIT = 600_000

const map = z.record(z.string(), z.unknown())
const Rejected = z.object({
  error: z
    .object({ info: map.nullish() })
    .transform(({ info }) => info ?? {})
    .nullish(),
})
const Modified = z.object({ undeliverable_here: z.boolean().nullish(), message_annotations: map.nullish() })
const value = z.union([z.string(), z.number(), z.boolean(), z.date(), z.instanceof(Uint8Array)])

/** The application properties in a map that a peer sent; what is no such value is left out. */
export function changesIn(given: Readonly<Record<string, unknown>>): Record<string, z.output<typeof value>> {
  const changes: Record<string, z.output<typeof value>> = {}
  for (const [key, each] of Object.entries(given)) {
    const parsed = value.safeParse(each)
    if (parsed.success) changes[key] = parsed.data
  }
  return changes
}

/** Attaches a receiver to a queue: at once, or once it has its session. */
export function openOutlet(sender: Sender, station: Station, clock: Clock): Outlet | undefined {
  const filter: unknown = sender.source?.filter
  const wanted =
    typeof filter === 'object' && filter !== null && SESSION_FILTER in filter ? filter : undefined
  const { name, requiresSession } = station.queue.settings
  if (requiresSession !== (wanted !== undefined)) {
    refuse(
      sender,
      new Refusal(
        'amqp:not-allowed',
        requiresSession
          ? `It is not possible for an entity that requires sessions to create a non-sessionful message receiver. Entity: '${name}'.`
          : `A sessionful message receiver cannot be created on an entity that does not require sessions. Entity: '${name}'.`,
      ),
    )
    return undefined
  }
  const outlet = new Outlet(sender, station)
  if (wanted === undefined) outlet.open(undefined)
  else outlet.awaitSession(wanted[SESSION_FILTER], clock)
  return outlet
}

/** A receiver of a queue: hands it messages while it has credit, and settles what it answers. */
export class Outlet implements Waiting {
  readonly #sender: Sender
  readonly #station: Station
  readonly #queue: Queue
  readonly #credit: Credit
  #session: SessionLock | undefined
  #giveUp: (() => void) | undefined
  #open = false

  constructor(sender: Sender, station: Station) {
    this.#sender = sender
    this.#station = station
    this.#queue = station.queue
    this.#credit = new Credit(sender)
    const on = (event: string, act: (context: EventContext) => void): void => {
      sender.on(event, act)
    }
    on('sender_flow', () => this.#whenAttached(() => this.#station.turn()))
    on('sender_draining', () =>
      this.#whenAttached(() => {
        this.take()
        this.#credit.drain()
      }),
    )
    on('accepted', ({ delivery }) => this.#settle(delivery, (token) => this.#queue.complete(token)))
    on('released', ({ delivery }) => this.#settle(delivery, (token) => this.#queue.abandon(token)))
    on('modified', ({ delivery }) =>
      this.#settle(delivery, (token, state) => {
        const { undeliverable_here, message_annotations } = Modified.parse(state)
        const changes = changesIn(message_annotations ?? {})
        if (undeliverable_here) this.#queue.defer(token, changes)
        else this.#queue.abandon(token, changes)
      }),
    )
    on('rejected', ({ delivery }) =>
      this.#settle(delivery, (token, state) => {
        const changes = changesIn(Rejected.parse(state).error ?? {})
        this.#queue.deadLetter(token, undefined, undefined, changes)
      }),
    )
  }

  get session(): SessionLock | undefined {
    return this.#session
  }

  /** Answers the attach and begins to hand out, under the session's lock where there is one. */
  open(session: SessionLock | undefined): void {
    this.#session = session
    this.#open = true
    if (session === undefined) answerSender(this.#sender)
    else
      answerSender(this.#sender, {
        filter: { [SESSION_FILTER]: session.id },
        properties: { 'com.microsoft:locked-until-utc': ticks(session.until) },
      })
    this.#station.join(this)
  }

  /**
   * Takes the session named, or holds the attach until one is free; when the peer's patience ends, the link is
   * refused with `com.microsoft:timeout`.
   */
  awaitSession(wanted: unknown, clock: Clock): void {
    try {
      const lock = this.#queue.acceptSession(typeof wanted === 'string' ? wanted : undefined)
      if (lock) return this.open(lock)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return refuse(this.#sender, error)
    }
    hold(this.#sender)
    const asked: unknown = this.#sender.properties?.['com.microsoft:timeout']
    const patience = typeof asked === 'number' ? Math.min(asked, LONGEST_SESSION_WAIT) : DEFAULT_SESSION_WAIT
    this.#giveUp = clock.after(patience, () => {
      this.#giveUp = undefined
      this.#station.leave(this)
      refuse(
        this.#sender,
        new Refusal(
          'com.microsoft:timeout',
          `The operation did not complete within ${patience} ms: no session is free.`,
        ),
      )
    })
    this.#station.join(this)
  }

  take(): void {
    if (this.#giveUp) return this.#takeSession()
    if (!this.#open || !isAttached(this.#sender)) return
    const settled = this.#sender.snd_settle_mode === 1
    while (this.#credit.left > 0) {
      if (settled) {
        const held = this.#queue.takeAndDelete(this.#session)
        if (!held) return
        this.#credit.send(writeMessage(held), Buffer.alloc(16))
      } else {
        const delivery = this.#queue.take(this.#session)
        if (!delivery) return
        this.#credit.send(writeMessage(delivery, delivery.lockedUntil), tagOf(delivery.token))
      }
    }
  }

  lost(lock: SessionLock): void {
    if (lock !== this.#session) return
    this.#station.leave(this)
    this.#open = false
    refuse(
      this.#sender,
      new Refusal(
        'com.microsoft:session-lock-lost',
        `The session lock has expired on the session '${lock.id}'.`,
      ),
    )
  }

  /** The link is gone: a session held comes free at once, locked messages when their lock lapses. */
  close(): void {
    this.#giveUp?.()
    this.#giveUp = undefined
    this.#open = false
    this.#station.leave(this)
    if (this.#session && !this.#session.lost) this.#queue.releaseSession(this.#session)
    this.#station.turn()
  }

  /** Credit may come in one burst with the attach, before rhea has written the answer to that. */
  #whenAttached(act: () => void): void {
    if (isAttached(this.#sender)) act()
    else setImmediate(act)
  }

  #takeSession(): void {
    const lock = this.#queue.acceptSession(undefined)
    if (!lock) return
    this.#giveUp?.()
    this.#giveUp = undefined
    letGo(this.#sender)
    this.open(lock)
  }

  #settle(delivery: Delivery | undefined, act: (token: string, state: unknown) => void): void {
    if (delivery === undefined || delivery.settled) return
    try {
      act(tokenOfTag(delivery.tag), delivery.remote_state)
      settle(delivery)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      settle(delivery, error)
    }
    this.#station.turn()
  }
}
