import { randomUUID } from 'node:crypto'
import {
  ServiceBusClient,
  type ServiceBusMessage,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
  type ServiceBusSessionReceiver,
} from '@azure/service-bus'
import { afterEach, beforeEach } from 'vitest'
import { type Broker, startBroker } from './broker.ts'
import { ManualClock } from './manual-clock.ts'

export const CONFIG = {
  UserConfig: {
    Namespaces: [
      {
        Name: 'test',
        Queues: [
          { Name: 'plain', Properties: { MaxDeliveryCount: 2 } },
          { Name: 'sessions', Properties: { RequiresSession: true } },
          {
            Name: 'unique',
            Properties: { RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 'PT1M' },
          },
        ],
        Topics: [
          {
            Name: 'Facts',
            Subscriptions: [
              { Name: 'all' },
              {
                Name: 'red',
                Rules: [
                  {
                    Name: 'red',
                    Properties: {
                      FilterType: 'Correlation',
                      CorrelationFilter: { Properties: { colour: 'red' } },
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
}
export const LOCK_MS = 60_000
/** Long enough for what is there to arrive, short enough to wait out. */
export const QUICK = { maxWaitTimeInMs: 300 }

/** A broker whose time stands still, and the SDK connected to it. */
export interface Workbench {
  broker: Broker
  clock: ManualClock
  client: ServiceBusClient
  connect(connectionString: string): ServiceBusClient
  /** Sends with an id for each message, without which the SDK loses track of the lock that it renews. */
  send(entity: string, ...messages: ServiceBusMessage[]): Promise<void>
}

/** Sets up a fresh workbench for every test of the file that calls it. */
export function workbench(): Workbench {
  // Empty only until the first test begins: no test sees it so.
  const on = {} as Workbench
  beforeEach(async () => {
    Object.assign(on, await set())
  })
  afterEach(async () => {
    await on.client.close()
    await on.broker.stop()
  })
  return on
}

async function set(): Promise<Workbench> {
  const clock = new ManualClock(Date.now())
  const broker = await startBroker({ config: CONFIG, key: 'secret', clock })
  const client = connect(broker.connectionString)
  const send = async (entity: string, ...messages: ServiceBusMessage[]): Promise<void> => {
    const sender = client.createSender(entity)
    await sender.sendMessages(messages.map((message) => ({ messageId: randomUUID(), ...message })))
    await sender.close()
  }
  return { broker, clock, client, connect, send }
}

function connect(connectionString: string): ServiceBusClient {
  return new ServiceBusClient(connectionString, { retryOptions: { maxRetries: 0, timeoutInMs: 1_500 } })
}

/** The next message. @throws when none comes. */
export async function one(
  receiver: ServiceBusReceiver | ServiceBusSessionReceiver,
): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 5_000 })
  if (!message) throw new Error('nothing was received')
  return message
}

export const bodies = (messages: readonly ServiceBusReceivedMessage[]): unknown[] =>
  messages.map(({ body }) => body as unknown)
