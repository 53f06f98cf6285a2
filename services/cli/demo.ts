#!/usr/bin/env node
/**
 * The main job without a person: brings everything up in a temporary folder on free ports, scans the twin's estate,
 * evaluates it, builds a bundle into the folder given, verifies it with stock tools and with our verifier, prints a
 * summary, and stops everything. Exits 0, or 1 with the step that failed.
 *
 *     npm run demo -- [DIR]      default ./out
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ReportType } from '@attestry/contracts'
import { complianceHttp, discoveryHttp, evidenceHttp, gatewayHttp } from '@attestry/contracts/http'
import { unzipSync } from 'fflate'
import { createClient } from './client.ts'
import { verifyCommand } from './verify.ts'

const out = resolve(process.argv[2] ?? 'out')
const state = await mkdtemp(join(tmpdir(), 'attestry-demo-'))
const over = new AbortController()
const giveUp = setTimeout(
  () => over.abort(new Error('the demonstration took more than four minutes')),
  240_000,
)
const timings: [string, number][] = []

/** Runs one step with a clock, and names it in what goes wrong. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  process.stdout.write(`… ${name}`)
  try {
    const result = await work()
    const ms = Math.round(performance.now() - began)
    timings.push([name, ms])
    process.stdout.write(`\r✓ ${name} (${(ms / 1000).toFixed(1)} s)\n`)
    return result
  } catch (error) {
    process.stdout.write(`\r✗ ${name}\n`)
    throw new Error(`The step "${name}" failed`, { cause: error })
  }
}

/** Asks until the answer is there; bounded by the whole run's deadline. */
async function until<T>(ask: () => Promise<T | null>, everyMs = 200): Promise<T> {
  for (;;) {
    over.signal.throwIfAborted()
    const answer = await ask()
    if (answer !== null) return answer
    await wait(everyMs, undefined, { signal: over.signal })
  }
}

const program = fileURLToPath(new URL('../main.ts', import.meta.url))
const child = spawn(process.execPath, [program, '--embedded', '--free-ports', '--state', state], {
  stdio: ['pipe', 'pipe', 'pipe'],
  env: { ...process.env, ATTESTRY_END_WITH_STDIN: 'true', ATTESTRY_LOG_LEVEL: 'warn' },
})
let said = ''
let complained = ''
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  said += text
})
child.stderr.setEncoding('utf8').on('data', (text: string) => {
  complained = (complained + text).slice(-20_000)
})
const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
void ended.then(() => over.abort(new Error(`the product ended by itself:\n${complained}`)))
// What was begun is stopped and removed all the same.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => over.abort(new Error(`it was ended by ${signal}`)))

