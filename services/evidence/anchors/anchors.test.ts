import { createHash, verify } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  consistencyHolds,
  fact,
  fromHex,
  inclusionHolds,
  leafOf,
  openNote,
  readReceipt,
  readVerifier,
} from '@attestry/contracts'
import { CheckpointRow, Problem } from '@attestry/contracts/http'
import { Secret } from '@attestry/kit'
import { sha256 } from '@attestry/kit/ledger'
import { guardOf, type TestHost, testHost } from '@attestry/kit/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createTsa, type Tsa } from '../../twin/tsa/index.ts'
import { certificatesFromPem } from '../certificate-path.ts'
import { evidenceService } from '../service.ts'
import { verifyToken } from '../token.ts'
import { readRing } from '../trusted-keys.ts'

/* One chain that is anchored, seen through the endpoints; its authority and its second places are on loopback. */

let state: string
let tsa: Tsa
let host: TestHost
let tsaAnswers = true
/** How far the clock was moved on, in milliseconds. */
let later = 0
const clock = { now: () => Temporal.Now.instant().add({ milliseconds: later }) }
let webhookAnswers = true
const posted: { size: number; note: string }[] = []
const mailed: string[] = []
let mail: ReturnType<typeof createTcp>

/** Just enough of SMTP (RFC 5321) to take a message. */
const mailServer = () =>
  createTcp((socket) => {
    let inData = false
    let message = ''
    socket.setEncoding('utf8').write('220 mail.test\r\n')
    socket.on('data', (chunk: string) => {
      if (inData) {
        message += chunk
        if (!message.includes('\r\n.\r\n')) return
        inData = false
        mailed.push(message)
        socket.write('250 taken\r\n')
        return
      }
      for (const line of chunk.split('\r\n').filter(Boolean)) {
        if (/^DATA/i.test(line)) {
          inData = true
          socket.write('354 go on\r\n')
        } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  })

const portOf = (server: { address(): AddressInfo | string | null }) => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'attestry-anchors-'))
  tsa = await createTsa({
    clock: () => new Date(clock.now().epochMilliseconds),
    random: (n) => crypto.getRandomValues(new Uint8Array(n)),
  })
  await writeFile(join(state, 'roots.pem'), tsa.rootPem)
  mail = mailServer()
  await new Promise<void>((done) => mail.listen(0, '127.0.0.1', done))
  host = await testHost({
    clock,
    services: [
      {
        name: 'evidence',
        make: (h) =>
          evidenceService(h, guardOf(['auditor', 'tenant-admin']), {
            stateDir: state,
            secretKey: new Secret('a secret key of at least 32 characters'),
            tsa: 'Local_authority=http://127.0.0.1:1/tsa',
            tsaRootsFile: join(state, 'roots.pem'),
            anchorWebhook: 'http://127.0.0.1:1/anchors',
            anchorMail: new Secret(
              `smtp://127.0.0.1:${portOf(mail)}?to=auditor@example.com&from=a@example.com`,
            ),
            fetch: async (url, init) => {
              if (url.endsWith('/tsa'))
                return tsaAnswers ? tsa.fetch(new Request(url, init)) : Response.error()
              if (!webhookAnswers) return new Response('', { status: 503 })
              posted.push(
                z.object({ size: z.int(), note: z.string() }).parse(await new Response(init.body).json()),
              )
              return new Response('')
            },
          }),
      },
    ],
  })
})
afterAll(async () => {
  await host[Symbol.asyncDispose]()
  await new Promise((done) => mail.close(done))
  await rm(state, { recursive: true, force: true })
})

const call = async (method: string, path: string) =>
  host.service('evidence').fetch(new Request(`http://attestry.test/api/evidence${path}`, { method }))

const json = async <S extends z.ZodType>(path: string, shape: S): Promise<z.infer<S>> =>
  shape.parse(await (await call('GET', path)).json())

/** Anchors now and gives the checkpoints, newest first. */
async function anchored(): Promise<CheckpointRow[]> {
  expect((await call('POST', '/checkpoints')).status).toBe(204)
  await host.settle()
  return (await json('/checkpoints', z.object({ items: z.array(CheckpointRow) }))).items
}

/** Adds events to the chain that are no anchoring. */
async function happen(times: number): Promise<void> {
  for (let i = 0; i < times; i++)
    await host.host('evidence').append('acme', {
      stream: `bundle-${Date.now()}${i}`,
      expected: 'any',
      facts: [fact('evidence.bundle-downloaded', { bundle: 'bundle-00000000' })],
      by: { kind: 'service', id: 'evidence' },
      cause: { correlation: 'c', causation: 'c' },
    })
}

