import { expect, test } from 'vitest'
import type { BusMessage } from './bus/bus.ts'
import { Denied, Transient } from './failure.ts'
import type { Stored } from './ledger/read.ts'
import { publishEvents } from './publish.ts'

const stored = (seq: number, envelope = '{}'): Stored => ({
  tenant: 'acme',
  seq,
  position: seq,
  contextPrevSeq: seq - 1,
  at: '2026-01-01T00:00:00.000Z',
  id: `00000000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
  stream: 'scan-0001',
  type: 'discovery.scan-started',
  envelope,
  leaf: new Uint8Array(32),
  link: new Uint8Array(32),
  private: null,
  trace: null,
})

const LARGE = 'x'.repeat(300_000)

/** A bus whose messages hold 256 kB, and what it took. */
function smallBus(fail: (sent: number) => Error | null = () => null) {
  const taken: number[] = []
  let sent = 0
  return {
    taken,
    publish: async (_topic: string, messages: readonly BusMessage[]) => {
      const failure = fail(++sent)
      if (failure) throw failure
      if (messages.some(({ body }) => body.length > 262_144))
        throw new Denied('message-too-large', 'The message is larger than the topic takes.')
      taken.push(...messages.map(({ properties }) => Number(properties['seq'])))
    },
  }
}

const publish = async (bus: ReturnType<typeof smallBus>, batch: readonly Stored[]) => {
  const leftOut: number[] = []
  await publishEvents(bus, 'events', batch, {
    signal: AbortSignal.timeout(10_000),
    leftOut: ({ seq }) => leftOut.push(seq),
  })
  return leftOut
}

test('an event that no message holds is left out and told of, and those around it go out in order', async () => {
  const bus = smallBus()
  const batch = [1, 2, 3, 4, 5, 6, 7].map((seq) => stored(seq, seq === 3 || seq === 6 ? LARGE : '{}'))
  expect(await publish(bus, batch)).toEqual([3, 6])
  expect(bus.taken).toEqual([1, 2, 4, 5, 7])
})

test('a batch that fits goes out at once', async () => {
  let sends = 0
  const bus = smallBus((sent) => {
    sends = sent
    return null
  })
  expect(await publish(bus, [stored(1), stored(2)])).toEqual([])
  expect([sends, bus.taken]).toEqual([1, [1, 2]])
})

test('a bus that is away is no reason to leave anything out', async () => {
  const away = smallBus(() => new Transient('The bus is away.'))
  await expect(publish(away, [stored(1, LARGE)])).rejects.toThrow('The bus is away.')
})
