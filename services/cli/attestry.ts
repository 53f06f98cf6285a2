#!/usr/bin/env node
/** The command line: what an operator or an auditor does without the console. */
import { parseArgs } from 'node:util'
import { fromHex, LogStart, toHex } from '@attestry/contracts'
import { describeConfiguration, messageOf } from '@attestry/kit'
import { verifyFile, verifyLedger } from '@attestry/kit/ledger'
import { connect } from '@attestry/kit/postgres'
import { readFile } from 'node:fs/promises'
import { verifyCommand } from './verify.ts'

const HELP = `attestry <command>

  verify <bundle.zip> --key signer.pub --tsa-root tsa-root.pem [--hmac-key FILE]
      Verifies an evidence bundle offline. Exit 0: it holds. 1: it does not. 3: it holds, its time is pending.
  ledger verify [--tenant NAME]
      Walks a tenant's chain in the database (DATABASE_URL) and names the first bad event.
  ledger verify <events.jsonl> [--start start.json]
      The same for an export.
  config
      Lists every variable with its meaning and what is in force.
`

class Usage extends Error {}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: 'string' },
    'tsa-root': { type: 'string' },
    'hmac-key': { type: 'string' },
    tenant: { type: 'string', default: process.env['ATTESTRY_TENANT'] ?? 'default' },
    start: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

/** The chain before an export's first line. */
async function startOf(path: string | undefined) {
  if (path === undefined) return {}
  const start = LogStart.parse(JSON.parse(await readFile(path, 'utf8')))
  const bytes = (hex: string) => {
    const read = fromHex(hex)
    if (!read) throw new Usage(`${path} holds a digest that is none`)
    return read
  }
  return {
    start: {
      seq: start.size,
      link: bytes(start.prev),
      frontier: start.frontier.map((f) => (f === null ? null : bytes(f))),
    },
  }
}

async function ledgerVerify(file: string | undefined): Promise<number> {
  let result: Awaited<ReturnType<typeof verifyLedger>>
  if (file !== undefined) result = await verifyFile(file, await startOf(values.start))
  else {
    const url = process.env['DATABASE_URL']
    if (!url) throw new Usage('DATABASE_URL is missing; or name an export to verify')
    const pool = connect({ url, max: 2 })
    try {
      result = await verifyLedger(pool, { tenant: values.tenant })
    } finally {
      await pool.end()
    }
  }
  if (!result.ok) {
    console.log(`The chain breaks at event ${result.seq}: ${result.reason}`)
    return 1
  }
  console.log(`The chain of ${result.events} events holds; its head is ${toHex(result.link)}`)
  return 0
}

function config(): number {
  const rows = describeConfiguration(process.env)
  const width = Math.max(...rows.map((r) => r.variable.length))
  for (const r of rows) {
    console.log(`${r.variable.padEnd(width)}  ${r.says}`)
    console.log(
      `${' '.repeat(width)}  ${r.problem ? `NOT GOOD: ${r.problem}` : `now: ${r.value || '(not set)'}`}`,
    )
  }
  return rows.some((r) => r.problem) ? 1 : 0
}

async function main(): Promise<number> {
  const [command, second, third] = positionals
  if (values.help || command === undefined) {
    console.log(HELP)
    return command === undefined && !values.help ? 2 : 0
  }
  if (command === 'config') return config()
  if (command === 'ledger' && second === 'verify') return ledgerVerify(third)
  if (command === 'verify') {
    if (second === undefined) throw new Usage('verify needs the path of a bundle')
    const options = {
      key: values.key,
      tsaRoot: values['tsa-root'],
      hmacKey: values['hmac-key'],
      now: new Date(),
    }
    return verifyCommand(second, options, console.log)
  }
  throw new Usage(`There is no command ${positionals.join(' ')}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Usage ? `${error.message}\n\n${HELP}` : messageOf(error))
  process.exitCode = 2
}
