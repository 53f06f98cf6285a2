import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostHeader } from './index.ts'

let folder: string
const running: ChildProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twin-cloud-'))
})
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  await rm(folder, { recursive: true, force: true })
})

async function run(...args: string[]) {
  const child = spawn(process.execPath, [new URL('cloud-main.ts', import.meta.url).pathname, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  running.push(child)
  const errors: string[] = []
  child.stderr.on('data', (chunk) => errors.push(String(chunk)))
  const exited = once(child, 'exit')
  const first = once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(20_000) })
  const line = await Promise.race([first, exited.then(() => undefined)])
  return {
    ready:
      line === undefined
        ? undefined
        : (JSON.parse(String(line[0])) as {
            url: string
            identityEndpoint: string
            identityHeader: string
            directory: string
          }), // what cloud-main prints
    errors,
    async end(): Promise<number | null> {
      child.stdin.end()
      await exited
      return child.exitCode
    },
  }
}

async function secretNames(
  ready: { url: string; identityEndpoint: string; identityHeader: string } | undefined,
) {
  if (ready === undefined) throw new Error('The cloud did not start.')
  const signal = AbortSignal.timeout(10_000)
  const token = await fetch(
    `${ready.identityEndpoint}?api-version=2019-08-01&resource=https://vault.azure.net`,
    { headers: { 'x-identity-header': ready.identityHeader }, signal },
  )
  const { access_token: bearer } = (await token.json()) as { access_token: string } // the managed identity's answer
  const answer = await fetch(`${ready.url}/secrets?api-version=7.6`, {
    headers: { [hostHeader]: 'kv-payments-prod.vault.azure.net', authorization: `Bearer ${bearer}` },
    signal,
  })
  return { status: answer.status, bearer, body: await answer.text() }
}

test('the cloud as a process answers, keeps its estate in a file and ends when its stdin closes', async () => {
  const file = join(folder, 'cloud.json')
  const first = await run('--state', file)
  const before = await secretNames(first.ready)
  expect(before.status).toBe(200)
  expect(await first.end()).toBe(0)

  const second = await run('--state', file)
  const after = await secretNames(second.ready)
  expect(after.body).toBe(before.body)
  expect(second.ready?.identityHeader).toBe(first.ready?.identityHeader)
  // A token of the first run is still good: its signing key was kept.
  const reused = await fetch(`${second.ready?.url}/secrets?api-version=7.6`, {
    headers: { [hostHeader]: 'kv-payments-prod.vault.azure.net', authorization: `Bearer ${before.bearer}` },
    signal: AbortSignal.timeout(5_000),
  })
  expect(reused.status).toBe(200)
  expect(await second.end()).toBe(0)
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ format: 1, estate: { name: 'contoso' } })
})

test('a half-written state file is an error that names it, and it is left as it was', async () => {
  const file = join(folder, 'cloud.json')
  await writeFile(file, '{"format":1,"esta')
  const broken = await run('--state', file)
  expect(broken.ready).toBeUndefined()
  expect(broken.errors.join('')).toContain(`${file} is not a kept cloud`)
  expect(await readFile(file, 'utf8')).toBe('{"format":1,"esta')
})

test('an unknown estate is refused by name; a generated one starts', async () => {
  const wrong = await run('--estate', 'fabrikam')
  expect(wrong.errors.join('')).toContain("not 'fabrikam'")
  const generated = await run('--estate', 'generated:3x4x1')
  expect(generated.ready?.directory).toMatch(/^[0-9a-f-]{36}$/)
  expect(await generated.end()).toBe(0)
})
