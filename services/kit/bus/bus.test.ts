import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { busContract, type Subject } from './bus.contract.ts'
import { openBus } from './servicebus.ts'

// The twin is started by its path: the kit knows no service, and traces are only honest across processes.
const BROKER = fileURLToPath(new URL('../../twin/servicebus/main.ts', import.meta.url))
const CONFIG = fileURLToPath(new URL('../../../deploy/servicebus/config.json', import.meta.url))
const GIVEN = process.env['SERVICE_BUS_CONNECTION']
const KEY = 'only-for-this-test'
const Ready = z.object({ connectionString: z.string(), port: z.number() })

interface Started {
  readonly child: ChildProcess
  readonly connectionString: string
  readonly port: number
}

async function start(port: number): Promise<Started> {
  const child = spawn(process.execPath, [BROKER, '--config', CONFIG, '--port', String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SERVICE_BUS_KEY: KEY },
  })
  for await (const line of createInterface(child.stdout)) return { child, ...Ready.parse(JSON.parse(line)) }
  throw new Error('the broker ended before it was ready')
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.stdin?.end()
  await exited
}

async function local(): Promise<Subject> {
  let broker = await start(0)
  const bus = openBus({ connectionString: broker.connectionString })
  const stranger = openBus({ connectionString: broker.connectionString.replace(KEY, 'guess') })
  return {
    bus,
    stranger,
    restart: async () => {
      await stop(broker.child)
      broker = await start(broker.port)
    },
    close: async () => {
      await bus.close()
      await stranger.close()
      await stop(broker.child)
    },
  }
}

function given(connectionString: string): Promise<Subject> {
  const bus = openBus({ connectionString })
  const wrong = Buffer.from('wrong').toString('base64')
  const stranger = openBus({
    connectionString: connectionString.replace(/SharedAccessKey=[^;]+/, `SharedAccessKey=${wrong}`),
  })
  const close = async (): Promise<void> => {
    await bus.close()
    await stranger.close()
  }
  const restart = (): Promise<never> => Promise.reject(new Error('the broker is not ours to restart'))
  return Promise.resolve({ bus, stranger, restart, close })
}

describe('the bus over the broker at hand', () => {
  if (GIVEN === undefined) busContract(local, { restartable: true })
  else busContract(() => given(GIVEN), { restartable: false })
})

describe('the configuration of the bus', () => {
  test.each([
    ['nothing', {}],
    ['both ways', { connectionString: 'Endpoint=sb://a', namespace: 'a' }],
    ['a namespace without a credential', { namespace: 'a.example' }],
    ['no connection string', { connectionString: 'secret' }],
  ])('%s is refused, without a word of the secret', (_case, options) => {
    expect(() => openBus(options)).toThrow(/^(?!.*secret).*SERVICE_BUS_/)
  })
})
