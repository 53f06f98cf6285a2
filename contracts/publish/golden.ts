import * as z from 'zod'
import type { EventDefinition } from '../event.ts'
import type { Json, JsonObject } from './schemas.ts'

/** What a golden file holds: an event's data as one version of the product wrote it, committed values in place. */
export const Golden = z.object({
  type: z.string(),
  v: z.int().min(1),
  data: z.record(z.string(), z.unknown()),
})
export type Golden = z.infer<typeof Golden>

/** `discovery.vault-scanned` of version 1 → `discovery.vault-scanned.1.json` */
export const goldenName = (type: string, v: number): string => `${type}.${v}.json`

/** Texts that the patterns of the contracts ask for. */
const TEXTS = [
  'Müller & Söhne',
  'a sample text',
  'sample-0123456789abcdef',
  '0123456789abcdef'.repeat(4),
  'P001',
  'default',
  '00000000-0000-7000-8000-000000000001',
  // A MAC in base64url.
  'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE',
]

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textFor = (schema: JsonObject, at: string): string => {
  if (schema['format'] === 'date-time') return '2026-01-02T03:04:05.678Z'
  if (schema['format'] === 'uuid') return '00000000-0000-7000-8000-000000000001'
  if (schema['format'] === 'uri') return 'https://example.com/'
  if (schema['format'] === 'email') return 'someone@example.com'
  const { pattern, maxLength, minLength } = schema
  const found = TEXTS.find(
    (text) =>
      (typeof pattern !== 'string' || new RegExp(pattern).test(text)) &&
      (typeof maxLength !== 'number' || text.length <= maxLength) &&
      (typeof minLength !== 'number' || text.length >= minLength),
  )
  if (found === undefined) throw new Error(`no sample text fits ${at}: add one to TEXTS`)
  return found
}

/** A value of a JSON Schema that shows every field: nothing optional left out, nothing null that can be more. */
function sampleOf(schema: Json | undefined, at: string): Json {
  if (!isObject(schema)) throw new Error(`${at} has no schema`)
  const { anyOf, type, items, prefixItems, minimum, maximum } = schema
  if ('const' in schema) return schema['const'] ?? null
  if (Array.isArray(schema['enum'])) return schema['enum'][0] ?? null
  if (Array.isArray(anyOf)) return sampleOf(anyOf[0], at)
  if (Array.isArray(type)) return sampleOf({ ...schema, type: type[0] ?? 'null' }, at)
  if (type === 'array')
    return Array.isArray(prefixItems)
      ? prefixItems.map((item, i) => sampleOf(item, `${at}/${i}`))
      : [sampleOf(items, `${at}/0`)]
  if (type === 'object') {
    const members = isObject(schema['properties']) ? Object.entries(schema['properties']) : []
    return Object.fromEntries(members.map(([name, member]) => [name, sampleOf(member, `${at}/${name}`)]))
  }
  if (type === 'string') return textFor(schema, at)
  if (type === 'integer')
    return Math.min(
      typeof maximum === 'number' ? maximum : 3,
      Math.max(typeof minimum === 'number' ? minimum : 3, 3),
    )
  if (type === 'boolean') return true
  if (type === 'null') return null
  throw new Error(`${at} has a schema without a sample: ${JSON.stringify(schema)}`)
}

/** The golden file of a type's present version. Made once: a later change of the shape must bring it to today. */
export function goldenOf(type: string, definition: EventDefinition): Golden {
  // zod's own type of a JSON Schema is the same tree with optional members.
  const schema = z.toJSONSchema(definition.data, { io: 'output', reused: 'inline' }) as Json
  const data = definition.data.parse(sampleOf(schema, type))
  return { type, v: definition.v, data }
}

/** Brings data of an older version to today, one step a version, and reads it as today's. */
export function upcast(golden: Golden, definition: EventDefinition): Record<string, unknown> {
  let data: unknown = golden.data
  for (let v = golden.v; v < definition.v; v++) {
    const step = definition.upcast?.[v]
    if (!step) throw new Error(`${golden.type} has no way from version ${v} to ${v + 1}`)
    data = step(data)
  }
  return definition.data.parse(data)
}
