import * as z from 'zod'
import * as events from '../index.ts'
import * as endpoints from '../http/index.ts'

/** A JSON Schema (2020-12) as a plain tree. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** Shapes that the contracts export by name become named components instead of being repeated. */
const named = new Map<z.ZodType, string>()
for (const [name, value] of Object.entries({ ...events, ...endpoints }))
  if (value instanceof z.ZodObject || value instanceof z.ZodEnum) named.set(value, name)

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Schemas turned into JSON Schema, with the named ones collected as components. */
export interface SchemaBook {
  /** `input`: what a caller sends, defaults optional; `output`: what an answer or event holds. */
  of(schema: z.ZodType, io: 'input' | 'output'): Json
  readonly components: Readonly<Record<string, Json>>
}

/** An empty book. */
export function createSchemaBook(): SchemaBook {
  const components: Record<string, Json> = {}
  const metadata = z.registry<{ id?: string; committed?: boolean }>()
  for (const [schema, id] of named) metadata.add(schema, { ...z.globalRegistry.get(schema), id })
  // Beside the names of the book the marks that the contracts put on fields.
  const nameOrNothing = metadata.get.bind(metadata)
  metadata.get = ((schema: z.ZodType) =>
    nameOrNothing(schema) ?? z.globalRegistry.get(schema)) as typeof metadata.get

  /** Moves a schema's own definitions among the components and tidies what only zod needs. */
  const settle = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(settle)
    if (!isObject(value)) return value
    const tidy: Record<string, Json> = {}
    for (const [key, member] of Object.entries(value)) {
      if (key === '$schema' || key === '$defs' || key === 'id') continue
      // A reader ignores what it does not know; zod closes every object that it writes.
      if (key === 'additionalProperties' && member === false) continue
      // The format says it; zod's pattern for it fills three lines.
      if (key === 'pattern' && (value['format'] === 'date-time' || value['format'] === 'uuid')) continue
      // Every integer is a safe one.
      if (key === 'maximum' && member === Number.MAX_SAFE_INTEGER) continue
      if (key === 'minimum' && member === Number.MIN_SAFE_INTEGER) continue
      if (key === '$ref' && typeof member === 'string')
        tidy[key] = member.replace('#/$defs/', '#/components/schemas/')
      else if (key === 'committed') tidy['x-committed'] = member
      else tidy[key] = key === 'properties' && isObject(member) ? settleMembers(member) : settle(member)
    }
    return tidy
  }
  // A property may be called `id` or `pattern`: its name is no keyword.
  const settleMembers = (members: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(members).map(([name, member]) => [name, settle(member)]))

  const keep = (name: string, schema: Json) => {
    const before = components[name]
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(schema))
      throw new Error(
        `${name} reads otherwise where it is sent than where it is answered: give one another name`,
      )
    components[name] = schema
  }

  return {
    components,
    of(schema, io) {
      // zod's own type of a JSON Schema is the same tree with optional members.
      const made = z.toJSONSchema(schema, { io, metadata, target: 'draft-2020-12' }) as JsonObject
      const definitions = made['$defs']
      if (definitions !== undefined && isObject(definitions))
        for (const [name, definition] of Object.entries(definitions)) keep(name, settle(definition))
      const name = named.get(schema)
      const settled = settle(made)
      // A named schema without other names within comes as it is, one with them as a reference to its definition.
      if (name === undefined || '$ref' in made) return settled
      keep(name, settled)
      return { $ref: `#/components/schemas/${name}` }
    },
  }
}
