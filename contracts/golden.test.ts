import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { catalog, definitionOf } from './catalog.ts'
import { contextOf, type EventDefinition } from './event.ts'
import { Golden, goldenName, upcast } from './publish/golden.ts'

const folder = new URL('./golden/', import.meta.url)
const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
const read = (name: string): Golden => Golden.parse(JSON.parse(readFileSync(new URL(name, folder), 'utf8')))

test('every event type has a golden file of each of its versions', () => {
  const expected = Object.entries<EventDefinition>(catalog).flatMap(([type, { v }]) =>
    Array.from({ length: v }, (_, i) => goldenName(type, i + 1)),
  )
  expect(files.toSorted()).toEqual(expected.toSorted())
})

describe('what an earlier version wrote', () => {
  test.each(files)('%s is read by today’s', (name) => {
    const golden = read(name)
    const definition = definitionOf(golden.type)
    if (!definition) throw new Error(`${golden.type} is no event of today`)
    expect(goldenName(golden.type, golden.v)).toBe(name)
    const today = upcast(golden, definition)
    // Nothing that was recorded is lost on the way, as long as the version is the same.
    expect(golden.v === definition.v ? today : golden.data).toMatchObject(golden.data)
  })
})

describe('upcast()', () => {
  const definition: EventDefinition = {
    v: 3,
    says: 'A sample.',
    data: z.object({ names: z.array(z.string()), count: z.int() }),
    upcast: {
      1: (data) => ({ names: [z.object({ name: z.string() }).parse(data).name] }),
      2: (data) => ({ ...z.object({ names: z.array(z.string()) }).parse(data), count: 1 }),
    },
  }

  test('goes one version at a time', () => {
    expect(upcast({ type: 'x.y', v: 1, data: { name: 'a' } }, definition)).toEqual({ names: ['a'], count: 1 })
  })

  test('names the step that is missing', () => {
    const { upcast: steps, ...rest } = definition
    const gap = { ...rest, upcast: { 2: steps?.[2] ?? ((data: unknown) => data) } }
    expect(() => upcast({ type: 'x.y', v: 1, data: { name: 'a' } }, gap)).toThrow(
      'x.y has no way from version 1 to 2',
    )
  })
})

test('an event’s type names a context that the catalog knows, in the past tense’s place', () => {
  for (const type of Object.keys(catalog))
    expect(type).toMatch(new RegExp(`^${contextOf(type)}\\.[a-z]+(-[a-z]+)*$`))
})
