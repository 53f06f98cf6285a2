#!/usr/bin/env node
/**
 * All benchmarks in one run, printed as one table a part.
 *
 *     npm run bench                 all parts, printed
 *     npm run bench -- ledger       one part
 *     npm run bench -- --keep       and kept in docs/benchmarks.md
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { run as bundle } from './bundle.bench.ts'
import { run as compliance } from './compliance.bench.ts'
import { run as discovery } from './discovery.bench.ts'
import { run as evidence } from './evidence.bench.ts'
import { run as install } from './install.bench.ts'
import { run as ledger } from './ledger.bench.ts'
import { run as license } from './license.bench.ts'
import { run as rotation } from './rotation.bench.ts'
import type { Row } from './row.ts'
import { run as sync } from './sync.bench.ts'
import { run as verifier } from './verifier.bench.ts'

const PARTS: Readonly<Record<string, { title: string; run: () => Promise<Row[]> }>> = {
  ledger: { title: 'Ledger: append and verify', run: ledger },
  discovery: { title: 'Discovery: calls, time and memory of a scan', run: discovery },
  compliance: { title: 'Compliance: 40 rules over 100,000 assets', run: compliance },
  rotation: { title: 'Rotation: 1,000 planned, 100 at once', run: rotation },
  sync: { title: 'Sync: calls and time of a route to AWS', run: sync },
  license: { title: 'The licence service: a fleet of 100,000 installs', run: license },
  evidence: { title: 'Evidence: a million rows as CSV', run: evidence },
  bundle: { title: 'Evidence: a bundle of the seeded estate', run: bundle },
  verifier: { title: 'Evidence: the verifier in a browser', run: verifier },
  install: { title: 'The install as a whole', run: install },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'boolean', default: false } },
})
const wrong = positionals.find((name) => !(name in PARTS))
if (wrong) {
  console.error(`There is no part ${wrong}. Parts: ${Object.keys(PARTS).join(', ')}.`)
  process.exit(2)
}

const MARK = new Map<boolean | null, string>([
  [true, 'yes'],
  [false, '**no**'],
  [null, ''],
])

const table = (rows: readonly Row[]): string =>
  [
    '| what | measured | goal | met |',
    '|---|---|---|---|',
    ...rows.map((r) => `| ${r.what} | ${r.measured} | ${r.goal} | ${MARK.get(r.met) ?? ''} |`),
  ].join('\n')

const asked = Object.keys(PARTS).filter((name) => positionals.length === 0 || positionals.includes(name))
const sections: string[] = []
const failed: string[] = []
for (const name of asked) {
  // A process each: what one leaves behind in a library, in memory or in compiled code is no part of the next one's figures.
  const section = asked.length > 1 ? await inProcess(name) : await sectionOf(name)
  if (section === null) failed.push(name)
  else sections.push(section)
}

async function sectionOf(name: string): Promise<string | null> {
  const part = PARTS[name]
  if (!part) return null
  const section = `## ${part.title}\n\n${table(await part.run())}`
  console.log(`${section}\n`)
  return section
}

/** The same in a process of its own; null where it failed, which it has said. */
async function inProcess(name: string): Promise<string | null> {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    process.stdout.write(text)
  })
  const [code] = await once(child, 'close')
  const from = said.lastIndexOf('## ')
  return code === 0 && from >= 0 ? said.slice(from).trim() : null
}

if (failed.length > 0) {
  console.error(`These parts failed, and nothing was kept: ${failed.join(', ')}.`)
  process.exit(1)
}
if (values.keep) {
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, Node ${process.version}; fsync is on for the ledger’s part and off for the test databases of the others`
  const text = [
    '# Benchmarks',
    `Made by \`npm run bench -- --keep\` on ${new Date().toISOString().slice(0, 10)}: ${machine}. Ratios are of figures of the same run.`,
    ...sections,
    '',
  ].join('\n\n')
  await writeFile(new URL('../../docs/benchmarks.md', import.meta.url), text)
}
// Drivers of peers may keep a handle open; everything has been said.
process.exit(0)
