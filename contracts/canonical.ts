/*
 * Canonical JSON. Imports nothing: the same lines run in the services and in the single-file verifier.
 */

/** How deep a value may nest; deeper is a mistake (or a cycle), never a fact. */
const MAX_DEPTH = 64

/** A value that has no canonical text, and where it sits. */
export class NotCanonical extends Error {
  override readonly name = 'NotCanonical'
  readonly path: string
  constructor(path: string, why: string) {
    super(`${path === '' ? 'the value' : path} ${why}`)
    this.path = path
  }
}

/** What the keys of a value's objects are, as flags: not all in order; some of those that no copy puts in order. */
const MIXED = 1
const UNRULY = 2

/** Whether engines may move a key to the front, or it is no member of a copy because it would set the prototype. */
const isUnruly = (key: string): boolean => {
  const first = key.charCodeAt(0)
  return (first >= 0x30 && first <= 0x39) || key === '__proto__'
}

const isAscii = (key: string): boolean => {
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

/** The keys and places on the way to a value; written over as a walk goes on, and read only where one ends. */
type Way = (string | number)[]

const refuse = (way: Way, depth: number, why: string): NotCanonical => {
  let path = ''
  for (const step of way.slice(0, depth))
    path += typeof step === 'number' ? `[${step}]` : path === '' ? step : `.${step}`
  return new NotCanonical(path, why)
}

/** Checks a value against the rules and says of its keys what the flags above mean. */
const inspect = (value: unknown, way: Way, depth: number): number => {
  switch (typeof value) {
    case 'boolean':
      return 0
    case 'string':
      if (!value.isWellFormed()) throw refuse(way, depth, 'holds a lone surrogate')
      return 0
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0))
        throw refuse(way, depth, `is ${Object.is(value, -0) ? '-0' : value}; only safe integers are allowed`)
      return 0
    case 'object':
      break
    case 'undefined':
    case 'bigint':
    case 'symbol':
    case 'function':
      throw refuse(way, depth, `is ${typeof value}`)
  }
  if (value === null) return 0
  if (depth >= MAX_DEPTH) throw refuse(way, depth, `nests deeper than ${MAX_DEPTH}`)
  let flags = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      way[depth] = i
      flags |= inspect(value[i], way, depth + 1)
    }
    return flags
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value)
    throw refuse(way, depth, 'is not a plain object')
  // As just seen: a plain object.
  const members = value as Readonly<Record<string, unknown>>
  let last = ''
  for (const key of Object.keys(members)) {
    if (!isAscii(key)) throw refuse(way, depth, `has the key ${JSON.stringify(key)}; keys are ASCII`)
    if (key < last) flags |= MIXED
    if (isUnruly(key)) flags |= UNRULY
    last = key
    way[depth] = key
    flags |= inspect(members[key], way, depth + 1)
  }
  return flags
}

/** A copy of an inspected value whose keys stand in order. */
const inOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inOrder)
  if (value === null || typeof value !== 'object') return value
  const copy: Record<string, unknown> = {}
  // Inspected: a plain object.
  const members = value as Readonly<Record<string, unknown>>
  for (const key of Object.keys(members).sort()) copy[key] = inOrder(members[key])
  return copy
}

/** Writes an inspected value with sorted keys where no copy can have them so: engines move keys like "10" to the front. */
const write = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`).join(',')}}`
}

/**
 * The canonical JSON text of a value: RFC 8785, narrowed to ASCII keys and safe integers.
 * @throws {NotCanonical} naming the path of the first float, -0, lone surrogate, undefined, foreign key or object
 * @see RFC 8785 section 3.2
 */
export const canonical = (value: unknown): string => {
  const keys = inspect(value, [], 0)
  if (keys === (MIXED | UNRULY)) return write(value)
  // The native writer is several times faster than ours, also where the keys have to be put in order for it.
  return JSON.stringify(keys & MIXED ? inOrder(value) : value)
}

/** Whether a text is the canonical text of what it says: no spaces, no doubled or unsorted keys, no floats. */
export const isCanonical = (text: string): boolean => {
  try {
    return canonical(JSON.parse(text)) === text
  } catch (error) {
    if (error instanceof NotCanonical || error instanceof SyntaxError) return false
    throw error
  }
}
