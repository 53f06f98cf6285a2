import { randomUUID } from 'node:crypto'
import type { AddressInfo, Socket } from 'node:net'
import rhea, { type Connection, type EventContext, type Receiver, type Sender } from 'rhea'
import { type AccessKey, type Claim, covers, judge } from './cbs.ts'
import { type Faults, faulty } from './faults.ts'
import { answerReceiver, answerSender, markRaw, refuse, reply, takeRaw } from './link.ts'
import { manage } from './management.ts'
import { Namespace, type Place } from './namespace.ts'
import { openOutlet, type Outlet } from './outlet.ts'
import { Refusal } from './refusal.ts'
import type { Clock } from './station.ts'
import { readTopology } from './topology.ts'
import { BATCH_FORMAT, MAX_MESSAGE_BYTES, readBatch, readMessage } from './wire.ts'

export interface BrokerOptions {
  /** 0 or absent: any free port. Only the loopback interface is listened on. */
  readonly port?: number
  /** The topology in the official emulator's format, parsed from JSON. */
  readonly config: unknown
  /** The shared access key, named `RootManageSharedAccessKey`. */
  readonly key: string
  readonly clock?: Clock
  readonly faults?: Faults
  /** Told of protocol errors of a peer; they end that peer's connection only. */
  readonly onError?: (error: unknown) => void
}

export interface Broker {
  readonly connectionString: string
  readonly port: number
  /** Cuts every connection and forgets every message. */
  stop(): Promise<void>
}

