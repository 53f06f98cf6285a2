import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { discoveryHttp, gatewayHttp, type RotationDetail, rotationHttp } from '@attestry/contracts/http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bringUp, PASSWORD, scanned, type Stage, until } from '../stage.ts'
import { type RunningCloud, seededEstate, startCloud } from '../twin/index.ts'
import { createTsa } from '../twin/tsa/index.ts'
import { outcomeOf } from './plan-text.ts'
import { applyCommand, type ApplyWish, planCommand, type PlanWish, type SignIn } from './rotation.ts'

/* `attestry plan` and `attestry apply` as processes of their own, against a whole install behind its gateway. */

let folder: string
let cloud: RunningCloud
let stage: Stage
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestry-apply-'))
  const tsa = await createTsa({ clock: () => new Date(), random: (n) => new Uint8Array(randomBytes(n)) })
  cloud = await startCloud({ estate: seededEstate(Date.now()), tsa })
  process.env['IDENTITY_ENDPOINT'] = cloud.identityEndpoint
  process.env['IDENTITY_HEADER'] = cloud.identityHeader
  stage = await bringUp(cloud, tsa.rootPem)
  await scanned(stage.api)
  const { token } = await stage.api.call(gatewayHttp.reauthenticate, { body: { password: PASSWORD } })
  if (token) stage.api.token = token
}, 180_000)
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]()
  await cloud?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A command as a process of its own, as a person runs it. */
function start(args: readonly string[]) {
  const program = fileURLToPath(new URL('./attestry.ts', import.meta.url))
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH, ATTESTRY_URL: stage.url, ATTESTRY_NAME: 'admin', ATTESTRY_PASSWORD: PASSWORD },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const hear = (chunk: Buffer) => {
    said += chunk.toString()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = new Promise<{ code: number | null; said: string }>((done) =>
    child.once('close', (code) => done({ code, said })),
  )
  return { child, said: () => said, ended }
}

/** The same commands within this process, for what needs no process of its own. */
async function here(work: (sign: SignIn, say: (line: string) => void) => Promise<number>) {
  const lines: string[] = []
  const sign = { url: stage.url, name: 'admin', password: PASSWORD }
  const code = await work(sign, (line) => lines.push(line))
  return { code, said: lines.join('\n') }
}
const signal = new AbortController().signal
const plan = (wish: Partial<PlanWish>) =>
  here((sign, say) =>
    planCommand(
      sign,
      { policy: undefined, credential: undefined, compromise: false, json: false, out: undefined, ...wish },
      say,
      signal,
    ),
  )
const apply = (given: readonly string[], more: Partial<ApplyWish> = {}) =>
  here((sign, say) =>
    applyCommand(
      sign,
      {
        plan: given,
        ticket: undefined,
        incident: undefined,
        breakGlass: undefined,
        wait: false,
        json: false,
        ...more,
      },
      say,
      signal,
    ),
  )

async function policyFor(): Promise<void> {
  const { api } = stage
  const [credential] = (
    await api.call(discoveryHttp.listAssets, { query: { search: 'hr-feed', kind: 'app-secret' } })
  ).items
  const vault = (await api.call(discoveryHttp.listVaults, { query: { limit: '1000' } })).items.find(
    (v) => v.facts.name === 'kv-identity-prod',
  )
  if (!credential || !vault) throw new Error('Contoso has an hr-feed')
  await until(async () => {
    try {
      return await api.call(rotationHttp.savePolicy, {
        body: {
          credential: credential.asset,
          cadenceDays: 90,
          settings: {
            daysBeforeExpiry: 14,
            targets: [{ vault: vault.vault, secret: 'hr-feed-client-secret', content: 'value' }],
            window: null,
            approvals: 0,
            dependents: 'switch',
            graceHours: 1,
            prestageDays: null,
            owner: null,
          },
        },
      })
    } catch {
      // Rotation has not folded the scan yet; `until` gives up in the end.
      return null
    }
  }, 30_000)
  await until(async () => {
    const { items } = await api.call(rotationHttp.listPolicies)
    return items.length > 0 ? items : null
  }, 30_000)
}

const read = (rotation: string) => stage.api.call(rotationHttp.readRotation, { params: { rotation } })