const chainOf = async () => {
  const { seq } = await host.host('evidence').head('acme')
  const events = []
  const signal = new AbortController().signal
  for await (const page of host.host('evidence').chain('acme', { after: 0, upTo: seq, signal }))
    events.push(...page)
  return events
}
const One = CheckpointRow.extend({ note: z.string(), token: z.string().nullable() })
const Keys = z.object({
  signerPem: z.string(),
  checkpointVerifiers: z.string(),
  ring: z.array(z.object({ purpose: z.string(), fingerprint: z.string(), until: z.string().nullable() })),
})

describe('an anchor', () => {
  test('is a signed note over the whole chain, stamped, and stands in the chain as the next event', async () => {
    await happen(3)
    const [newest] = await anchored()
    if (!newest) throw new Error('there must be a checkpoint')
    expect(newest.timestamp).toMatchObject({ status: 'stamped', tsa: 'Local authority', independent: false })
    const { note, token, size } = await json(`/checkpoints/${newest.size}`, One)
    const opened = openNote(note)
    if ('problem' in opened) throw new Error(opened.problem)
    const verifier = readVerifier(sha256, (await json('/keys', Keys)).checkpointVerifiers.trim())
    if (verifier === null) throw new Error('the verifier must be read')
    expect(opened.checkpoint).toMatchObject({ size, origin: verifier.name })
    const [signature] = opened.signatures
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), verifier.publicKey])
    const key = { key: spki, format: 'der', type: 'spki' } as const
    expect(signature?.keyId).toBe(verifier.keyId)
    expect(verify(null, Buffer.from(opened.text), key, signature?.signature ?? Buffer.of())).toBe(true)
    const verdict = await verifyToken(Uint8Array.fromBase64(token ?? ''), {
      imprint: createHash('sha256').update(note).digest(),
      roots: certificatesFromPem(tsa.rootPem),
      notBefore: new Date(Date.now() - 600_000),
      notAfter: new Date(Date.now() + 600_000),
    })
    expect(verdict).toMatchObject({ ok: true })
    const next = (await chainOf()).find(({ seq }) => seq > size)
    expect(next?.seq).toBe(size + 1)
    expect(next?.event).toMatchObject({ type: 'evidence.anchored', data: { size, note, token } })
  })

  test('is not made again while nothing happens but anchoring', async () => {
    const before = await anchored()
    expect(await anchored()).toEqual(before)
    await happen(1)
    expect(await anchored()).toHaveLength(before.length + 1)
  })

  test('goes to the second places, and what one could not take is tried again', async () => {
    const [newest] = await anchored()
    expect(newest?.copies.toSorted()).toEqual(['mail', 'webhook'])
    expect(posted.at(-1)?.size).toBe(newest?.size)
    expect(mailed.at(-1)).toContain(`Subject: Checkpoint ${newest?.size} of attestry/acme/`)
    webhookAnswers = false
    await happen(1)
    const [lacking] = await anchored()
    expect(lacking?.copies).toEqual(['mail'])
    webhookAnswers = true
    await again()
    expect((await json(`/checkpoints/${lacking?.size}`, One)).copies.toSorted()).toEqual(['mail', 'webhook'])
  })

  test('waits for its timestamp when no authority answers, and gets it later', async () => {
    tsaAnswers = false
    await happen(1)
    const [waiting] = await anchored()
    expect(waiting?.timestamp).toEqual({ status: 'pending', tsa: null, independent: false, genTime: null })
    expect((await json(`/checkpoints/${waiting?.size}`, One)).token).toBeNull()
    tsaAnswers = true
    // An authority that failed is left alone for a while.
    later = 6 * 60_000
    await again()
    const stamped = await json(`/checkpoints/${waiting?.size}`, One)
    expect(stamped.timestamp.status).toBe('stamped')
    expect(stamped.token).not.toBeNull()
  })

  test('of another size or beyond the chain is a 404', async () => {
    for (const size of ['999999', 'x', '-1', '1e3'])
      expect(Problem.parse(await (await call('GET', `/checkpoints/${size}`)).json()).code).toBe(
        'no-such-checkpoint',
      )
  })
})

/** What the schedule sends for what had to wait. */
async function again(): Promise<void> {
  const service = host.service('evidence')
  const schedule = service.schedules.find(({ name }) => name === 'anchors')
  const h = host.host('evidence')
  await h.tx('acme', async (tx) => {
    const sends = (await schedule?.due(h.clock.now(), tx)) ?? []
    expect(sends.map(({ command }) => command)).toContain('stamp')
    // Due by the database's clock, which nobody moved.
    const dueAt = Temporal.Now.instant()
    await h.send(
      tx,
      sends.map((each) => ({ ...each, dueAt })),
    )
  })
  await host.settle()
}

