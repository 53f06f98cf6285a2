#!/usr/bin/env node
/** The command line: what an operator or an auditor does without the console. */
import { parseArgs } from 'node:util'
import { fromHex, LogStart, toHex } from '@attestry/contracts'
import { describeConfiguration, messageOf } from '@attestry/kit'
import { verifyFile, verifyLedger } from '@attestry/kit/ledger'
import { connect } from '@attestry/kit/postgres'
import { readFile } from 'node:fs/promises'
import { BadOption } from './bad-option.ts'
import type { SignIn } from './rotation.ts'

const HELP = `attestry <command>

  verify <bundle.zip> --key signer.pub --tsa-root tsa-root.pem [--checkpoint-key checkpoint.vkey]
      [--period FROM/TO] [--rederive] [--against FILE]… [--hmac-key FILE]
      Verifies an evidence bundle offline, a line a check. FILE is another bundle of the same ledger, or a
      .checkpoint that you kept: nothing before it may have been rewritten.
      Exit 0: it holds. 1: it does not. 2: it could not be verified. 3: it holds, its time is pending.
  receipt <event.tlog-proof> --checkpoint-key checkpoint.vkey --event FILE
      Verifies that one event is in the ledger. FILE holds the event's line of events.jsonl.
  ledger verify [--tenant NAME]
      Walks a tenant's chain in the database (DATABASE_URL) and names the first bad event.
  ledger verify <events.jsonl> [--start start.json]
      The same for an export.
  plan (--policy NAME|ID | --credential ID) [--compromise] [--out plan.json] [--json]
      Plans a rotation: prints what it would change where, and its hash. Changes nothing.
  apply (<plan.json> | <rotation> <hash>) [--ticket ID] [--incident ID] [--break-glass WHY] [--wait] [--json]
      Asks for a plan to be carried out and follows it; refuses when the plan is not the one of the hash. Ctrl-C leaves
      the rotation running. Exit 0: complete. 1: it ended otherwise. 2: it could not be asked for. 3: it waits for a
      time, such as its window or the grace (--wait follows through it). 4: it waits for a person.
      Both take --url (ATTESTRY_URL), --name (ATTESTRY_NAME) and the password of ATTESTRY_PASSWORD, or ask for it.
  config
      Lists every variable with its meaning and what is in force.
`

class Usage extends Error {}

const { values, positionals } = read()

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        key: { type: 'string' },
        'tsa-root': { type: 'string' },
        'hmac-key': { type: 'string' },
        'checkpoint-key': { type: 'string' },
        period: { type: 'string' },
        rederive: { type: 'boolean', default: false },
        against: { type: 'string', multiple: true, default: [] },
        event: { type: 'string' },
        tenant: { type: 'string', default: process.env['ATTESTRY_TENANT'] ?? 'default' },
        start: { type: 'string' },
        url: { type: 'string', default: process.env['ATTESTRY_URL'] ?? 'http://127.0.0.1:4600' },
        name: { type: 'string', default: process.env['ATTESTRY_NAME'] ?? '' },
        policy: { type: 'string' },
        credential: { type: 'string' },
        compromise: { type: 'boolean', default: false },
        out: { type: 'string' },
        ticket: { type: 'string' },
        incident: { type: 'string' },
        'break-glass': { type: 'string' },
        wait: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    // An option that is none, or lacks its value. To end with 1 would say that a bundle does not hold.
    console.error(`${messageOf(error)}\n\n${HELP}`)
    process.exit(2)
  }
}

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
  if (result.events === 0) {
    console.log(`${file ?? 'The chain'} holds no event: nothing was verified`)
    return 1
  }
  console.log(`The chain of ${result.events} events holds; its head is ${toHex(result.link)}`)
  return 0
}

/** Who signs in for a command that speaks to the gateway. */
function signIn(): SignIn {
  if (values.name === '') throw new Usage('--name is missing: who signs in? (or ATTESTRY_NAME)')
  if (!URL.canParse(values.url))
    throw new Usage(`--url takes an address such as https://attestry.example, not ${values.url}`)
  return { url: values.url, name: values.name, password: process.env['ATTESTRY_PASSWORD'] }
}

/** Runs work that Ctrl-C ends, once; a second Ctrl-C ends the process. */
async function interruptible(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const end = new AbortController()
  process.once('SIGINT', () => end.abort())
  return work(end.signal)
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
      checkpointKey: values['checkpoint-key'],
      period: values.period,
      rederive: values.rederive,
      against: values.against,
      now: new Date(),
    }
    // Each command is loaded when it is asked for: none waits for what only another needs.
    const { verifyCommand } = await import('./verify.ts')
    return verifyCommand(second, options, console.log)
  }
  if (command === 'receipt') {
    const key = values['checkpoint-key']
    if (second === undefined || key === undefined || values.event === undefined)
      throw new Usage('receipt needs the path of a receipt, --checkpoint-key and --event')
    const { receiptCommand } = await import('./receipt.ts')
    return receiptCommand(second, { checkpointKey: key, event: values.event }, console.log)
  }
  if (command === 'plan') {
    const { policy, credential, compromise, out, json } = values
    const { planCommand } = await import('./rotation.ts')
    return interruptible((signal) =>
      planCommand(signIn(), { policy, credential, compromise, out, json }, console.log, signal),
    )
  }
  if (command === 'apply') {
    const { ticket, incident, wait, json } = values
    const wish = {
      plan: positionals.slice(1),
      ticket,
      incident,
      breakGlass: values['break-glass'],
      wait,
      json,
    }
    const { applyCommand } = await import('./rotation.ts')
    return interruptible((signal) => applyCommand(signIn(), wish, console.log, signal))
  }
  throw new Usage(`There is no command ${positionals.join(' ')}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(
    error instanceof Usage || error instanceof BadOption ? `${error.message}\n\n${HELP}` : messageOf(error),
  )
  process.exitCode = 2
}
