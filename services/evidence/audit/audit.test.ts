import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fact } from '@attestry/contracts'
import { BundleRow, Problem } from '@attestry/contracts/http'
import { pause, Secret } from '@attestry/kit'
import { guardOf, type TestHost, testHost } from '@attestry/kit/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCsv } from '../csv.ts'
import { evidenceService } from '../service.ts'
import { blobSink, lastSeqOf } from './blob.ts'
import { blobService, syslogReceiver, webhookReceiver } from './receivers.fixture.ts'
import type { AuditRecord } from './record.ts'
import type { AuditSink } from './sink.ts'
import { backoffMs, sendOnce } from './stream.ts'
import { syslogFrames, syslogMessage, syslogSink } from './syslog.ts'
import { SIGNATURE_HEADER, TIME_HEADER, webhookSignature, webhookSink } from './webhook.ts'

const KEY = 'a key that is shared with the receiver'

let state: string
let host: TestHost
let shift = Temporal.Duration.from({ seconds: 0 })
const clock = { now: () => Temporal.Now.instant().add(shift) }
const seen = {
  roles: ['tenant-admin'] as ('tenant-admin' | 'auditor')[],
  bundles: undefined as string[] | undefined,
}

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'attestry-audit-'))
  host = await testHost({
    clock,
    services: [
      {
        name: 'evidence',
        make: (h) =>
          evidenceService(
            h,
            {
              ...guardOf(['tenant-admin'], {}, clock),
              identify: (request) =>
                guardOf(seen.roles, seen.bundles ? { bundles: seen.bundles } : {}, clock).identify(request),
            },
            {
              stateDir: state,
              secretKey: new Secret('a secret key of at least 32 characters'),
              tsa: '',
              tsaRootsFile: undefined,
            },
          ),
      },
    ],
  })
})
afterAll(async () => {
  await host[Symbol.asyncDispose]()
  await rm(state, { recursive: true, force: true })
})

