import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import rhea, { type Connection, type EventContext } from 'rhea'
import { expect, test } from 'vitest'
import { workbench } from './workbench.ts'

const on = workbench()

/** A bare AMQP connection with a claim on the namespace, for what the SDK does only by chance of timing. */
async function connected(): Promise<Connection> {
  const container = rhea.create_container()
  const connection = container.connect({ host: '127.0.0.1', port: on.broker.port, reconnect: false })
  const resource = encodeURIComponent('sb://127.0.0.1/')
  const expiry = Math.floor(on.clock.now() / 1000) + 60
  const signature = createHmac('sha256', 'secret').update(`${resource}\n${expiry}`).digest('base64')
  const replies = connection.open_receiver({ name: 'replies', source: { address: '$cbs' } })
  const requests = connection.open_sender('$cbs')
  await once(requests, 'sendable')
  requests.send({
    message_id: 1,
    reply_to: 'replies',
    application_properties: { operation: 'put-token', name: 'sb://127.0.0.1/plain' },
    body: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=RootManageSharedAccessKey`,
  })
  // `once` of an emitter with one argument gives a list of one.
  const [{ message }] = (await once(replies, 'message')) as [EventContext]
  expect(message?.application_properties?.['status-code']).toBe(202)
  return connection
}

test.each([
  ['all credit is used up', 1],
  ['some credit is left', 5],
])('a drain is answered when %s', async (_case, credit) => {
  await on.send('plain', { body: 'only' })
  const connection = await connected()
  const receiver = connection.open_receiver({
    source: { address: 'plain' },
    credit_window: 0,
    autoaccept: false,
  })
  const arrived = once(receiver, 'message')
  receiver.add_credit(credit)
  await arrived
  const drained = once(receiver, 'receiver_drained')
  receiver.drain_credit()
  await drained
  receiver.drain = false
  await on.send('plain', { messageId: 'second', body: 'next' })
  const next = once(receiver, 'message')
  receiver.add_credit(1)
  // `once` of an emitter with one argument gives a list of one.
  const [{ message }] = (await next) as [EventContext]
  expect(message?.message_id).toBe('second')
  const closed = once(connection, 'connection_close')
  connection.close()
  await closed
})
