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

/** The embedded services, of which the licence service may be missing. */
export interface Started extends Embedded {
  /** Why there is no licence service, for whoever started it; null where there is one. */
  readonly unlicensed: string | null
}

const Ready = z.object({ environment: z.record(z.string(), z.string()) })

const READY_MS = 120_000
/** Half of it for the licence service, without which the product does: one that cannot start ends at once and is not waited for. */
const LICENSE_READY_MS = 60_000
const STOP_MS = 12_000

const defaultState = (): string =>
  process.getuid?.() === 0
    ? '/var/lib/attestry'
    : join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'attestry')

interface Child extends Embedded {
  /** Settles when it has ended, asked or not. */
  readonly exited: Promise<number | null>
}

/**
 * Starts a program that prints one line of JSON once it is ready, and ends when our end of its pipe closes, however
 * we end. Nothing of it is imported: the production image does not have it.
 */
function startChild(
  name: string,
  program: string,
  args: readonly string[],
  options: { readonly readyMs: number; readonly signal: AbortSignal; readonly stderr: 'inherit' | 'pipe' },
): Promise<Child> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', options.stderr],
    // Tools of Cloudflare's stay quiet and call nobody.
    env: {
      ...process.env,
      DO_NOT_TRACK: '1',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    },
  })
  const exited = new Promise<number | null>((done) => child.once('exit', done))
  /** The end of what it complained of, where we are the one to tell it. */
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    complaint = (complaint + chunk).slice(-2000)
  })
  const why = () =>
    child.stderr ? `: ${complaint.trim() || 'it gave no reason'}` : '; why, they said above.'
  const stop = async () => {
    child.stdin?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(timer)
  }
  return new Promise((done, failed) => {
    let text = ''
    const timer = setTimeout(() => {
      failed(new EmbeddedFailed(`${name} were not ready after ${options.readyMs / 1000} seconds`))
      void stop()
    }, options.readyMs)
    const giveUp = () => {
      clearTimeout(timer)
      void stop().then(() => failed(new EmbeddedFailed('The start was given up')))
    }
    options.signal.addEventListener('abort', giveUp, { once: true })
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end < 0) return
      clearTimeout(timer)
      options.signal.removeEventListener('abort', giveUp)
      done({ environment: Ready.parse(JSON.parse(text.slice(0, end))).environment, stop, exited })
      text = ''
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      failed(new EmbeddedFailed(`${name} ended with code ${code}${why()}`))
    })
  })
}

/** Starts what a laptop lacks: the twin with its database and bus, and the vendor's licence service. */
export async function startEmbedded(options: {
  readonly state: string | undefined
  readonly freePorts: boolean
  readonly estate: string | undefined
  /** The twin ended after it had been ready, asked or not. */
  readonly onExit: () => void
  readonly signal: AbortSignal
}): Promise<Started> {
  const { signal } = options
  const state = options.state ?? defaultState()
  const args = ['--state', state]
  if (options.freePorts) args.push('--free-ports')
  if (options.estate) args.push('--estate', options.estate)
  const starting = startChild('The embedded services', './twin/main.ts', args, {
    readyMs: READY_MS,
    signal,
    stderr: 'inherit',
  })
  const licensing = startChild(
    'The licence service and its runtime',
    '../license-worker/local-main.ts',
    ['--child', '--state', join(state, 'license'), '--port', options.freePorts ? '0' : '4640'],
    { readyMs: LICENSE_READY_MS, signal, stderr: 'pipe' },
  ).catch((error: unknown) => {
    // An install without a licence service is an evaluation: that is no reason not to start.
    if (error instanceof EmbeddedFailed) return error
    throw error
  })
  try {
    const twin = await starting
    const license = await licensing
    void twin.exited.then(options.onExit)
    if (license instanceof EmbeddedFailed) return { ...twin, unlicensed: license.message }
    return {
      environment: { ...twin.environment, ...license.environment },
      stop: async () => {
        await Promise.all([twin.stop(), license.stop()])
      },
      unlicensed: null,
    }
  } catch (error) {
    const license = await licensing
    if (!(license instanceof EmbeddedFailed)) await license.stop()
    throw error
  }
}
