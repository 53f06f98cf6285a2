import { canonical, MAX_ENVELOPE_BYTES, MAX_PRIVATE_BYTES } from '@attestry/contracts'
import type { Pool, PoolClient } from 'pg'
import { asFailure, type Queryable, sqlState } from '../postgres.ts'

/** A fact to be appended. `data`, `by` and `cause` are canonicalisable, with commitments already in place. */
export interface NewEvent {
  /** `context.past-tense`; the context is the caller's own. */
  readonly type: string
  /** Version of the data's schema. */
  readonly v: number
  /** UUIDv7, unique in the tenant: it makes the append idempotent. */
  readonly id: string
  readonly data: unknown
  /** Salts and values of the committed fields; lies beside the envelope, outside the hash. */
  readonly private?: string | null
  readonly by: unknown
  readonly cause: unknown
  readonly env?: string
  readonly run?: string
}

/** Trace context, which rides beside the event. @see W3C Trace Context */
export interface Trace {
  readonly traceparent: string
  readonly tracestate?: string
}

/** Events for one stream, appended together or not at all. */
export interface AppendRequest {
  readonly tenant: string
  readonly stream: string
  /** The stream's last position (0 for a new one), or 'any'. */
  readonly expected: number | 'any'
  readonly events: readonly NewEvent[]
  readonly trace?: Trace
}

export interface Appended {
  readonly ok: true
  readonly firstSeq: number
  readonly lastSeq: number
  readonly lastPosition: number
  /** The instant that the database stamped, never before that of an earlier event. */
  readonly at: string
  /** Whether the same events had been appended before; the answer is then the earlier one. */
  readonly duplicate: boolean
}

/** Somebody else wrote to the stream first. `actual` is its last position now. */
export interface VersionConflict {
  readonly ok: false
  readonly refused: 'version-conflict'
  readonly actual: number
}

export type AppendResult = Appended | VersionConflict

/** Why the ledger does not take an append at all: a mistake of the caller, not a race. */
export type AppendDenial =
  | 'malformed'
  | 'foreign-context'
  | 'no-chain'
  | 'too-large'
  | 'id-reused'
  | 'append-only'
  | 'other-origin'

const DENIALS: Readonly<Record<string, AppendDenial>> = {
  LG001: 'append-only',
  LG002: 'malformed',
  LG003: 'foreign-context',
  LG004: 'no-chain',
  LG005: 'too-large',
  LG006: 'id-reused',
  LG007: 'other-origin',
  // Two appends of one batch may carry the same id; tried singly, the second is a duplicate or LG006.
  '23505': 'id-reused',
}

