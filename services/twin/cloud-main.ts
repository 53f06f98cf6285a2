import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startCloud } from './cloud.ts'
import { newSigningKey } from './entra/tokens.ts'
import { connectorsOf } from './estate/elsewhere.ts'
import type { Estate } from './estate/estate.ts'
import { generatedEstate } from './estate/generated.ts'
import { seededEstates } from './estate/seeded.ts'
import { readState, writeState } from './estate/state-file.ts'

/*
 * The cloud as a process: prints one JSON line {url, identityEndpoint, identityHeader, directory, connectors} when it is
 * ready and ends when its stdin closes, which happens when the process that started it ends.
 *
 *   node cloud-main.ts [--port 0] [--estate contoso|clean|workshop|generated:VxSxKxC] [--state FILE]
 *
 * With --state the estate, once seeded, is kept there with its dates and whatever was changed since.
 */
const saveEveryMs = 1_000

function estateNamed(name: string, nowMs: number): Estate {
  if (name === 'contoso' || name === 'clean' || name === 'workshop') return seededEstates[name](nowMs)
  const [, vaults, secrets, keys, certificates] = name.match(/^generated:(\d+)x(\d+)x(\d+)(?:x(\d+))?$/) ?? []
  if (vaults === undefined)
    throw new Error(`--estate must be contoso, clean, workshop or generated:VxSxKxC, not '${name}'.`)
  return generatedEstate({
    vaults: Number(vaults),
    secrets: Number(secrets),
    keys: Number(keys),
    certificates: Number(certificates ?? '0'),
    now: nowMs,
  })
}

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    estate: { type: 'string', default: 'contoso' },
    state: { type: 'string' },
  },
})

const kept = (values.state === undefined ? undefined : await readState(values.state)) ?? {
  format: 1 as const,
  estate: estateNamed(values.estate, Date.now()),
  signingKey: await newSigningKey(),
  identityHeader: randomBytes(16).toString('hex'),
}

// A cloud that was kept before it had all of these gets what it lacks.
const fresh = estateNamed(values.estate, Date.now())
const lacking = Object.entries(fresh).filter(([part]) => !(part in kept.estate))
Object.assign(kept.estate, Object.fromEntries(lacking))
if (lacking.some(([part]) => part === 'aws'))
  kept.estate.applications.push(
    ...fresh.applications.filter(({ identifierUris }) => identifierUris !== undefined),
  )

let dirty = true
let saving: Promise<void> = Promise.resolve()
function save() {
  if (!dirty || values.state === undefined) return
  const { state } = values
  dirty = false
  saving = saving.then(() => writeState(state, kept))
}

const cloud = await startCloud({
  port: Number(values.port),
  estate: kept.estate,
  signingKey: kept.signingKey,
  // Given from outside where another container must know it beforehand.
  identityHeader: process.env['IDENTITY_HEADER'] || kept.identityHeader,
  changed: () => {
    dirty = true
  },
})
save()
const timer = setInterval(save, saveEveryMs)

async function end() {
  clearInterval(timer)
  await cloud.stop()
  save()
  await saving
}
const { promise: over, resolve: finish } = Promise.withResolvers<void>()
process.stdin.once('close', finish).once('end', finish).resume()
process.once('SIGTERM', finish).once('SIGINT', finish)

const { url, identityEndpoint, identityHeader } = cloud
process.stdout.write(
  `${JSON.stringify({
    url,
    identityEndpoint,
    identityHeader,
    directory: kept.estate.directory,
    connectors: connectorsOf(kept.estate),
  })}\n`,
)
await over
await end()
