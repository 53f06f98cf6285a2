import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { catalog } from './catalog.ts'
import type { EventDefinition } from './event.ts'
import { asyncapi } from './publish/asyncapi.ts'
import { eventList } from './publish/event-list.ts'
import { goldenName, goldenOf } from './publish/golden.ts'
import { openapi } from './publish/openapi.ts'

/*
 * Writes what is published of the contracts: openapi.json, asyncapi.json, events.md, and a golden file for each
 * event version that has none yet. `--check` writes nothing and fails when a file differs from what would be written.
 */

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** The published documents by file name. Golden files are not among them: they are added, never written again. */
export const documents = (): Readonly<Record<string, string>> => ({
  'openapi.json': json(openapi()),
  'asyncapi.json': json(asyncapi()),
  'events.md': eventList(),
})

const place = (file: string): URL => new URL(file, import.meta.url)

/** Golden files that are missing, by file name. */
export const missingGolden = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries<EventDefinition>(catalog)
      .map(([type, definition]) => [`golden/${goldenName(type, definition.v)}`, type, definition] as const)
      .filter(([file]) => !existsSync(place(file)))
      .map(([file, type, definition]) => [file, json(goldenOf(type, definition))]),
  )

/** Documents that differ from what the contracts say, and golden files that are missing. */
export const outdated = (): string[] => [
  ...Object.entries(documents())
    .filter(([file, text]) => !existsSync(place(file)) || readFileSync(place(file), 'utf8') !== text)
    .map(([file]) => file),
  ...Object.keys(missingGolden()),
]

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const files = outdated()
    for (const file of files)
      process.stderr.write(`contracts/${file} is not what the contracts say: run npm run publish:contracts\n`)
    process.exitCode = files.length > 0 ? 1 : 0
  } else {
    for (const [file, text] of Object.entries({ ...documents(), ...missingGolden() }))
      writeFileSync(place(file), text)
  }
}
