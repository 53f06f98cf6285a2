import { catalog } from '../catalog.ts'
import { contextOf, type EventDefinition } from '../event.ts'
import { createSchemaBook, type Json, type JsonObject } from './schemas.ts'

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A schema in a few words: `text`, `list of VaultItem`, `one of a, b`. */
function inWords(schema: Json | undefined): string {
  if (!isObject(schema)) return 'anything'
  const { $ref, anyOf, type, items, prefixItems, format, pattern } = schema
  if (typeof $ref === 'string')
    return `[${$ref.split('/').at(-1)}](#${$ref.split('/').at(-1)?.toLowerCase()})`
  if (Array.isArray(anyOf)) return anyOf.map(inWords).join(' or ')
  if (Array.isArray(schema['enum'])) return schema['enum'].map((v) => `\`${String(v)}\``).join(', ')
  if (Array.isArray(type)) return type.map((t) => inWords({ ...schema, type: t })).join(' or ')
  if (type === 'array')
    return Array.isArray(prefixItems)
      ? `(${prefixItems.map(inWords).join(', ')})`
      : `list of ${inWords(items)}`
  if (type === 'object') {
    const fields = isObject(schema['properties']) ? Object.entries(schema['properties']) : []
    return `{ ${fields.map(([name, member]) => `${name}: ${inWords(member)}`).join('; ')} }`
  }
  if (format === 'date-time') return 'instant'
  if (pattern === '^[0-9a-f]{64}$') return 'SHA-256'
  if (typeof pattern === 'string' && pattern.startsWith('^[a-z][a-z-]*-')) return 'id'
  if (type === 'string') return 'text'
  if (type === 'integer') return 'whole number'
  if (type === 'boolean') return 'yes or no'
  return type === 'null' ? 'nothing' : 'anything'
}

const isCommitted = (schema: Json | undefined): boolean =>
  isObject(schema) &&
  (schema['x-committed'] === true || (Array.isArray(schema['anyOf']) && schema['anyOf'].some(isCommitted)))

const table = (schema: Json): string[] => {
  if (!isObject(schema) || !isObject(schema['properties'])) return []
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  return [
    '| field | what | |',
    '|---|---|---|',
    ...Object.entries(schema['properties']).map(([name, member]) => {
      const marks = [
        ...(isCommitted(member) ? ['committed'] : []),
        ...(required.includes(name) ? [] : ['optional']),
      ]
      return `| \`${name}\` | ${inWords(member).replaceAll('|', '\\|')} | ${marks.join(', ')} |`
    }),
    '',
  ]
}

/** Every event for people: what it says, its version and its fields. */
export function eventList(): string {
  const book = createSchemaBook()
  const lines = [
    '# Events',
    '',
    'Written by `node contracts/publish.ts`; do not edit. A field marked *committed* names a person, a thing or an',
    'address: the envelope holds a salted commitment, and the value lies beside it, where it can be withheld or erased.',
    '',
  ]
  let context = ''
  for (const [type, definition] of Object.entries<EventDefinition>(catalog)) {
    if (contextOf(type) !== context) {
      context = contextOf(type)
      lines.push(`## ${context}`, '')
    }
    lines.push(`### ${type}`, '', `Version ${definition.v}. ${definition.says}`, '')
    lines.push(...table(book.of(definition.data, 'output')))
  }
  lines.push('## Shapes', '')
  for (const [name, schema] of Object.entries(book.components).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const fields = table(schema)
    lines.push(`### ${name}`, '', ...(fields.length > 0 ? fields : [inWords(schema), '']))
  }
  return lines.join('\n')
}
