import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../program.fixture.ts'

/** A Worker in the runtime itself, with nothing of a simulator around it. */
export interface Workerd extends AsyncDisposable {
  readonly port: number
  /** Time on a processor so far, nanoseconds, of all its threads; null where the system does not tell. */
  cpuNs(): Promise<number | null>
}

const READY_MS = 20_000

/** Starts workerd with one module and texts as its bindings. */
export async function startWorkerd(
  module: string,
  bindings: Readonly<Record<string, string>>,
): Promise<Workerd> {
  const folder = await mkdtemp(join(tmpdir(), 'attestry-workerd-'))
  const port = await freePort()
  const texts = Object.entries(bindings).map(
    ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`,
  )
  await writeFile(join(folder, 'worker.js'), module)
  await writeFile(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker.js", esModule = embed "worker.js")],
    compatibilityDate = "2026-10-01",
    bindings = [${texts.join(', ')}]
  ))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
`,
  )
  // The package's export is the path of the binary of this machine.
  const { default: binary } = createRequire(import.meta.url)('workerd') as { default: string }
  const child = spawn(binary, ['serve', join(folder, 'config.capnp')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const running: Workerd = {
    port,
    cpuNs: async () => {
      try {
        const tasks = `/proc/${child.pid}/task`
        const times = await Promise.all(
          (await readdir(tasks)).map(async (task) =>
            Number((await readFile(join(tasks, task, 'schedstat'), 'utf8')).split(' ', 1)[0]),
          ),
        )
        return times.reduce((sum, t) => sum + t, 0)
      } catch {
        // No such files on this system, or a thread that has just ended: the figure is left out.
        return null
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
  for (const end = Date.now() + READY_MS; Date.now() < end; ) {
    try {
      await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1000) })
      return running
    } catch {
      // It does not listen yet.
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  await running[Symbol.asyncDispose]()
  throw new Error('workerd does not listen')
}

/** One answer of a connection that is kept: status line's code, once its whole body is here. */
function answers(socket: Socket): () => Promise<number> {
  let text = ''
  let waiting: ((status: number) => void) | null = null
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    const head = text.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
    if (text.length < head + 4 + length) return
    const status = Number(text.slice(9, 12))
    text = ''
    waiting?.(status)
  })
  return () =>
    new Promise((done) => {
      waiting = done
    })
}

/** Connections that are kept, and ask as one. */
export interface Hammer extends Disposable {
  /**
   * Asks, with one text after the other in turn, until so many answers are here; answers how many came a second.
   * Throws for an answer that is not 200.
   */
  ask(texts: readonly [string, ...string[]], requests: number): Promise<number>
}

/** Opens so many connections. Small on purpose: it shares the processors with what it measures. */
export async function openHammer(port: number, connections: number): Promise<Hammer> {
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true })
      await new Promise<void>((done, failed) => socket.once('connect', done).once('error', failed))
      return { socket, next: answers(socket) }
    }),
  )
  return {
    async ask(texts, requests) {
      let left = requests
      const startedAt = performance.now()
      await Promise.all(
        sockets.map(async ({ socket, next }) => {
          while (left-- > 0) {
            const answer = next()
            socket.write(texts[left % texts.length] ?? texts[0])
            const status = await answer
            if (status !== 200) throw new Error(`the Worker answered ${status}`)
          }
        }),
      )
      return requests / ((performance.now() - startedAt) / 1000)
    },
    [Symbol.dispose]() {
      for (const { socket } of sockets) socket.destroy()
    },
  }
}
