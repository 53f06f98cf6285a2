import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ServiceBusClient } from '@azure/service-bus'
import { expect, test } from 'vitest'
import * as z from 'zod'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const CONFIG = fileURLToPath(new URL('../../../deploy/servicebus/config.json', import.meta.url))
const Ready = z.object({ connectionString: z.string(), port: z.int() })

const run = (...args: string[]): ChildProcessWithoutNullStreams => spawn(process.execPath, [MAIN, ...args])

async function lines(child: ChildProcessWithoutNullStreams): Promise<string> {
  for await (const line of createInterface(child.stdout)) return line
  throw new Error('the process said nothing')
}

test('the process says where it listens, with a key of its own, and ends with its parent', async () => {
  const [one, other] = [run('--config', CONFIG), run('--config', CONFIG)]
  const ready = Ready.parse(JSON.parse(await lines(one)))
  const elsewhere = Ready.parse(JSON.parse(await lines(other)))
  const keyOf = (text: string): string | undefined => /SharedAccessKey=([^;]+)/.exec(text)?.[1]
  expect(ready.connectionString).toContain(`Endpoint=sb://127.0.0.1:${ready.port};`)
  expect(keyOf(ready.connectionString)).not.toBe(keyOf(elsewhere.connectionString))
  for (const child of [one, other]) {
    const exited = once(child, 'exit')
    child.stdin.end()
    expect(await exited).toEqual([0, null])
  }
})

test('faults come from the command line', async () => {
  const child = run('--config', CONFIG, '--drop', '1')
  const { connectionString } = Ready.parse(JSON.parse(await lines(child)))
  const client = new ServiceBusClient(connectionString)
  await client
    .createSender('events')
    .sendMessages({ messageId: 'm', body: 1, applicationProperties: { context: 'gateway' } })
  expect(await client.createReceiver('events', 'gateway').peekMessages(1)).toEqual([])
  await client.close()
  const exited = once(child, 'exit')
  child.stdin.end()
  await exited
})

test.each([
  ['a share beyond one', ['--config', CONFIG, '--drop', '2'], 'drop'],
  ['no configuration', [], 'config'],
  ['a configuration that is not there', ['--config', '/nowhere.json'], 'ENOENT'],
])('%s ends the process with a reason', async (_case, args, reason) => {
  const child = run(...args)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(1)
  expect(said).toContain(reason)
})
