import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'

/** The embedded services did not come up, or ended before the product did: a sentence for whoever started it. */
export class EmbeddedFailed extends Error {
  override readonly name = 'EmbeddedFailed'
}

/** What the embedded services are told and tell. */
export interface Embedded {
  /** Variables that point the product at them. */
  readonly environment: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

const Ready = z.object({ environment: z.record(z.string(), z.string()) })

const READY_MS = 120_000
const STOP_MS = 12_000

const defaultState = (): string =>
  process.getuid?.() === 0
    ? '/var/lib/attestry'
    : join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'attestry')

/**
 * Starts the twin as a process of its own, which ends when our end of its pipe closes, however we end.
 * Nothing of it is imported: the production image does not have it.
 */
export function startEmbedded(options: {
  readonly state: string | undefined
  readonly freePorts: boolean
  readonly estate: string | undefined
  /** They ended after they had been ready, asked or not. */
  readonly onExit: () => void
  readonly signal: AbortSignal
}): Promise<Embedded> {
  const program = fileURLToPath(new URL('./twin/main.ts', import.meta.url))
  const args = [program, '--state', options.state ?? defaultState()]
  if (options.freePorts) args.push('--free-ports')
  if (options.estate) args.push('--estate', options.estate)
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const stop = async () => {
    child.stdin.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(timer)
  }
  return new Promise((done, failed) => {
    let text = ''
    let ready = false
    const timer = setTimeout(() => {
      failed(new EmbeddedFailed('The embedded services were not ready after two minutes'))
      void stop()
    }, READY_MS)
    const giveUp = () => {
      clearTimeout(timer)
      void stop().then(() => failed(new EmbeddedFailed('The start was given up')))
    }
    options.signal.addEventListener('abort', giveUp, { once: true })
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end < 0) return
      clearTimeout(timer)
      options.signal.removeEventListener('abort', giveUp)
      ready = true
      done({ environment: Ready.parse(JSON.parse(text.slice(0, end))).environment, stop })
      text = ''
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      if (ready) options.onExit()
      else failed(new EmbeddedFailed(`The embedded services ended with code ${code}; why, they said above.`))
    })
  })
}