describe('the schedule', () => {
  test('asks for an anchor once an hour, and at once where there is none', async () => {
    const schedule = host.service('evidence').schedules.find(({ name }) => name === 'anchors')
    const h = host.host('evidence')
    const due = (minutes: number) =>
      h.tx('acme', async (tx) =>
        ((await schedule?.due(h.clock.now().add({ minutes }), tx)) ?? []).map(({ command }) => command),
      )
    expect(await due(0)).not.toContain('anchor')
    expect(await due(61)).toContain('anchor')
  })
})

describe('a receipt', () => {
  test('of every anchored event verifies with the log’s key alone', async () => {
    const events = await chainOf()
    const newest = (await json('/checkpoints', z.object({ items: z.array(CheckpointRow) }))).items[0]
    for (const { seq, envelope } of events.filter(({ seq: s }) => s <= (newest?.size ?? 0))) {
      const receipt = readReceipt(await (await call('GET', `/receipts/${seq}`)).text())
      if ('problem' in receipt) throw new Error(receipt.problem)
      const note = openNote(receipt.note)
      if ('problem' in note) throw new Error(note.problem)
      const { size, root } = note.checkpoint
      const claim = { leaf: leafOf(sha256, envelope ?? ''), index: seq - 1, size, root }
      expect(inclusionHolds(sha256, claim, receipt.proof), `event ${seq}`).toBe(true)
      expect(size).toBeGreaterThanOrEqual(seq)
    }
  })

  test.each([
    ['0', 'no-such-event'],
    ['999999', 'no-such-event'],
    ['x', 'no-such-event'],
  ])('of event %s is refused', async (seq, code) => {
    expect(Problem.parse(await (await call('GET', `/receipts/${seq}`)).json()).code).toBe(code)
  })

  test('of an event that no checkpoint holds yet says so', async () => {
    await happen(1)
    const { seq } = await host.host('evidence').head('acme')
    expect(Problem.parse(await (await call('GET', `/receipts/${seq}`)).json()).code).toBe('not-anchored')
  })

  test('any two checkpoints are shown to be of one log', async () => {
    const { items } = await json('/checkpoints', z.object({ items: z.array(CheckpointRow) }))
    for (const [i, later] of items.entries())
      for (const earlier of items.slice(i)) {
        const { proof } = await json(
          `/consistency?from=${earlier.size}&to=${later.size}`,
          z.object({ proof: z.array(z.string()) }),
        )
        const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array()
        const head = (row: CheckpointRow) => ({ size: row.size, root: bytes(row.root) })
        expect(consistencyHolds(sha256, head(earlier), head(later), proof.map(bytes))).toBe(true)
      }
    const [newest, before] = items
    const reversed = await call('GET', `/consistency?from=${newest?.size}&to=${before?.size}`)
    expect(Problem.parse(await reversed.json()).code).toBe('reversed')
  })
})

describe('the ring', () => {
  test('tells every key and when it was in use, and a rotated one stays in it', async () => {
    const before = await json('/keys', Keys)
    expect(new Set(before.ring.map(({ purpose }) => purpose))).toEqual(
      new Set(['bundle', 'document', 'checkpoint', 'hmac']),
    )
    for (const purpose of ['bundle', 'checkpoint', 'document', 'hmac']) {
      const response = await call('POST', `/keys/${purpose}/rotate`)
      expect(response.status).toBe(200)
    }
    await host.settle()
    const after = await json('/keys', Keys)
    expect(after.ring).toHaveLength(8)
    expect(after.ring.filter(({ until }) => until !== null)).toHaveLength(4)
    const keys = readRing(after.signerPem)
    expect(keys).toHaveLength(2)
    expect(keys[0]?.until).toBeNull()
    expect(keys[1]?.until).toBe(keys[0]?.from)
    // What was signed with the old key must go on verifying with what is handed over now.
    expect(after.checkpointVerifiers).toMatch(/^\S+\n\S+\n$/)
    expect(after.checkpointVerifiers.endsWith(`\n${before.checkpointVerifiers}`)).toBe(true)
    expect(Problem.parse(await (await call('POST', '/keys/session/rotate')).json()).code).toBe(
      'no-such-purpose',
    )
  })

  test('keeps each of several keys that are made at once, and the last of them is in use', async () => {
    for (const purpose of ['bundle', 'document', 'hmac']) {
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => call('POST', `/keys/${purpose}/rotate`)),
      )
      expect([purpose, answers.map(({ status }) => status)]).toEqual([purpose, [200, 200, 200, 200]])
      const made = await Promise.all(
        answers.map(async (a) => z.object({ fingerprint: z.string() }).parse(await a.json())),
      )
      await host.settle()
      const of = (await json('/keys', Keys)).ring.filter((key) => key.purpose === purpose)
      expect(new Set(made.map((key) => key.fingerprint)).size).toBe(4)
      for (const { fingerprint } of made) expect(of.map((key) => key.fingerprint)).toContain(fingerprint)
      expect(of.filter(({ until }) => until === null)).toHaveLength(1)
    }
  })
})