export class AppendDenied extends Error {
  override readonly name = 'AppendDenied'
  readonly code: AppendDenial
  constructor(code: AppendDenial, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** Turns what the ledger's functions raise into AppendDenied or Transient. */
export const asDenial = (error: unknown): unknown => {
  const code = DENIALS[sqlState(error) ?? '']
  return code && error instanceof Error
    ? new AppendDenied(code, error.message, { cause: error })
    : asFailure(error)
}

/** The canonical text of an event's own part of the envelope. @throws {NotCanonical} naming the path */
export const eventBody = (event: NewEvent): string =>
  canonical({
    by: event.by,
    cause: event.cause,
    data: event.data,
    ...(event.env === undefined ? {} : { env: event.env }),
    id: event.id,
    ...(event.run === undefined ? {} : { run: event.run }),
    v: event.v,
  })

/** The envelope adds less than 512 bytes to the event's own part. */
const MAX_BODY_BYTES = MAX_ENVELOPE_BYTES - 512

/** Whether canonical text holds U+0000, which it escapes in this one way; a backslash before is one that stands for itself. */
const holdsNul = (text: string): boolean => text.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(text)

/** A request whose bodies are written: what goes to the database. */
export interface PreparedAppend {
  readonly request: AppendRequest
  readonly bodies: readonly string[]
  readonly bytes: number
}

/**
 * Writes the bodies of a request, so that its mistakes surface before it joins others.
 * @throws {AppendDenied} 'too-large' above 128 kB, or 384 kB of opened fields, 'malformed' without events or with U+0000,
 * which the chain would keep for ever and at which every fold would stop
 * @throws {NotCanonical} for data that has no canonical text
 */
export const prepare = (request: AppendRequest): PreparedAppend => {
  if (request.events.length === 0)
    throw new AppendDenied('malformed', `an append to ${request.stream} has no events`)
  const bodies = request.events.map(eventBody)
  let bytes = 0
  for (const [index, body] of bodies.entries()) {
    const size = Buffer.byteLength(body)
    if (size > MAX_BODY_BYTES)
      throw new AppendDenied(
        'too-large',
        `event ${request.events[index]?.id} of type ${request.events[index]?.type} has ${size} bytes; an event holds at most ${MAX_ENVELOPE_BYTES}, larger facts are split`,
      )
    const opened = request.events[index]?.private ?? ''
    // Beyond it no verifier reads the line that discloses them: no bundle that holds the event would verify.
    if (opened.length * 3 > MAX_PRIVATE_BYTES && Buffer.byteLength(opened) > MAX_PRIVATE_BYTES)
      throw new AppendDenied(
        'too-large',
        `event ${request.events[index]?.id} of type ${request.events[index]?.type} opens more than ${MAX_PRIVATE_BYTES} bytes of fields; larger facts are split`,
      )
    if (holdsNul(body) || holdsNul(opened))
      throw new AppendDenied(
        'malformed',
        `event ${request.events[index]?.id} of type ${request.events[index]?.type} holds U+0000, which no column of a fold can`,
      )
    bytes += size
  }
  return { request, bodies, bytes }
}

/*
 * Lists travel as one text with a value a line: the driver would quote each value of an array by itself, which costs
 * more than to write the body did. No value that the ledger takes holds a newline, canonical text included; one that
 * does makes a list of another length, which is refused. No named statement: a pooler would lose it.
 */
const appendWith = (role: string): string =>
  `select * from ledger.append(${role}, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
const APPEND = appendWith(`current_setting('role')`)
const APPEND_AS = appendWith('$11')

const lines = (values: readonly string[]): string => values.join('\n')

/** Mostly nobody has one: then the whole list is left out. */
const sparse = (values: readonly (string | null)[]): readonly (string | null)[] | null =>
  values.some((value) => value !== null) ? values : null

interface AnswerRow {
  /** Null for a version conflict. */
  readonly first_seq: number | null
  /** Of the stream. */
  readonly last_position: number
  readonly stamped: string
  readonly duplicate: boolean
}

const send = async (
  on: Queryable,
  role: string | null,
  asked: readonly PreparedAppend[],
): Promise<AppendResult[]> => {
  if (asked.length === 0) return []
  const batch = byTenant(asked)
  const events = batch.flatMap(({ request }) => request.events)
  const values = [
    lines(batch.map(({ request }) => request.tenant)),
    lines(batch.map(({ request }) => request.stream)),
    batch.map(({ request }) => (request.expected === 'any' ? null : request.expected)),
    batch.map(({ request }) => request.events.length),
    sparse(batch.map(({ request }) => request.trace?.traceparent ?? null)),
    sparse(batch.map(({ request }) => request.trace?.tracestate ?? null)),
    lines(events.map((event) => event.type)),
    lines(events.map((event) => event.id)),
    lines(batch.flatMap(({ bodies }) => bodies)),
    sparse(events.map((event) => event.private ?? null)),
  ]
  let answers: AnswerRow[]
  try {
    answers = (
      await (role === null
        ? on.query<AnswerRow>(APPEND, values)
        : on.query<AnswerRow>(APPEND_AS, [...values, role]))
    ).rows
  } catch (error) {
    throw asDenial(error)
  }
  // A row a request, in the order sent.
  const results = new Map(
    batch.map((prepared, index) => [prepared, resultOf(prepared.request, answers[index])]),
  )
  return asked.map((prepared, index) => {
    const result = results.get(prepared)
    if (!result) throw new Error(`the ledger did not answer request ${index + 1} of ${asked.length}`)
    return result
  })
}

/** The ledger locks tenants in the order given and demands this one; requests of one tenant keep theirs. */
const byTenant = (asked: readonly PreparedAppend[]): readonly PreparedAppend[] => {
  const first = asked[0]?.request.tenant
  if (asked.every(({ request }) => request.tenant === first)) return asked
  return asked.toSorted((a, b) =>
    a.request.tenant < b.request.tenant ? -1 : a.request.tenant > b.request.tenant ? 1 : 0,
  )
}

const resultOf = ({ events }: AppendRequest, answer: AnswerRow | undefined): AppendResult | undefined =>
  answer &&
  (answer.first_seq === null
    ? { ok: false, refused: 'version-conflict', actual: answer.last_position }
    : {
        ok: true,
        firstSeq: answer.first_seq,
        lastSeq: answer.first_seq + events.length - 1,
        lastPosition: answer.last_position,
        at: answer.stamped,
        duplicate: answer.duplicate,
      })

/**
 * Appends within the caller's transaction, under the role it took. All requests are sealed together when it commits;
 * a version conflict leaves the others standing, so the caller decides whether to go on.
 * @throws {AppendDenied} after which the transaction can only be rolled back
 */
export const appendIn = (client: PoolClient, requests: readonly AppendRequest[]): Promise<AppendResult[]> =>
  send(client, null, requests.map(prepare))

/** Appends in a transaction of its own, in one round trip. @throws {AppendDenied} or {Transient}; nothing stands then */
export const appendAs = (
  pool: Pool,
  role: string,
  batch: readonly PreparedAppend[],
): Promise<AppendResult[]> => send(pool, role, batch)