test('a plan is printed without a value, applied by its hash, followed, left running and taken up again', {
  timeout: 240_000,
}, async () => {
  await policyFor()
  const file = join(folder, 'plan.json')
  const planned = await plan({ policy: 'contoso-hr-feed', out: file })
  expect(planned).toMatchObject({ code: 0 })
  expect(planned.said).toContain('+ contoso-hr-feed: a new credential')
  expect(planned.said).toContain('~ kv-identity-prod.vault.azure.net / hr-feed-client-secret')
  expect(planned.said).toContain('Nothing was changed.')
  const { rotation, planHash } = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>
  if (!rotation || !planHash) throw new Error('the file names rotation and hash')
  expect(planned.said).toContain(planHash)
  expect((await read(rotation)).stage).toBe('planned')

  // Another hash is another plan.
  await expect(apply([rotation, 'f'.repeat(64)])).rejects.toThrow('The plan changed')
  expect((await read(rotation)).stage).toBe('planned')

  // Ctrl-C leaves it running, and says so.
  const running = start(['apply', file, '--ticket', 'CHG-4711'])
  await until(async () => (/about to be issued/.test(running.said()) ? true : null), 120_000)
  running.child.kill('SIGINT')
  const left = await running.ended
  expect(left.said).toContain('Change ticket CHG-4711')
  expect(left.said).toContain('The rotation goes on by itself')
  expect(left.code).toBe(130)
  expect((await read(rotation)).stage).toBe('issuing')

  // What was asked for already is only followed: first to a person's pause, then to its end.
  await stage.api.call(rotationHttp.pauseRotation, { params: { rotation } })
  const paused = await apply([file])
  expect(paused.said).toMatch(/issuing: /)
  expect(paused.code).toBe(4)
  await stage.api.call(rotationHttp.takeOverRotation, {
    params: { rotation },
    body: { reason: 'finished by hand' },
  })
  const over = await apply([file], { json: true })
  expect((JSON.parse(over.said) as RotationDetail).stage).toBe('taken-over')
  expect(over.code).toBe(1)
  for (const said of [planned.said, left.said, paused.said, over.said])
    for (const canary of cloud.secretCanaries()) expect(said).not.toContain(canary)
})

test.each([
  ['a policy that is none', () => plan({ policy: 'nobody' }), /No policy is called nobody/],
  ['neither policy nor credential', () => plan({}), /needs --policy or --credential/],
  ['a rotation that is none', () => apply(['rotation-00000000', 'a'.repeat(64)]), /No rotation of this id/],
  ['half a hash', () => apply(['rotation-00000000', 'abc']), /64 digits/],
  ['a file that is no plan', () => apply([fileURLToPath(import.meta.url)]), /is no plan/],
  ['no plan at all', () => apply([]), /apply needs a plan/],
])('refuses %s, and says what is wrong', async (_what, work, says) => {
  await expect(work()).rejects.toThrow(says)
})

test('who signs in is asked for by name, and what is wrong ends with 2', { timeout: 120_000 }, async () => {
  const ran = start(['apply', 'rotation-00000000', 'abc', '--name', ''])
  expect(await ran.ended).toMatchObject({
    code: 2,
    said: expect.stringContaining('--name is missing') as string,
  })
})

describe('outcomeOf()', () => {
  const now = Date.parse('2026-11-26T07:00:00Z')
  const base = {
    stage: 'grace',
    endedAt: null,
    paused: false,
    needsOperator: null,
    pending: null,
    dependents: [],
    now: { says: '', until: null },
  } as unknown as RotationDetail
  test.each([
    ['complete', { stage: 'complete', endedAt: '2026-11-26T06:00:00Z' }, 0],
    ['rolled back', { stage: 'rolled-back', endedAt: '2026-11-26T06:00:00Z' }, 1],
    ['in a grace that has time to run', { now: { says: '', until: '2026-11-27T07:00:00Z' } }, 3],
    ['before its window', { stage: 'scheduled', now: { says: '', until: '2026-11-27T07:00:00Z' } }, 3],
    ['before approval', { stage: 'awaiting-approval' }, 4],
    ['standing still', { stage: 'cutover', needsOperator: { step: 'cutover', reason: 'x' } }, 4],
    ['past its grace with a checklist open', { dependents: [{ state: 'waiting' }] }, 4],
    ['at work', { stage: 'issuing' }, null],
  ])('tells how a rotation ends a command that is %s', (_what, more, outcome) => {
    expect(outcomeOf({ ...base, ...(more as Partial<RotationDetail>) }, now)).toBe(outcome)
  })
})
