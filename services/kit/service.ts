import type { Actor, Cause, EventOf, EventType, Fact } from '@attestry/contracts'
import type * as z from 'zod'
import type { Clock } from './clock.ts'
import type { Ids } from './ids.ts'
import type { Logger } from './log.ts'

/** What a service is. `run.ts` hosts any list of these in one process. */
export interface Service {
  readonly name: string
  /** The service's tables: SQL in the schema of the service's name, numbered files `NNN-*.sql` in this folder. */
  readonly schema: URL
  /** The service's HTTP face, at the paths of its endpoint table. */
  readonly fetch: (request: Request) => Response | Promise<Response>
  readonly commands: readonly Command[]
  /** Commands of different sessions that one process works on at once: more where work is mostly waiting. @default 4 */
  readonly commandsAtOnce?: number
  readonly reactions: readonly Reaction[]
  readonly views: readonly Fold[]
  readonly schedules: readonly Schedule[]
  /** Runs once when the tables are there and before anything is delivered: a first administrator, a first scan. */
  readonly start?: () => Promise<void>
}

/** One transaction as the service's own role that sees one tenant alone. */
export interface Tx {
  readonly tenant: string
  /** Rows of a parameterised statement. The caller names the row's shape; the columns are ours. */
  rows<R extends object>(sql: string, values?: readonly unknown[]): Promise<R[]>
}

/** Turns events into rows. Pure but for its own tables, so that it can be cleared and built again. */
export interface Fold {
  readonly name: string
  readonly contexts: readonly string[]
  /** Raise it when the rows mean something else: the host clears and rebuilds. */
  readonly version: number
  /** Events of one tenant and one context, in seq order. */
  readonly apply: (events: readonly EventOf[], tx: Tx) => Promise<void>
  readonly clear: (tx: Tx) => Promise<void>
}

/** Facts for one stream, appended together or not at all. */
export interface Append {
  readonly stream: string
  /** Position that the stream must have (0: it must be new), or 'any' where order does not matter. */
  readonly expected: number | 'any'
  readonly facts: readonly Fact[]
  readonly by: Actor
  readonly cause: Cause
}

/** Work to be done by this service's own commands, due now or later. */
export interface Send {
  readonly command: string
  /** Makes the command idempotent: a second with the same id is dropped. */
  readonly id: string
  /** Commands of one session run one after the other. */
  readonly session: string
  readonly body: Readonly<Record<string, unknown>>
  readonly dueAt?: Temporal.Instant
  readonly by: Actor
  readonly cause: Cause
}

/** What should happen because of an event. The host makes it happen, in one transaction with the cursor. */
export interface Outcome {
  readonly append?: readonly Append[]
  readonly send?: readonly Send[]
}

export interface Reaction {
  readonly name: string
  readonly on: readonly EventType[]
  readonly react: (event: EventOf, tx: Tx) => Promise<Outcome>
}

/** A command in hand. It may run again after a crash, so its effects must bear that. */
export interface Job<B> {
  readonly tenant: string
  readonly id: string
  readonly body: B
  readonly by: Actor
  readonly cause: Cause
  /** 1 at first. */
  readonly attempt: number
  /** Ends when the process stops, the lease is lost, or `cancel()` was called for this command id. */
  readonly signal: AbortSignal
  /** Stores where the job is, for pages that watch it. Never ledgered. */
  readonly progress: (state: Readonly<Record<string, unknown>>) => Promise<void>
}

export interface Command<B = never> {
  readonly name: string
  readonly body: z.ZodType<B>
  /** Throws Transient to be tried again later, anything else to be set aside as stuck work. */
  readonly work: (job: Job<B>) => Promise<void>
}

/** Lets a list hold commands of different bodies; the host parses the body with the command's own schema. */
export const command = <B>(definition: Command<B>): Command =>
  // The host never calls work() with a body that the same object's schema did not produce.
  definition as unknown as Command

/** Something that comes round by time. */
export interface Schedule {
  readonly name: string
  readonly everyMs: number
  /** Whether it comes round for each tenant, or once for the install. @default 'tenants' */
  readonly of?: 'tenants' | 'install'
  /** Called for each tenant, by one process at a time; ids of what it sends carry the due time. */
  readonly due: (now: Temporal.Instant, tx: Tx) => Promise<readonly Send[]>
}

export interface Appended {
  readonly ok: true
  readonly firstSeq: number
  readonly lastSeq: number
  readonly lastPosition: number
  readonly at: string
}
export interface Conflict {
  readonly ok: false
  readonly refused: 'version-conflict'
  readonly actual: number
}

/** State of a command as its service sees it. */
export interface CommandState {
  readonly id: string
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly progress: Readonly<Record<string, unknown>> | null
  readonly attempts: number
  readonly problem: string | null
}

/** An event with its place in the chain, as an export writes it. */
export interface ChainEvent {
  readonly seq: number
  readonly at: string
  /** The exact text that was hashed; null where retention took it, and the leaf alone stays. */
  readonly envelope: string | null
  readonly leaf: Uint8Array
  readonly link: Uint8Array
  /** Salts and values of committed fields, `[[path, salt, value], …]` as JSON; null where there are none any more. */
  readonly private: string | null
  /** The event as the domain sees it; null for a type that this version does not know, and for one without a body. */
  readonly event: EventOf | null
}

/** What came of taking the bodies of old acts. */
export type Pruned =
  | { readonly ok: true; readonly events: number; readonly more: boolean }
  | { readonly ok: false; readonly refused: 'retention-too-short' | 'no-checkpoint' }

/** What the host gives to a service when it is made. */
export interface Host {
  readonly service: string
  readonly productVersion: string
  readonly origin: 'real' | 'demo'
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Ends when the process stops. */
  readonly signal: AbortSignal
  /** One transaction as this service's role. Throws Transient when the database is away. */
  tx<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T>
  /** Appends through the coalescing lane. */
  append(tenant: string, append: Append): Promise<Appended | Conflict>
  /**
   * The events of one stream, oldest first, committed values opened; RangeError above 10,000. Within a transaction give it in
   * place of its tenant: work that holds one connection and waits for a second waits for ever where all do so.
   */
  stream(of: string | Tx, stream: string, after?: number): Promise<EventOf[]>
  /** Last seq and link of the tenant's chain. */
  head(tenant: string): Promise<{ readonly seq: number; readonly link: Uint8Array }>
  /** Pages of the tenant's whole chain after a seq up to another, in order: what evidence folds. */
  chain(
    tenant: string,
    walk: { readonly after: number; readonly upTo: number; readonly signal: AbortSignal },
  ): AsyncIterable<readonly ChainEvent[]>
  /** The seq of the tenant's first event at or after an instant; one beyond the last where there is none. */
  firstSince(tenant: string, instant: string): Promise<number>
  /**
   * Takes the bodies of events that only told of an act and are older than the retention, behind the newest checkpoint;
   * every proof stays. One batch at a time: `more` says whether another waits.
   */
  prune(tenant: string, retentionDays: number, cause: Cause): Promise<Pruned>
  /** The opaque id of something that the world names, in this tenant. */
  opaque(tenant: string): Promise<(kind: string, name: string) => string>
  /** Hands work to this service's commands, in the caller's transaction. */
  send(tx: Tx, sends: readonly Send[]): Promise<void>
  /** State of the commands with these ids. */
  commands(tx: Tx, ids: readonly string[]): Promise<CommandState[]>
  /** Asks a running or waiting command to stop; false if it already ended. */
  cancel(tx: Tx, id: string): Promise<boolean>
  /** Tenants with a chain in this install, the reserved one left out. */
  tenants(): Promise<string[]>
}
