import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** One of our programs in an operating-system process of its own, as a test sees it. */
export interface Program {
  readonly pid: number
  /** All of its standard output, and of its standard error, so far. */
  said(): string
  complained(): string
  /** The first match in its standard output. @throws with all that it said when it ends before, or 60 s pass */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** SIGKILL: it gets no chance to say goodbye. Resolves when it is gone. */
  kill(): Promise<void>
  /** Asks it to end by a signal, or by the end of its standard input; whoever does not within 20 s is killed. */
  end(how?: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

const SAYS_WITHIN_MS = 60_000
const ENDS_WITHIN_MS = 20_000

/** Starts `node services/<path> …` with these variables and no others but what any program needs. */
export function startProgram(
  path: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Program {
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'NODE_COMPILE_CACHE'].flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL(path, import.meta.url)), ...args],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { ...inherited, ...variables } },
  )
  let said = ''
  let complained = ''
  let over = false
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of listeners) listener()
  }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
    tell()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complained += text
  })
  // A pipe to a process that was just killed breaks: that is what the test did.
  child.stdin?.on('error', () => undefined)
  const ended = new Promise<number | NodeJS.Signals>((done) => {
    // `close` comes when its output has been read to the end as well.
    child.once('close', (code, signal) => {
      over = true
      tell()
      done(signal ?? code ?? -1)
    })
  })
  const end: Program['end'] = async (how) => {
    if (how) child.kill(how)
    else child.stdin?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS)
    const result = await ended
    clearTimeout(timer)
    return result
  }
  return {
    pid: child.pid ?? -1,
    said: () => said,
    complained: () => complained,
    ended,
    end,
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    says: (pattern) =>
      new Promise((done, failed) => {
        const finish = (settle: () => void) => {
          clearTimeout(timer)
          listeners.delete(look)
          settle()
        }
        const giveUp = (why: string) =>
          finish(() => failed(new Error(`${path} ${args.join(' ')} ${why}\n${said}\n${complained}`)))
        const timer = setTimeout(() => giveUp(`did not say ${pattern}`), SAYS_WITHIN_MS)
        const look = () => {
          const match = pattern.exec(said)
          if (match) finish(() => done(match))
          else if (over) giveUp(`ended before it said ${pattern}`)
        }
        listeners.add(look)
        look()
      }),
  }
}

/**
 * A loopback port that nobody listens on at this moment. It lies below those that systems give to outgoing
 * connections: one of these could take it before whoever it is for listens.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = randomInt(12_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new Error('no free port was found')
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })

/** Asks every tenth of a second until there is an answer. @throws after 90 s, or what `ask` throws */
export async function until<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  const deadline = AbortSignal.timeout(90_000)
  for (;;) {
    const answer = await ask()
    if (answer !== null) return answer
    if (deadline.aborted) throw new Error(`${what}: it did not happen within 90 s`)
    await new Promise((done) => {
      setTimeout(done, 100)
    })
  }
}

/** The processes that a process started, and those that these started, as they are now. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  const children = Map.groupBy(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number)),
    ([, parent]) => parent,
  )
  const found: number[] = []
  for (let next = [pid]; next.length > 0; ) {
    next = next.flatMap((of) => (children.get(of) ?? []).flatMap(([child]) => child ?? []))
    found.push(...next)
  }
  return found
}

/** Which of these processes still run; one that ended and was not yet collected does not count. */
export async function alive(pids: readonly number[]): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,stat='])
  const running = new Set(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, stat]) => !stat?.startsWith('Z'))
      .map(([pid]) => Number(pid)),
  )
  return pids.filter((pid) => running.has(pid))
}