let failed: unknown = null
try {
  await step('make the folder', () => mkdir(out, { recursive: true }))
  const { url, password } = await step('bring everything up', () =>
    until(async () => {
      const url = /is ready at (\S+)/.exec(said)?.[1]
      if (!url) return null
      const first = await readFile(join(state, 'first-sign-in.txt'), 'utf8')
      const password = /one-time password (\S+)/.exec(first)?.[1]
      if (!password) throw new Error('the first sign-in does not say its password')
      return { url, password }
    }, 50),
  )
  const api = createClient(url, over.signal)
  const chosen = randomBytes(18).toString('base64url')
  const signIn = async (secret: string) => {
    const { token } = await api.call(gatewayHttp.login, {
      body: { name: 'admin', password: secret, as: 'bearer' },
    })
    api.token = token
  }
  await step('sign in and choose a password', async () => {
    await signIn(password)
    await api.call(gatewayHttp.changePassword, { body: { current: password, next: chosen } })
    await signIn(chosen)
  })
  const scan = await step('scan the estate', () =>
    until(async () => {
      const [latest] = (await api.call(discoveryHttp.listScans, { query: { limit: '1' } })).items
      if (latest?.state === 'failed') throw new Error(latest.problem ?? 'the scan failed')
      return latest?.state === 'completed' ? latest : null
    }),
  )
  const score = await step('evaluate 40 rules', () =>
    until(async () => {
      const { current, open, pending, trend } = await api.call(complianceHttp.readScore)
      // A change or the hour may have been judged since.
      return current && !pending && trend.some((e) => e.scan === scan.scan) ? { current, open } : null
    }),
  )
  const keys = await api.call(evidenceHttp.readKeys)
  const bundle = await step('build an evidence bundle', async () => {
    const { token } = await api.call(gatewayHttp.reauthenticate, { body: { password: chosen } })
    if (token) api.token = token
    const to = new Date()
    const from = new Date(to.getTime() - 24 * 3_600_000)
    const { bundle } = await api.call(evidenceHttp.requestBundle, {
      body: {
        reports: ReportType.options,
        from: from.toISOString(),
        to: to.toISOString(),
      },
    })
    return until(async () => {
      const row = await api.call(evidenceHttp.readBundle, { params: { bundle } })
      if (row.state === 'failed' || row.state === 'cancelled')
        throw new Error(row.problem ?? 'the bundle failed')
      return row.state === 'sealed' ? row : null
    })
  })
  const path = join(out, `${bundle.bundle}.zip`)
  const signer = join(out, 'signer.pub')
  const root = join(out, 'tsa-root.pem')
  await step('fetch it', async () => {
    const response = await api.call(evidenceHttp.downloadBundle, { params: { bundle: bundle.bundle } })
    await writeFile(path, new Uint8Array(await response.arrayBuffer()))
    await writeFile(signer, keys.signer.pem)
    await writeFile(root, keys.tsa.map((t) => t.rootPem).join('\n'))
  })
  await step('verify it with sha256sum and openssl', async () => {
    const folder = await mkdtemp(join(state, 'bundle-'))
    for (const [name, bytes] of Object.entries(unzipSync(await readFile(path)))) {
      await mkdir(join(folder, name, '..'), { recursive: true })
      await writeFile(join(folder, name), bytes)
    }
    const run = promisify(execFile)
    const expect = async (program: string, args: string[], answer: RegExp) => {
      const { stdout, stderr } = await run(program, args, { cwd: folder, signal: over.signal })
      if (!answer.test(stdout + stderr)) throw new Error(`${program} said: ${stdout}${stderr}`)
    }
    await expect('sha256sum', ['--strict', '-c', 'SHA256SUMS'], /: OK/)
    await expect(
      'openssl',
      ['dgst', '-sha256', '-verify', signer, '-signature', 'sig/SHA256SUMS.es256', 'SHA256SUMS'],
      /Verified OK/,
    )
    const stamp = ['-data', 'sig/SHA256SUMS.es256', '-in', 'sig/SHA256SUMS.es256.tsr', '-CAfile', root]
    await expect('openssl', ['ts', '-verify', ...stamp], /Verification: OK/)
  })
  await step('verify it with attestry verify', async () => {
    const lines: string[] = []
    const options = { key: signer, tsaRoot: root, hmacKey: undefined, now: new Date() }
    const code = await verifyCommand(path, options, (line) => lines.push(line))
    if (code !== 0) throw new Error(lines.join('\n'))
  })
  const counts = scan.counts
  console.log(`
DEMONSTRATION: the estate is made up; nothing here is evidence of anything real.

Assets      ${counts ? `${counts.secrets} secrets, ${counts.keys} keys, ${counts.certificates} certificates, ${counts.credentials} application credentials in ${counts.vaults} vaults` : 'unknown'}
Unreachable ${scan.unreachable.map((u) => `${u.name} (${u.why})`).join(', ') || 'none'}
Findings    ${score.open.map((o) => `${o.count} ${o.severity}`).join(', ') || 'none'}
Score       ${score.current.score ?? 'none'} (${score.current.rating ?? 'not rated'}), coverage ${score.current.coverage} %
Bundle      ${path} (${bundle.bytes} bytes)
            signed by ${keys.signer.fingerprint}
            stamped by ${bundle.timestamp?.tsa ?? 'nobody yet'}${bundle.timestamp?.independent ? '' : ' (local, not independent)'}
Beside it   ${signer}
            ${root}
Timings     ${timings.map(([name, ms]) => `${name} ${(ms / 1000).toFixed(1)} s`).join(', ')}`)
} catch (error) {
  failed = error
} finally {
  clearTimeout(giveUp)
  child.stdin.end()
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  await ended
  clearTimeout(timer)
  await rm(state, { recursive: true, force: true })
}
if (failed) {
  for (let cause: unknown = failed; cause instanceof Error; cause = cause.cause) console.error(cause.message)
  if (complained) console.error(`The product said:\n${complained}`)
  process.exit(1)
}
