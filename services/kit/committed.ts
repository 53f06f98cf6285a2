import { isDeepStrictEqual } from 'node:util'
import {
  type Actor,
  type Cause,
  canonical,
  commitment,
  definitionOf,
  Envelope,
  ERASED,
  type EventOf,
  Actor as ActorSchema,
  type Fact,
} from '@attestry/contracts'
import * as z from 'zod'
import type { NewEvent } from './ledger/append.ts'
import { sha256 } from './ledger/verify.ts'

/*
 * Between the domain and the ledger. Outward, every committed field is replaced by its commitment and the
 * values go beside the envelope; inward, they are put back. The domain sees neither.
 */

/** Where committed fields stand in a shape: `*` for every element of an array. */
type Pattern = readonly string[]

const patternsOf = (schema: z.ZodType, path: Pattern = []): Pattern[] => {
  if (schema.meta()?.['committed'] === true) return [path]
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([key, inner]) =>
      patternsOf(inner as z.ZodType, [...path, key]),
    )
  if (schema instanceof z.ZodArray) return patternsOf(schema.element as z.ZodType, [...path, '*'])
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return patternsOf(schema.unwrap() as z.ZodType, path)
  return []
}

const cache = new Map<string, { patterns: Pattern[]; schema: z.ZodObject; v: number }>()

const shapeOf = (type: string) => {
  const known = cache.get(type)
  if (known) return known
  const definition = definitionOf(type)
  if (!definition) return null
  const shape = { patterns: patternsOf(definition.data), schema: definition.data, v: definition.v }
  cache.set(type, shape)
  return shape
}

const actorPatterns = patternsOf(ActorSchema)

type Tree = Record<string, unknown>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null

/** Replaces every value at a pattern by what `change` makes of it. Changes the tree in place. */
function changeAt(
  root: unknown,
  pattern: Pattern,
  at: string,
  change: (value: unknown, path: string) => unknown,
): void {
  if (!isTree(root)) return
  const [head, ...rest] = pattern
  if (head === undefined) return
  const keys = head === '*' ? Object.keys(root) : head in root ? [head] : []
  for (const key of keys) {
    const path = `${at}/${key}`
    if (rest.length > 0) changeAt(root[key], rest, path, change)
    else if (root[key] !== null && root[key] !== undefined) root[key] = change(root[key], path)
  }
}

/** One opened commitment as the column beside the envelope and `log/disclosures.jsonl` hold it. */
const Disclosure = z.tuple([z.string(), z.string(), z.unknown()])

/**
 * A fact as the ledger takes it. Throws when the data does not fit its schema or has a field that the
 * schema does not know: a writer is strict.
 */
export function commit(
  fact: Fact,
  by: Actor,
  cause: Cause,
  id: string,
  salt: (bytes: number) => Uint8Array,
): NewEvent {
  const shape = shapeOf(fact.type)
  if (!shape) throw new Error(`no event is called ${fact.type}`)
  const data = shape.schema.parse(fact.data)
  if (!isDeepStrictEqual(data, fact.data))
    throw new Error(`${fact.type} has a field that its schema does not know or would change`)
  const actor = ActorSchema.parse(by)
  const disclosures: [string, string, unknown][] = []
  const hide = (value: unknown, path: string) => {
    const bytes = salt(16)
    disclosures.push([path, Buffer.from(bytes).toString('hex'), value])
    return commitment(sha256, bytes, path, value)
  }
  for (const pattern of shape.patterns) changeAt(data, pattern, '/data', hide)
  for (const pattern of actorPatterns) changeAt(actor, pattern, '/by', hide)
  return {
    type: fact.type,
    v: shape.v,
    id,
    data,
    private: disclosures.length > 0 ? canonical(disclosures) : null,
    by: actor,
    cause,
    ...(fact.env === undefined ? {} : { env: fact.env }),
    ...(fact.run === undefined ? {} : { run: fact.run }),
  }
}

const erased = (value: unknown): unknown =>
  typeof value === 'string' && /^#[0-9a-f]{64}$/.test(value) ? ERASED : value

/** Puts one disclosed value back where its commitment stands. */
function putBack(root: Tree, path: string, value: unknown): void {
  const keys = path.split('/').slice(1)
  const last = keys.pop()
  let at: unknown = root
  for (const key of keys) at = isTree(at) ? at[key] : undefined
  if (last !== undefined && isTree(at) && last in at) at[last] = value
}

/**
 * A recorded event as the domain sees it: committed values back in place, erased ones marked, older
 * versions brought to today. Null for a type that this version does not know: a reader ignores it.
 */
export function open(recorded: { envelope: string; private: string | null }): EventOf | null {
  const envelope = Envelope.parse(JSON.parse(recorded.envelope))
  const definition = definitionOf(envelope.type)
  const shape = shapeOf(envelope.type)
  if (!definition || !shape) return null
  const { event } = envelope
  if (recorded.private !== null)
    for (const [path, , value] of z.array(Disclosure).parse(JSON.parse(recorded.private)))
      putBack(event, path, value)
  let data: unknown = event.data
  for (let v = event.v; v < definition.v; v++) {
    const step = definition.upcast?.[v]
    if (!step) throw new Error(`${envelope.type} has no way from version ${v} to ${v + 1}`)
    data = step(data)
  }
  for (const pattern of shape.patterns)
    changeAt(data, pattern, '/data', (value) => {
      const shown = erased(value)
      // An erased list (tags) reads as an empty one; an erased text as a mark.
      return shown === ERASED && isListAt(shape.schema, pattern) ? [] : shown
    })
  for (const pattern of actorPatterns) changeAt(event.by, pattern, '/by', erased)
  return {
    tenant: envelope.tenant,
    seq: envelope.seq,
    stream: envelope.stream,
    position: envelope.position,
    type: envelope.type,
    at: envelope.at,
    id: event.id,
    by: event.by,
    cause: event.cause,
    ...(event.env === undefined ? {} : { env: event.env }),
    ...(event.run === undefined ? {} : { run: event.run }),
    data: shape.schema.parse(data),
    // The type names the schema that has just parsed the data.
  } as EventOf
}

const isListAt = (schema: z.ZodType, pattern: Pattern): boolean => {
  let at: unknown = schema
  for (const key of pattern) {
    while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap()
    if (at instanceof z.ZodObject) at = at.shape[key]
    else if (at instanceof z.ZodArray) at = at.element
  }
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap()
  return at instanceof z.ZodArray
}