const evidence = () => host.host('evidence')
const call = (method: string, path: string, body?: unknown) =>
  host.service('evidence').fetch(
    new Request(`http://attestry.test${path}`, {
      method,
      headers: {
        'x-attestry-address': '192.0.2.9',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  )
const codeOf = async (answer: Response) => Problem.parse(await answer.json()).code
const act = (reason: string) =>
  evidence().append('acme', {
    stream: 'audit',
    expected: 'any',
    facts: [fact('evidence.audit-exported', { format: 'csv', from: null, to: null, upTo: 1 })],
    by: { kind: 'operator', id: 'operator-test0001', address: '198.51.100.7', reason },
    cause: { correlation: 'request-1', causation: 'request-1' },
  })
const linesOf = async (answer: Response) =>
  (await answer.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)

describe('the export', () => {
  test('holds every act with time, actor, address and reason, and is itself one', async () => {
    await act('=cmd|’ /C calc’!A0, "quoted"\nand more')
    const answer = await call('GET', '/api/audit/export')
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    expect(answer.headers.get('content-disposition')).toMatch(
      /^attachment; filename="attestry-audit-acme-beginning-[\d-]+\.jsonl"$/,
    )
    const lines = await linesOf(answer)
    expect(lines.map((l) => l.seq)).toEqual(lines.map((_, i) => i + 1))
    expect(lines.at(-1)).toMatchObject({
      type: 'evidence.audit-exported',
      actor: { kind: 'operator', id: 'operator-test0001', address: '198.51.100.7' },
      correlation: 'request-1',
    })
    const next = await linesOf(await call('GET', '/api/audit/export'))
    expect(next.at(-1)).toMatchObject({ type: 'evidence.audit-exported', actor: { address: '192.0.2.9' } })
  })

  test('as CSV keeps what people wrote, and no spreadsheet runs it', async () => {
    const answer = await call('GET', '/api/audit/export?format=csv')
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const read = readCsv(bytes)
    if ('problem' in read) throw new Error(read.problem)
    const at = read.columns.indexOf('reason')
    const reasons = read.rows.map((row) => row[at])
    expect(reasons).toContain('=cmd|’ /C calc’!A0, "quoted"\nand more')
    expect(new TextDecoder().decode(bytes)).toContain(`"'=cmd`)
  })

  test('of a period holds what was recorded in it, by the ledger’s own time', async () => {
    const all = await linesOf(await call('GET', '/api/audit/export'))
    const from = all[2]?.at ?? ''
    const to = all.at(-1)?.at ?? ''
    const part = await linesOf(await call('GET', `/api/audit/export?from=${from}&to=${to}`))
    expect(part.map((l) => l.seq)).toEqual(all.filter((l) => l.at >= from && l.at < to).map((l) => l.seq))
    const none = await call('GET', '/api/audit/export?from=2999-01-01T00:00:00Z')
    expect(await none.text()).toBe('')
  })

  test.each([
    [
      'a period that ends before it begins',
      '?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z',
      'period-reversed',
    ],
    ['an instant without a zone', '?from=2026-02-01T00:00:00', 'bad-query'],
    ['a format that there is not', '?format=xml', 'bad-query'],
  ])('is refused for %s', async (_what, query, code) => {
    const answer = await call('GET', `/api/audit/export${query}`)
    expect([answer.status, await codeOf(answer)]).toEqual([400, code])
  })

  test('ends when its reader goes', async () => {
    const answer = await call('GET', '/api/audit/export')
    const reader = answer.body?.getReader()
    await reader?.read()
    await expect(reader?.cancel()).resolves.toBeUndefined()
  })

  test('is not for whoever was shown single bundles, who are also shown no others', async () => {
    seen.roles = ['auditor']
    seen.bundles = ['bundle-shown001']
    try {
      const answer = await call('GET', '/api/audit/export')
      expect([answer.status, await codeOf(answer)]).toEqual([403, 'outside-your-scope'])
      const other = await call('GET', '/api/evidence/bundles/bundle-other001')
      expect(await codeOf(other)).toBe('no-such-bundle')
      expect(await (await call('GET', '/api/evidence/bundles')).json()).toMatchObject({ items: [], total: 0 })
    } finally {
      seen.roles = ['tenant-admin']
      seen.bundles = undefined
    }
  })
})

describe('retention', () => {
  test.each([
    [{ auditDays: 364, bundleDays: 30 }, 'body.auditDays'],
    [{ auditDays: 365, bundleDays: 0 }, 'body.bundleDays'],
  ])('%j is refused with the field named', async (body, field) => {
    const answer = await call('PUT', '/api/audit/retention', body)
    expect(answer.status).toBe(400)
    expect(Problem.parse(await answer.json()).errors?.[0]?.field).toBe(field)
  })

  test('of a bundle deletes its file and nothing else, says so, and the facts can be built again', async () => {
    expect(await (await call('GET', '/api/audit/retention')).json()).toEqual({
      auditDays: 365,
      bundleDays: 2557,
    })
    expect((await call('PUT', '/api/audit/retention', { auditDays: 400, bundleDays: 2 })).status).toBe(204)
    const bundle = await requested({ assertion: ASSERTION })
    await host.settle()
    const row = await rowOf(bundle)
    expect(row).toMatchObject({ state: 'sealed', assertion: ASSERTION, downloads: 0 })
    expect(row.expiresAt).toBe(
      Temporal.Instant.from(row.sealedAt ?? '')
        .add({ hours: 48 })
        .toString({ smallestUnit: 'millisecond' }),
    )
    expect((await call('GET', `/api/evidence/bundles/${bundle}/file`)).status).toBe(200)
    await host.settle()
    expect((await rowOf(bundle)).downloads).toBe(1)
    shift = Temporal.Duration.from({ hours: 49 })
    await runCommand('expire-bundles')
    await host.settle()
    expect(await readdir(join(state, 'bundles', 'acme'))).toEqual([])
    expect(await rowOf(bundle)).toMatchObject({ state: 'expired', downloads: 1, sumsSha256: row.sumsSha256 })
    const refused = await call('GET', `/api/evidence/bundles/${bundle}/file`)
    expect([refused.status, await codeOf(refused)]).toEqual([409, 'bundle-expired'])
    const told = (await evidence().stream('acme', bundle)).map((e) => e.type)
    expect(told.filter((type) => type === 'evidence.bundle-expired')).toHaveLength(1)
    await runCommand('expire-bundles')
    await host.settle()
    expect((await evidence().stream('acme', bundle)).map((e) => e.type)).toEqual(told)
  })
})

describe('a bundle', () => {
  test('that was cancelled is built after all, as it was asked for', async () => {
    const bundle = await requested({})
    expect((await call('POST', `/api/evidence/bundles/${bundle}/cancel`)).status).toBe(204)
    await until(async () => (await stateOf(bundle)) === 'cancelled')
    expect((await call('POST', `/api/evidence/bundles/${bundle}/resume`)).status).toBe(204)
    await until(async () => (await stateOf(bundle)) === 'sealed')
    expect((await rowOf(bundle)).problem).toBeNull()
    const again = await call('POST', `/api/evidence/bundles/${bundle}/resume`)
    expect([again.status, await codeOf(again)]).toEqual([409, 'not-ended'])
  })

  test('whose process ended between its event and its command is built by whoever comes next', async () => {
    const bundle = 'bundle-orphan0001'
    const period = { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }
    await evidence().append('acme', {
      stream: bundle,
      expected: 0,
      facts: [
        fact('evidence.bundle-requested', { bundle, reports: ['asset-inventory'], period, formats: ['csv'] }),
      ],
      by: { kind: 'operator', id: 'operator-test0001' },
      cause: { correlation: 'c', causation: 'c' },
    })
    await until(async () => (await stateOf(bundle)) === 'sealed')
    expect((await rowOf(bundle)).requestedBy).toBe('operator-test0001')
  })
})

describe('a stream of the audit log', () => {
  test('by syslog is RFC 5424 in frames that count octets, in ASCII, as the audit facility', async () => {
    const [entry] = await linesOf(await call('GET', '/api/audit/export'))
    if (!entry) throw new Error('the chain is empty')
    const told = { ...entry, type: 'gateway.sign-in-refused', data: { name: 'Müller 🗝' } }
    const message = syslogMessage(told, 'host name')
    expect(message).toMatch(
      /^<108>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z hostname attestry acme gateway\.sign-in-refused - \{/,
    )
    expect(message).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(message.slice(message.indexOf(' - ') + 3))).toEqual(told)
    expect(syslogFrames([told, told], 'h')).toBe(
      `${syslogMessage(told, 'h').length} ${syslogMessage(told, 'h')}`.repeat(2),
    )
  })

  test('goes on after its receiver was away, from where it stopped, and the chain says both', async () => {
    const first = await syslogReceiver()
    const sink = syslogSink({ address: `tcp://127.0.0.1:${first.port}`, hostname: 'h' })
    await drain(sink)
    const { seq } = await evidence().head('acme')
    await until(() => first.messages.length === seq)
    const arrived = seqsOf(first.messages)
    expect(arrived).toEqual(arrived.map((_, i) => i + 1))
    await first.close()
    await act('while it is away')
    for (let i = 0; i < 3; i++) {
      expect(await sendOnce(evidence(), 'acme', sink, 'a')).toBe(false)
      shift = shift.add({ minutes: 6 })
    }
    const standing = (await stream('syslog'))[0]
    expect(standing).toMatchObject({ failures: 3, broken: true })
    const second = await syslogReceiver(undefined, first.port)
    await drain(sink)
    const told = () =>
      second.messages.map((m) => /"type":"(evidence\.stream-[a-z]+)"/.exec(m)?.[1]).filter(Boolean)
    await until(() => told().length === 2)
    const later = seqsOf(second.messages)
    expect(later[0]).toBe((arrived.at(-1) ?? 0) + 1)
    expect(later).toEqual(later.map((_, i) => (later[0] ?? 0) + i))
    expect(told()).toEqual(['evidence.stream-broken', 'evidence.stream-restored'])
    sink.close()
    await second.close()
  })

  test('by syslog over TLS reaches only a receiver whose certificate an authority of ours made', async () => {
    const made = join(state, 'tls')
    const wish = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=receiver
      -addext subjectAltName=IP:127.0.0.1 -keyout ${made}.key -out ${made}.pem`
    await promisify(execFile)('openssl', wish.split(/\s+/))
    const [key, cert] = await Promise.all([`${made}.key`, `${made}.pem`].map((f) => readFile(f, 'utf8')))
    if (key === undefined || cert === undefined) throw new Error('openssl made no certificate')
    const receiver = await syslogReceiver({ key, cert })
    const address = `tls://127.0.0.1:${receiver.port}`
    const entries = await linesOf(await call('GET', '/api/audit/export'))
    const signal = AbortSignal.timeout(10_000)
    const stranger = syslogSink({ address, hostname: 'h' })
    await expect(stranger.deliver(entries, {}, signal)).rejects.toThrow(/self-signed/)
    const sink = syslogSink({ address, hostname: 'h', ca: cert })
    expect(await sink.deliver(entries, {}, signal)).toEqual({ through: entries.length })
    await until(() => receiver.messages.length === entries.length)
    sink.close()
    await receiver.close()
  })

  test('by webhook is signed, waits as it is told to, and follows nobody elsewhere', async () => {
    const receiver = await webhookReceiver()
    receiver.answers.push(
      { status: 503, headers: { 'retry-after': '600' } },
      { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
    )
    const sink = webhookSink({ address: `${receiver.url}/in`, key: new Secret(KEY), clock, fetch })
    expect(await sendOnce(evidence(), 'acme', sink, 'a')).toBe(false)
    shift = shift.add({ minutes: 9 })
    expect(await sendOnce(evidence(), 'acme', sink, 'a')).toBe(false)
    expect(receiver.posts).toHaveLength(1)
    shift = shift.add({ minutes: 2 })
    expect(await sendOnce(evidence(), 'acme', sink, 'a')).toBe(false)
    shift = shift.add({ minutes: 6 })
    await drain(sink)
    const good = receiver.posts.slice(2)
    for (const { headers, body } of receiver.posts)
      expect(headers[SIGNATURE_HEADER]).toBe(webhookSignature(KEY, String(headers[TIME_HEADER]), body))
    const seqs = good.flatMap(({ body }) =>
      (JSON.parse(body) as { entries: { seq: number }[] }).entries.map((e) => e.seq),
    )
    expect(seqs).toEqual(seqs.map((_, i) => i + 1))
    await receiver.close()
  })

  test('to a blob writes each entry once, also when an answer is lost or the cursor is', async () => {
    const service = await blobService()
    const sink = blobSink({
      container: service.container,
      credential: () => {
        throw new Error('a shared access signature needs no identity')
      },
    })
    service.broken.next = true
    await drain(sink)
    const written = () =>
      [...service.blobs.values()].flatMap((b) =>
        b
          .toString('utf8')
          .trimEnd()
          .split('\n')
          .filter(Boolean)
          .map((line) => (JSON.parse(line) as { seq: number }).seq),
      )
    const before = written()
    expect(before).toEqual(before.map((_, i) => i + 1))
    expect([...service.blobs.keys()][0]).toMatch(/^\/account\/audit\/acme\/\d{4}\/\d\d\/\d\d\/\d\d\.jsonl$/)
    await evidence().tx('acme', (tx) =>
      tx.rows(`delete from audit_stream where tenant = $1 and target = 'blob'`, ['acme']),
    )
    await act('after the cursor was lost')
    await drain(sink)
    const after = written()
    expect(after).toEqual(after.map((_, i) => i + 1))
    expect(after.length).toBeGreaterThan(before.length)
    const wrong = blobSink({
      container: service.container.replace('shared', 'canary-signature'),
      credential: () => {
        throw new Error('none')
      },
    })
    await act('with a wrong signature')
    shift = shift.add({ minutes: 6 })
    await sendOnce(evidence(), 'acme', wrong, 'a')
    expect(JSON.stringify(await stream('blob'))).not.toContain('canary-signature')
    await service.close()
  })

  test('is sent by one process at a time', async () => {
    const slow = Promise.withResolvers<void>()
    let deliveries = 0
    const sink: AuditSink = {
      target: 'webhook',
      where: 'here',
      most: 10,
      deliver: async (entries) => {
        deliveries++
        await slow.promise
        return { through: entries.at(-1)?.seq ?? 0 }
      },
      close: () => undefined,
    }
    await act('to be sent once')
    shift = shift.add({ minutes: 6 })
    const one = sendOnce(evidence(), 'acme', sink, 'a')
    await until(() => deliveries > 0)
    expect(await sendOnce(evidence(), 'acme', sink, 'b')).toBe(false)
    slow.resolve()
    await one
    expect(deliveries).toBe(1)
  })
})

test('waits double from a second to five minutes', () => {
  expect([1, 2, 3, 8, 9, 10, 50].map(backoffMs)).toEqual([
    1000, 2000, 4000, 128_000, 256_000, 300_000, 300_000,
  ])
})

test('the last whole line of a blob tells where it ends', () => {
  expect(lastSeqOf('')).toBeNull()
  expect(lastSeqOf('{"seq":1,"a":1}\n{"seq":2,"a"')).toBe(1)
  expect(lastSeqOf('4,"a":1}\n{"seq":5,"a":1}\n')).toBe(5)
})

const ASSERTION = {
  name: 'Mara Lindqvist',
  title: 'Chief Information Security Officer',
  statement: 'Management asserts that these records are complete and accurate for the scope stated.',
}

async function requested(more: object): Promise<string> {
  const answer = await call('POST', '/api/evidence/bundles', {
    reports: ['operator-audit-log'],
    formats: ['csv'],
    from: '2026-01-01T00:00:00Z',
    to: clock.now().toString({ smallestUnit: 'millisecond' }),
    ...more,
  })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { bundle: string }).bundle
}
const rowOf = async (bundle: string) =>
  BundleRow.parse(await (await call('GET', `/api/evidence/bundles/${bundle}`)).json())
/** Asks until something holds: with the clock put forward, settle() does not know what is due. */
const until = async (holds: () => Promise<boolean> | boolean): Promise<void> => {
  const deadline = AbortSignal.timeout(15_000)
  while (!(await holds())) {
    deadline.throwIfAborted()
    await pause(50, deadline)
  }
}
const stateOf = async (bundle: string) => (await rowOf(bundle)).state
const runCommand = (command: string) =>
  evidence().tx('acme', (tx) =>
    evidence().send(tx, [
      {
        command,
        id: `${command}-${crypto.randomUUID()}`,
        session: command,
        body: {},
        dueAt: Temporal.Now.instant(),
        by: { kind: 'schedule', id: 'retention' },
        cause: { correlation: 'c', causation: 'c' },
      },
    ]),
  )
const drain = async (sink: AuditSink) => {
  for (let left = 100; left > 0 && (await sendOnce(evidence(), 'acme', sink, 'a')); ) left--
}
const seqsOf = (messages: readonly string[]) => messages.map((m) => Number(/"seq":(\d+)/.exec(m)?.[1]))
const stream = (target: string) =>
  evidence().tx('acme', (tx) =>
    tx.rows<{ failures: number; broken: boolean; problem: string | null }>(
      'select failures, broken, problem from audit_stream where tenant = $1 and target = $2',
      ['acme', target],
    ),
  )
