import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type TestGateway, testGateway } from './for-tests.ts'
import { type Happening, MOST_MISSED, type Sent, tell } from './live.ts'

async function* feedOf(...happenings: readonly Happening[]): AsyncGenerator<Happening> {
  for (const happening of happenings) yield await Promise.resolve(happening)
}

const told = async (options: Parameters<typeof tell>[0]): Promise<Sent[]> => Array.fromAsync(tell(options))
const scan = (seq: number): Happening => ({ seq, type: 'discovery.scan-started' })

describe('tell()', () => {
  test('says type, context and seq of what happens', async () => {
    expect(await told({ feed: feedOf(scan(7)), after: null, newest: async () => [] })).toEqual([
      { id: '7', data: { type: 'discovery.scan-started', seq: 7, context: 'discovery' } },
    ])
  })

  test('tells a page that comes back what it missed, and nothing twice', async () => {
    const newest = async () => [scan(9), scan(8), scan(7), scan(6)]
    const sent = await told({ feed: feedOf(scan(8), scan(9), scan(10)), after: 7, newest })
    expect(sent.map((s) => s.id)).toEqual(['8', '9', '10'])
  })

  test('tells a page that was away for too long to ask for everything anew', async () => {
    const newest = async (limit: number) => Array.from({ length: limit }, (_, i) => scan(5000 - i))
    const sent = await told({ feed: feedOf(), after: 7, newest })
    expect(sent[0]).toEqual({ event: 'reset', data: { missed: true } })
    expect(sent).toHaveLength(MOST_MISSED + 1)
  })

  test('fails when its feed fails, so that the page connects again', async () => {
    async function* broken(): AsyncGenerator<Happening> {
      yield await Promise.resolve(scan(1))
      throw new Error('the bus went away')
    }
    await expect(told({ feed: broken(), after: null, newest: async () => [] })).rejects.toThrow(
      'the bus went away',
    )
  })
})

describe('/api/live', () => {
  let g: TestGateway
  let admin: string
  beforeAll(async () => {
    g = await testGateway({ liveRecheckMs: 20 })
    admin = await g.admin()
  })
  afterAll(async () => {
    await g[Symbol.asyncDispose]()
  })

  /** Reads until a text was seen. */
  const readUntil = async (reader: ReadableStreamDefaultReader<string>, seen: string) => {
    let text = ''
    while (!text.includes(seen)) {
      const { done, value } = await reader.read()
      if (done) throw new Error(`the stream ended before ${seen}: ${text}`)
      text += value
    }
    return text
  }

  test('streams what happens to whoever is signed in, until they hang up', async () => {
    const hangUp = new AbortController()
    const answer = await g.ask('GET', '/api/live', { cookie: admin, signal: hangUp.signal })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    if (!reader) throw new Error('the stream has no body')
    await readUntil(reader, ': open')
    // The feed is asked for as soon as the stream is read.
    const reading = readUntil(reader, 'scan-completed')
    const ringing = setInterval(() => g.happen({ seq: 12, type: 'discovery.scan-completed' }), 20)
    const text = await reading
    clearInterval(ringing)
    expect(text).toContain('id: 12\ndata: {"type":"discovery.scan-completed","seq":12,"context":"discovery"}')
    hangUp.abort()
    await reader.cancel()
  })

  test('ends when the session ends', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    const answer = await g.ask('GET', '/api/live', { cookie })
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    if (!reader) throw new Error('the stream has no body')
    await readUntil(reader, ': open')
    const ended = reader.read()
    expect((await g.ask('POST', '/auth/logout', { cookie })).status).toBe(204)
    expect((await ended).done).toBe(true)
  })
})
