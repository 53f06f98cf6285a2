import rhea, { type Delivery, type Receiver, type Sender, type Session } from 'rhea'
import type { Refusal } from './refusal.ts'

/**
 * All that this broker needs of rhea beyond its published types, in one place: rhea is written for brokers that
 * attach at once, decode every message and never drain, and Service Bus does none of these.
 */
interface Inside {
  credit: number
  delivery_count: number
  _draining: boolean
  _drained: boolean
  _get_drain: () => boolean
  state: { open_requests: number; local_open: boolean }
  local: { attach: Record<string, unknown> }
}

interface SessionInside {
  outgoing: { available(): number }
  on_transfer: (frame: { performative: { message_format?: number; handle: number } }) => void
  remote: { handles: Record<number, { raw?: true } | undefined> }
}

/** A format rhea does not know, so that it hands over the bytes. */
const RAW = 0x7fffffff

const { message: outcomes } = rhea as unknown as {
  // The constructors of outcomes exist in rhea's message module, its typings leave them out.
  message: {
    accepted(): { described(): unknown }
    rejected(fields: { error: { condition: string; description: string } }): { described(): unknown }
  }
}

function inside(link: Sender | Receiver): Inside {
  return link as unknown as Inside
}

function sessionInside(session: Session): SessionInside {
  return session as unknown as SessionInside
}

/** Has rhea hand over the messages of links marked `raw` undecoded. Call when the session opens. */
export function takeRaw(session: Session): void {
  const own = sessionInside(session)
  const original = own.on_transfer.bind(session)
  own.on_transfer = (frame) => {
    const link = own.remote.handles[frame.performative.handle]
    if (link?.raw && frame.performative.message_format === 0) frame.performative.message_format = RAW
    original(frame)
  }
}

/** Marks a receiving link whose messages `takeRaw` shall not decode. */
export function markRaw(receiver: Receiver): void {
  ;(receiver as { raw?: true }).raw = true
}

/** Answers a peer's sending link: where it sends, and how large a message may be. */
export function answerReceiver(receiver: Receiver, maxMessageSize: number): void {
  const { attach } = inside(receiver).local
  attach['max_message_size'] = maxMessageSize
  receiver.set_source(receiver.source ?? {})
  receiver.set_target({ address: receiver.target?.address ?? '' })
}

/** Answers a peer's receiving link with the source it asked for and its settlement modes. */
export function answerSender(
  sender: Sender,
  extra: { filter?: Record<string, unknown>; properties?: Record<string, unknown> } = {},
): void {
  const { attach } = inside(sender).local
  attach['snd_settle_mode'] = sender.snd_settle_mode
  attach['rcv_settle_mode'] = sender.rcv_settle_mode
  if (extra.properties) attach['properties'] = extra.properties
  // rhea's Source types the filter by its own selector class only.
  const filter = (extra.filter ? { filter: extra.filter } : {}) as object
  sender.set_source({ address: sender.source?.address ?? '', ...filter })
  sender.set_target({ address: sender.target?.address ?? '' })
}

/** Keeps rhea, which attaches by itself, from answering an attach until `letGo`. */
export function hold(sender: Sender): void {
  inside(sender).state.open_requests = 0
  inside(sender).state.local_open = false
}

/** Answers a held attach now. */
export function letGo(sender: Sender): void {
  sender.open()
}

/** Whether the attach was answered: rhea would write a message given earlier before the attach itself. */
export function isAttached(sender: Sender): boolean {
  return sender.is_open() && inside(sender).state.open_requests === 0
}

/** Refuses or ends a link; an attach not yet answered is answered first, as the protocol wants. */
export function refuse(link: Sender | Receiver, refusal: Refusal): void {
  if (!inside(link).state.local_open) link.open()
  link.close({ condition: refusal.condition, description: refusal.message })
}

/**
 * Counts what a sending link may still send: rhea takes credit away only when it writes, so what was handed to it
 * since must be counted here. Also answers every drain, which rhea does only while credit is left.
 */
export class Credit {
  readonly #sender: Sender
  #handed = 0
  #drained = 0
  #owed = false

  constructor(sender: Sender) {
    this.#sender = sender
    const own = inside(sender)
    own._get_drain = () => {
      if (!this.#owed) return false
      this.#owed = false
      this.#drained += own.credit
      own.delivery_count += own.credit
      own.credit = 0
      return true
    }
  }

  get left(): number {
    const own = inside(this.#sender)
    const unsent = this.#handed - (own.delivery_count - this.#drained)
    return Math.min(own.credit - unsent, sessionInside(this.#sender.session).outgoing.available())
  }

  send(bytes: Buffer, tag: Buffer): void {
    this.#sender.send(bytes, tag, 0)
    this.#handed++
  }

  /** Gives up the credit that is left, and says so. */
  drain(): void {
    this.#owed = true
    this.#sender.set_drained(true)
  }
}

/**
 * Settles a delivery of ours with accepted or with the refusal. The peer settles second and never answers, so
 * the delivery is marked as settled on both sides or rhea would keep it and stop at 2,048.
 */
export function settle(delivery: Delivery, refusal?: Refusal): void {
  inOwnFrame(refusal, () => {
    delivery.update(true, outcomeOf(refusal))
    ;(delivery as { remote_settled: boolean }).remote_settled = true
  })
}

/** Accepts or rejects a delivery of the peer. */
export function reply(delivery: Delivery, refusal?: Refusal): void {
  inOwnFrame(refusal, () => delivery.update(true, outcomeOf(refusal)))
}

/**
 * rhea joins the first two dispositions of one write under the state of the first, whatever the second was. A
 * rejection therefore waits for a write of its own.
 */
function inOwnFrame(refusal: Refusal | undefined, act: () => void): void {
  if (refusal === undefined) act()
  else setImmediate(act)
}

function outcomeOf(refusal: Refusal | undefined): unknown {
  if (refusal === undefined) return outcomes.accepted().described()
  const error = { condition: refusal.condition, description: refusal.message }
  return outcomes.rejected({ error }).described()
}