/** The machine's time and timers; a timer does not keep the process alive. */
const systemClock: Clock = {
  now: () => Date.now(),
  after: (delay, act) => {
    const timer = setTimeout(act, delay)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

const KEY_NAME = 'RootManageSharedAccessKey'
const MANAGEMENT = '/$management'

/**
 * Starts a broker that speaks AMQP 1.0 over plain TCP in the dialect of Azure Service Bus, near enough for the
 * unmodified SDK. Messages live in memory: a restart loses them, by design.
 *
 * @throws ZodError or Refusal for a configuration it cannot honour; the system's error when the port is taken.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const clock = options.clock ?? systemClock
  const onError = options.onError ?? (() => undefined)
  const passage = options.faults ? faulty(options.faults) : <Same>(messages: Same): Same => messages
  const topology = readTopology(options.config, { now: () => clock.now(), newToken: randomUUID }, passage)
  const namespace = new Namespace(topology, clock)
  const key: AccessKey = { name: KEY_NAME, key: options.key }
  const container = rhea.create_container({
    id: 'attestry-local-broker',
    autoaccept: false,
    treat_modified_as_released: false,
    credit_window: 1000,
  })
  const peers = new Map<Connection, Peer>()
  const peerOf = (connection: Connection): Peer => {
    const peer = peers.get(connection) ?? new Peer(namespace, clock, key)
    peers.set(connection, peer)
    return peer
  }
  const forget = ({ connection }: EventContext): void => {
    peers.get(connection)?.close()
    peers.delete(connection)
  }
  container.on('session_open', ({ session }: EventContext) => {
    if (session) takeRaw(session)
  })
  container.on('sender_open', ({ connection, sender }: EventContext) => {
    if (sender) peerOf(connection).openSender(sender)
  })
  container.on('receiver_open', ({ connection, receiver }: EventContext) => {
    if (receiver) peerOf(connection).openReceiver(receiver)
  })
  container.on('connection_close', forget)
  container.on('disconnected', forget)
  for (const event of ['connection_error', 'session_error', 'sender_error', 'receiver_error'])
    container.on(event, (context: EventContext) => onError(context.error))
  for (const event of ['error', 'protocol_error']) container.on(event, onError)

  const server = container.listen({ port: options.port ?? 0, host: '127.0.0.1' })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })
  // A listening TCP server has an address object; strings are for pipes.
  const { port } = server.address() as AddressInfo
  return {
    port,
    connectionString: `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=${KEY_NAME};SharedAccessKey=${options.key};UseDevelopmentEmulator=true`,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
      for (const peer of peers.values()) peer.close()
      peers.clear()
      namespace.close()
    },
  }
}

/** One connection: what it may address, its links, and where the replies to its requests go. */
class Peer {
  readonly #namespace: Namespace
  readonly #clock: Clock
  readonly #key: AccessKey
  readonly #claims: Claim[] = []
  readonly #replies = new Map<string, Sender>()
  readonly #outlets = new Map<string, Outlet>()

  constructor(namespace: Namespace, clock: Clock, key: AccessKey) {
    this.#namespace = namespace
    this.#clock = clock
    this.#key = key
  }

  close(): void {
    for (const outlet of this.#outlets.values()) outlet.close()
    this.#outlets.clear()
    this.#replies.clear()
  }

  /** The peer receives: from `$cbs`, from a management node, or from an entity. */
  openSender(sender: Sender): void {
    this.#guarded(sender, () => {
      const address = sender.source?.address ?? ''
      if (address === '$cbs') return this.#openReplies(sender, sender.name)
      if (address.toLowerCase().endsWith(MANAGEMENT)) {
        this.#find(address)
        return this.#openReplies(sender, sender.target?.address ?? sender.name)
      }
      const { station } = this.#find(address)
      if (!station) throw new Refusal('amqp:not-allowed', `The topic '${address}' cannot be received from.`)
      const outlet = openOutlet(sender, station, this.#clock)
      if (!outlet) return
      this.#outlets.set(sender.name, outlet)
      sender.on('sender_close', () => {
        this.#outlets.delete(sender.name)
        outlet.close()
      })
    })
  }

  /** The peer sends: to `$cbs`, to a management node, or to an entity. */
  openReceiver(receiver: Receiver): void {
    this.#guarded(receiver, () => {
      const address = receiver.target?.address ?? ''
      if (address === '$cbs') {
        receiver.on('message', (context: EventContext) => this.#putToken(context))
      } else if (address.toLowerCase().endsWith(MANAGEMENT)) {
        const place = this.#find(address)
        receiver.on('message', (context: EventContext) => this.#manage(context, place))
      } else {
        const place = this.#find(address)
        if (place.subscription) throw new Refusal('amqp:not-allowed', 'A subscription cannot be sent to.')
        markRaw(receiver)
        receiver.on('message', (context: EventContext) => take(context, place))
      }
      answerReceiver(receiver, MAX_MESSAGE_BYTES)
    })
  }

  #guarded(link: Sender | Receiver, act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refuse(link, error)
    }
  }

  /** The entity at an address, or behind a management node, if the peer holds a claim on that very address. */
  #find(address: string): Place {
    const now = this.#clock.now()
    if (!this.#claims.some((claim) => claim.until > now && covers(claim.path, address)))
      throw new Refusal(
        'amqp:unauthorized-access',
        `Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation on '${address}'.`,
      )
    const managed = address.toLowerCase().endsWith(MANAGEMENT)
    return this.#namespace.find(managed ? address.slice(0, -MANAGEMENT.length) : address)
  }

  #openReplies(sender: Sender, name: string): void {
    answerSender(sender)
    this.#replies.set(name, sender)
    sender.on('sender_close', () => this.#replies.delete(name))
  }

  #putToken({ delivery, message }: EventContext): void {
    if (!delivery || !message) return
    reply(delivery)
    const now = this.#clock.now()
    const verdict = judge(message.body, message.application_properties?.['name'], this.#key, now)
    const granted = typeof verdict !== 'string'
    if (granted) {
      const others = this.#claims.filter((claim) => claim.path !== verdict.path && claim.until > now)
      this.#claims.splice(0, Infinity, ...others, verdict)
    }
    this.#replies.get(String(message.reply_to))?.send({
      correlation_id: message.message_id ?? '',
      application_properties: {
        'status-code': granted ? 202 : 401,
        'status-description': granted ? 'Accepted' : `Unauthorized access. ${verdict}`,
      },
      body: null,
    })
  }

  #manage({ delivery, message }: EventContext, place: Place): void {
    if (!delivery || !message) return
    reply(delivery)
    const properties: Record<string, unknown> = message.application_properties ?? {}
    const link = properties['associated-link-name']
    let answer: { status: number; body: unknown; condition?: string; description: string }
    try {
      const session = typeof link === 'string' ? this.#outlets.get(link)?.session : undefined
      const done = manage({ operation: String(properties['operation']), body: message.body, place, session })
      answer = { ...done, description: 'OK' }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      answer = { status: error.status, body: null, condition: error.condition, description: error.message }
    }
    this.#replies.get(String(message.reply_to))?.send({
      correlation_id: message.message_id ?? '',
      application_properties: {
        statusCode: answer.status,
        statusDescription: answer.description,
        ...(answer.condition === undefined ? {} : { errorCondition: answer.condition }),
      },
      body: answer.body,
    })
    place.turn()
  }
}

/** Takes what a sender sent, all of it or none. */
function take({ delivery, message }: EventContext, place: Place): void {
  if (!delivery) return
  // `takeRaw` has rhea hand over the bytes, which its typings call a Message.
  const bytes = message as unknown as Buffer
  try {
    place.send(delivery.format === BATCH_FORMAT ? readBatch(bytes) : [readMessage(bytes)])
    reply(delivery)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    reply(delivery, error)
  }
}
