import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { queryObjects, setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pause, Secret, silentLog } from '@attestry/kit'
import { connect } from '@attestry/kit/postgres'
import { run } from '@attestry/kit/run'
import { guardOf, losingBus } from '@attestry/kit/testing'
import * as z from 'zod'
import { azureRotation, rotationService } from './service.ts'

/*
 * The rotation service alone, as a process of the operating system: to be killed without warning, and to have its
 * memory looked into. A test starts it, asks it over IPC, and moves its clock with the cloud's.
 */

const Options = z.object({
  database: z.string(),
  cloud: z.string(),
  env: z.record(z.string(), z.string()),
  aheadMs: z.number(),
})
export type ProcessOptions = z.infer<typeof Options>

const Asked = z.discriminatedUnion('do', [
  z.object({
    do: z.literal('request'),
    id: z.number(),
    method: z.string(),
    path: z.string(),
    body: z.unknown().optional(),
    who: z.string(),
  }),
  z.object({ do: z.literal('move'), id: z.number(), aheadMs: z.number() }),
  /** Cleans its memory up, and writes down what is left. */
  z.object({ do: z.literal('look'), id: z.number(), file: z.string() }),
  /** Keeps a value, as a mistake would: to see that a look finds it. */
  z.object({ do: z.literal('keep'), id: z.number(), value: z.string() }),
])
type Asked = z.infer<typeof Asked>
/** Without the id, which the sender gives. */
type Ask = Asked extends infer One ? (One extends Asked ? Omit<One, 'id'> : never) : never
const Answer = z.object({ id: z.number(), answer: z.unknown() })

async function main(options: ProcessOptions): Promise<void> {
  let { aheadMs } = options
  let who = 'operator-0001'
  const kept: unknown[] = []
  const clock = { now: () => Temporal.Now.instant().add({ milliseconds: Math.round(aheadMs) }) }
  const one = guardOf(['tenant-admin', 'security-admin'], {}, clock)
  const guard = {
    ...one,
    identify: async (request: Request) => {
      const known = await one.identify(request)
      return known && { ...known, operator: who }
    },
  }
  const pool = connect({ url: options.database, max: 20 })
  const running = await run({
    services: [
      {
        name: 'rotation',
        make: (host) =>
          rotationService(host, guard, {
            ...azureRotation({ endpoint: options.cloud, env: options.env }),
            secretKey: new Secret('an install key of more than thirty-two characters'),
            proof: { successes: 2, overMs: 0, giveUpMs: 20_000 },
          }),
      },
    ],
    pool,
    admin: pool,
    bus: losingBus,
    clock,
    log: silentLog,
    productVersion: '0.0.0',
    origin: 'demo',
    tenant: 'acme',
    sweepMs: 30,
  })
  const service = running.services.get('rotation')
  if (!service) throw new Error('the service does not run')

  async function does(asked: Asked): Promise<unknown> {
    switch (asked.do) {
      case 'request': {
        ;({ who } = asked)
        const response = await service?.fetch(
          new Request(`http://localhost${asked.path}`, {
            method: asked.method,
            ...(asked.body === undefined
              ? {}
              : { body: JSON.stringify(asked.body), headers: { 'content-type': 'application/json' } }),
          }),
        )
        const text = (await response?.text()) ?? ''
        return { status: response?.status, body: text === '' ? null : JSON.parse(text) }
      }
      case 'move':
        ;({ aheadMs } = asked)
        return null
      case 'keep':
        kept.push(asked.value, new Secret(asked.value))
        return kept.length
      case 'look': {
        setFlagsFromString('--expose-gc')
        const collect: () => void = runInNewContext('gc')
        // What is about to end (answers of the last calls, timers) is let go first.
        for (let turn = 0; turn < 5; turn++) {
          await pause(100, AbortSignal.timeout(1000))
          collect()
        }
        const secrets = queryObjects(Secret, { format: 'count' })
        writeHeapSnapshot(asked.file)
        return secrets
      }
    }
  }
  process.on('message', (message) => {
    const asked = Asked.parse(message)
    void does(asked).then((answer) => process.send?.({ id: asked.id, answer }))
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.({ id: 0, answer: null })
}

/** It was killed before it answered. */
export class Dead extends Error {}

/** One life of the process. */
export class ServiceProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: unknown) => void>()
  #asked = 0
  readonly ended: Promise<unknown>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.ended = once(child, 'exit')
    child.on('message', (message) => {
      const { id, answer } = Answer.parse(message)
      this.#waiting.get(id)?.(answer)
      this.#waiting.delete(id)
    })
  }

  /** Resolves when it works on what is due. */
  static async start(options: ProcessOptions): Promise<ServiceProcess> {
    const child = fork(import.meta.filename, [JSON.stringify(options)], { execArgv: [] })
    const made = new ServiceProcess(child)
    const ready = new Promise((resolve) => {
      made.#waiting.set(0, resolve)
    })
    if ((await Promise.race([ready, made.ended.then(() => 'ended')])) === 'ended' && child.exitCode !== null)
      throw new Error('the process ended before it was ready')
    return made
  }

  /** @throws Dead where the process dies before it answers */
  async ask(asked: Ask): Promise<unknown> {
    const id = ++this.#asked
    const answer = new Promise((resolve) => {
      this.#waiting.set(id, resolve)
    })
    this.#child.send({ ...asked, id }, () => undefined)
    return Promise.race([
      answer,
      this.ended.then(() => {
        throw new Dead('the process is dead')
      }),
    ])
  }

  /** SIGKILL: it gets no chance to say goodbye. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    this.kill()
    await this.ended
  }
}

if (import.meta.main) await main(Options.parse(JSON.parse(process.argv[2] ?? '')))
