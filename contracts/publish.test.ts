import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { catalog } from './catalog.ts'
import { type Endpoint, http } from './http/index.ts'
import { documents, outdated } from './publish.ts'

const documentOf = (file: string): unknown => JSON.parse(documents()[file] ?? '')

const Operation = z.object({
  operationId: z.string(),
  summary: z.string().min(1),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  'x-roles': z.union([z.string(), z.array(z.string())]),
  'x-entitlement': z.string().optional(),
  'x-reauthenticate': z.boolean().optional(),
  parameters: z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean() })),
  requestBody: z.object({ content: z.record(z.string(), z.unknown()) }).optional(),
  responses: z.record(
    z.string().regex(/^\d{3}$/),
    z.object({ description: z.string().min(1), content: z.record(z.string(), z.unknown()).optional() }),
  ),
})
const OpenApi = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({
    schemas: z.record(z.string(), z.unknown()),
    securitySchemes: z.record(z.string(), z.unknown()),
  }),
})

/** Every local reference of a document, and whether something is there. */
function brokenReferences(document: unknown): string[] {
  const broken: string[] = []
  const at = (path: string): unknown =>
    path
      .split('/')
      .slice(1)
      .reduce<unknown>((tree, key) => (tree as Record<string, unknown> | undefined)?.[key], document)
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, member] of Object.entries(value))
      if (key === '$ref' && typeof member === 'string') {
        if (at(member) === undefined) broken.push(member)
      } else walk(member)
  }
  walk(document)
  return broken
}

test('what is checked in is what the contracts say', () => {
  expect(outdated()).toEqual([])
})

describe('openapi.json', () => {
  const api = OpenApi.parse(documentOf('openapi.json'))
  const operations = Object.values(api.paths).flatMap((path) => Object.values(path))
  const operationOf = (service: string, name: string) => {
    const found = operations.find((o) => o.operationId === `${service}.${name}`)
    if (!found) throw new Error(`${service}.${name} is not published`)
    return found
  }
  const table = Object.entries(http).flatMap(([service, endpoints]) =>
    Object.entries<Endpoint>(endpoints).map(([name, endpoint]) => ({ service, name, endpoint })),
  )

  test('is OpenAPI 3.1, holds each endpoint once, and every reference in it leads somewhere', () => {
    expect(api.openapi).toMatch(/^3\.1\./)
    expect(new Set(operations.map((o) => o.operationId)).size).toBe(table.length)
    expect(operations).toHaveLength(table.length)
    expect(brokenReferences(documentOf('openapi.json'))).toEqual([])
  })

  test.each(table)('$service.$name says who may call it and what it needs', ({ service, name, endpoint }) => {
    const operation = operationOf(service, name)
    expect(operation['x-roles']).toEqual(endpoint.roles)
    expect(operation.security).toEqual(endpoint.roles === 'open' ? [] : [{ cookie: [] }, { bearer: [] }])
    expect(operation['x-entitlement']).toBe(endpoint.entitlement)
    expect(operation['x-reauthenticate']).toBe(endpoint.reauthenticate)
    expect(operation.requestBody !== undefined).toBe(
      endpoint.body !== undefined || endpoint.upload !== undefined,
    )
    const inPath = operation.parameters.filter((p) => p.in === 'path').map((p) => p.name)
    expect(inPath).toEqual([...endpoint.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))
    expect('401' in operation.responses).toBe(
      endpoint.roles !== 'open' || Object.values(endpoint.refusals).includes('unauthenticated'),
    )
    const text = JSON.stringify(operation.responses)
    for (const code of Object.keys(endpoint.refusals)) expect(text).toContain(`"${code}"`)
  })
})

describe('asyncapi.json', () => {
  test('holds every event on the one topic and a queue for each service that works', () => {
    const Channels = z.object({
      asyncapi: z.literal('3.0.0'),
      channels: z.record(
        z.string(),
        z.object({ address: z.string(), messages: z.record(z.string(), z.unknown()) }),
      ),
    })
    const { channels } = Channels.parse(documentOf('asyncapi.json'))
    expect(Object.keys(channels['events']?.messages ?? {})).toEqual(Object.keys(catalog))
    expect(Object.keys(channels)).toEqual([
      'events',
      'discovery-commands',
      'compliance-commands',
      'rotation-commands',
      'sync-commands',
      'evidence-commands',
      'licensing-commands',
    ])
    expect(brokenReferences(documentOf('asyncapi.json'))).toEqual([])
  })
})

describe('events.md', () => {
  const text = documents()['events.md'] ?? ''

  test('says what each event means, and which fields are committed', () => {
    for (const [type, { says }] of Object.entries(catalog)) {
      expect(text).toContain(`### ${type}\n`)
      expect(text).toContain(says)
    }
    expect(text).toContain('| `name` | text | committed |')
  })

  test('links only to shapes that it lists', () => {
    const titles = new Set([...text.matchAll(/^### (.+)$/gm)].map((m) => m[1]?.toLowerCase()))
    for (const [, anchor] of text.matchAll(/\]\(#([^)]+)\)/g)) expect(titles).toContain(anchor)
  })
})
