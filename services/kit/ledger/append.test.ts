import { verifyChain } from '@attestry/contracts'
import { describe, expect, test, vi } from 'vitest'
import { connect, transaction } from '../postgres.ts'
import { AppendDenied, type AppendResult, appendIn } from './append.ts'
import { createAppender } from './coalesce.ts'
import { pages, readAfter, readStream } from './read.ts'
import { fact, ids, ledgerFixture, open, request, sha256 } from './testing.ts'

const DISCOVERY = 'attestry_discovery'
const LEDGER = 'attestry_ledger'

/** The code of the refusal, or what else happened. */
const denial = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'accepted',
    (error: unknown) => (error instanceof AppendDenied ? error.code : error),
  )

const walk = async (fixture: Awaited<ReturnType<typeof ledgerFixture>>, tenant: string) => {
  const verifier = verifyChain(sha256, { tenant })
  await transaction(fixture.pool, { role: LEDGER, tenant }, async (client) => {
    for await (const page of pages(client, { tenant, after: 0, pageSize: 50 }))
      for (const e of page) verifier.push(e)
  })
  return verifier.result()
}

describe('append()', () => {
  test('64 appends at once to one tenant give one gap-free chain that verifies', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const results = await Promise.all(
      Array.from({ length: 64 }, (_, n) =>
        appender.append(
          request({ stream: `vault-${n % 8}`, events: [fact({ n }), fact({ n, more: true })] }),
        ),
      ),
    )
    const seqs = results.flatMap((r) => (r.ok ? [r.firstSeq, r.lastSeq] : [])).sort((a, b) => a - b)
    expect(seqs).toEqual(Array.from({ length: 128 }, (_, n) => n + 2))
    expect(await walk(fixture, 'acme')).toMatchObject({ ok: true, events: 129, seq: 129, tenant: 'acme' })
  })

  test('refuses U+0000, at which every fold would stop for ever, and takes what only looks like it', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const append = (data: object, opened?: string) =>
      denial(
        appender.append(
          request({ stream: 'vault-1', events: [{ ...fact(data), ...(opened ? { private: opened } : {}) }] }),
        ),
      )
    expect(await append({ name: 'a\0b' })).toBe('malformed')
    expect(await append({ name: '\\\\\0' })).toBe('malformed')
    expect(await append({ name: 'a' }, JSON.stringify([['/name', 'salt', 'b\0']]))).toBe('malformed')
    expect(await append({ name: String.raw`C:\u0000` })).toBe('accepted')
  })

  test('fails all that waits at once when the database is away, not one after the other', async () => {
    const pool = connect({ url: 'postgres://nobody@127.0.0.1:9/nothing' })
    const asked = vi.spyOn(pool, 'query')
    const appender = createAppender({ pool, role: DISCOVERY })
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, (_, n) => appender.append(request({ stream: `vault-${n}` }))),
    )
    for (const result of results) expect(result).toMatchObject({ reason: { name: 'Transient' } })
    expect(asked).toHaveBeenCalledTimes(1)
    await pool.end()
  })

  test('several processes write one chain, and several tenants do not wait crosswise', async () => {
    await using fixture = await ledgerFixture('acme', 'beta', 'gamma')
    const tenants = ['acme', 'beta', 'gamma']
    const appenders = Array.from({ length: 5 }, () =>
      createAppender({ pool: fixture.pool, role: DISCOVERY, lanes: 1 }),
    )
    const results = await Promise.all(
      appenders.flatMap((appender, a) =>
        Array.from({ length: 60 }, (_, n) =>
          appender.append(request({ tenant: tenants[(a + n) % 3] ?? 'acme', stream: `vault-${a}` })),
        ),
      ),
    )
    expect(results.every((r) => r.ok)).toBe(true)
    for (const tenant of tenants) expect(await walk(fixture, tenant)).toMatchObject({ ok: true, events: 101 })
  })

  test('one call with many tenants and streams answers each request, and every chain holds', async () => {
    await using fixture = await ledgerFixture('acme', 'beta')
    const append = () =>
      transaction(fixture.pool, { role: DISCOVERY }, (client) =>
        appendIn(client, [
          request({ tenant: 'beta', stream: 'vault-1', expected: 0, events: [fact(), fact()] }),
          request({ tenant: 'acme', stream: 'vault-1' }),
          request({ tenant: 'beta', stream: 'vault-1', expected: 7 }),
          request({ tenant: 'beta', stream: 'vault-2' }),
          request({ tenant: 'beta', stream: 'vault-1', expected: 2 }),
        ]),
      )
    expect(await append()).toMatchObject([
      { ok: true, firstSeq: 2, lastSeq: 3, lastPosition: 2 },
      { ok: true, firstSeq: 2, lastPosition: 1 },
      { ok: false, actual: 2 },
      { ok: true, firstSeq: 4, lastPosition: 1 },
      { ok: true, firstSeq: 5, lastPosition: 3 },
    ])
    expect(await append()).toMatchObject([
      { ok: false, actual: 3 },
      { ok: true, firstSeq: 3, lastPosition: 2 },
      { ok: false, actual: 3 },
      { ok: true, firstSeq: 6, lastPosition: 2 },
      { ok: false, actual: 3 },
    ])
    expect(await walk(fixture, 'beta')).toMatchObject({ ok: true, events: 6 })
    const prev = await fixture.pool.query(
      `select context_prev_seq as p from ledger.event where tenant = 'beta' order by seq`,
    )
    expect(prev.rows.map((row: { p: number }) => row.p)).toEqual([0, 0, 2, 3, 4, 5])
  })

  test('an append that expects another position is answered with the actual one, and writes nothing', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    expect(await appender.append(request({ expected: 0 }))).toMatchObject({ ok: true, lastPosition: 1 })
    expect(await appender.append(request({ expected: 0 }))).toEqual({
      ok: false,
      refused: 'version-conflict',
      actual: 1,
    })
    const both = await Promise.all([
      appender.append(request({ expected: 1 })),
      appender.append(request({ expected: 1 })),
    ])
    expect(both.map((r: AppendResult) => r.ok)).toEqual([true, false])
    expect(await walk(fixture, 'acme')).toMatchObject({ ok: true, events: 3 })
  })

  test('the same append again is answered as the first time', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const twice = request({ expected: 0, events: [fact(), fact()] })
    const first = await appender.append(twice)
    await appender.append(request())
    expect(await appender.append(twice)).toEqual({ ...first, duplicate: true })
    const together = request({ stream: 'vault-2' })
    const [a, b] = await Promise.all([appender.append(together), appender.append(together)])
    expect(new Set([a.ok && a.duplicate, b.ok && b.duplicate])).toEqual(new Set([false, true]))
    expect(await denial(appender.append({ ...twice, stream: 'vault-3' }))).toBe('id-reused')
  })

  test('one bad request of a batch fails alone', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const outcomes = await Promise.all([
      denial(appender.append(request())),
      denial(appender.append(request({ events: [fact({}, { type: 'compliance.evaluated' })] }))),
      denial(appender.append(request({ tenant: 'nobody' }))),
      denial(appender.append(request({ stream: 'no such "stream"' }))),
      denial(appender.append(request({ tenant: 'acme\nbeta', stream: 'vault-1\nvault-2' }))),
      denial(appender.append(request({ events: [fact({}, { type: 'discovery.a\ndiscovery.b' })] }))),
      denial(appender.append(request({ events: [fact({ text: 'x'.repeat(131_000) })] }))),
      denial(appender.append(request({ events: [fact({}, { private: `["${'€'.repeat(140_000)}"]` })] }))),
      denial(appender.append(request())),
    ])
    expect(outcomes).toEqual([
      'accepted',
      'foreign-context',
      'no-chain',
      'malformed',
      'malformed',
      'malformed',
      'too-large',
      'too-large',
      'accepted',
    ])
    expect(await walk(fixture, 'acme')).toMatchObject({ ok: true, events: 3 })
  })

  test('a role appends events of its own context alone, and only with a role', async () => {
    await using fixture = await ledgerFixture('acme')
    const wrong = createAppender({ pool: fixture.pool, role: 'attestry_compliance' })
    expect(await denial(wrong.append(request()))).toBe('foreign-context')
    await expect(
      transaction(fixture.pool, {}, (client) => appendIn(client, [request()])),
    ).rejects.toMatchObject({
      code: 'foreign-context',
    })
  })

  test('a login appends as a role that it may take, and that was admitted to the ledger', async () => {
    await using fixture = await ledgerFixture('acme')
    const appendAs = (role: string, ...before: readonly string[]) =>
      denial(
        transaction(fixture.pool, {}, async (client) => {
          for (const statement of before) await client.query(statement)
          const id = ids.uuid()
          await client.query(
            `select * from ledger.append($1, 'acme', 'vault-1', array[null::bigint], array[1], null, null,
              $2 || '.vault-scanned', $3, $4, null)`,
            [role, role.replace('attestry_', ''), id, `{"id":"${id}","v":1}`],
          )
          // The roles of a server are everybody's: nothing of this stays.
          throw new Error('accepted')
        }),
      )
    const message = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) })
    const refused = message('a role attestry_<context> that the login may take')
    const login = ['create role attestry_test_login', 'set local session authorization attestry_test_login']
    expect(await appendAs(DISCOVERY)).toEqual(message('accepted'))
    expect(await appendAs(DISCOVERY, ...login)).toEqual(refused)
    expect(await appendAs(DISCOVERY, `${login[0]} in role ${DISCOVERY}`, `${login[1]}`)).toEqual(
      message('accepted'),
    )
    expect(await appendAs('attestry_stranger', 'create role attestry_stranger')).toEqual(refused)
  })

  test('a body that closes the envelope and adds keys of its own is refused', async () => {
    await using fixture = await ledgerFixture('acme')
    const id = ids.uuid()
    const append = (body: string) =>
      transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, (client) =>
        client.query(
          `select * from ledger.append($1, 'acme', 'vault-1', array[null::bigint], array[1], null, null,
            'discovery.vault-scanned', $2, $3, null)`,
          [DISCOVERY, id, body],
        ),
      )
    await expect(append(`{"id":"${id}"},"position":9,"x":{}`)).rejects.toThrow(/malformed/)
    // What ends as a body does, but says its id elsewhere.
    await expect(append(`{"a":1,"x\\",\\"id":"${id}","v":1}`)).rejects.toThrow(/malformed/)
    await expect(append(`{"a":{"b":1,"id":"${id}","v":1}}`)).rejects.toThrow(/malformed/)
    await expect(append(`[{"b":1,"id":"${id}","v":1}`)).rejects.toThrow(/malformed/)
    await expect(append(`{"id":"${ids.uuid()}"}`)).rejects.toThrow('its own id')
    await expect(append(`"${id}"`)).rejects.toThrow('no object')
  })

  test('appendIn() seals together with the rows of the caller, or not at all', async () => {
    await using fixture = await ledgerFixture('acme')
    const note = (fail: boolean) =>
      transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, async (client) => {
        await client.query(`insert into discovery.note values ('acme', $1, 'x')`, [ids.uuid()])
        const results = await appendIn(client, [request(), request({ stream: 'vault-9' })])
        if (fail) throw new Error('later trouble')
        return results
      })
    await expect(note(true)).rejects.toThrow('later trouble')
    expect(await note(false)).toMatchObject([
      { ok: true, firstSeq: 2 },
      { ok: true, firstSeq: 3 },
    ])
    const notes = await fixture.pool.query('select count(*) from discovery.note')
    expect(notes.rows).toEqual([{ count: 1 }])
    expect(await walk(fixture, 'acme')).toMatchObject({ ok: true, events: 3 })
  })

  test('time never runs backwards in a tenant, though the clock does', async () => {
    await using fixture = await ledgerFixture('acme')
    // The head may move forward in time: as if the clock had run a day ahead, and was set right since.
    await fixture.pool.query(`update ledger.head set at = now() + interval '1 day', seq = seq + 1`)
    await fixture.pool.query('alter table ledger.head disable trigger only_forward')
    await fixture.pool.query('update ledger.head set seq = seq - 1')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const [a, b] = [await appender.append(request()), await appender.append(request())]
    expect(a.ok && b.ok && a.at <= b.at && Date.parse(a.at) > Date.now() + 80_000_000).toBe(true)
    expect(await walk(fixture, 'acme')).toMatchObject({ ok: true })
  })
})

describe('reading', () => {
  test('each event names the one before it of its own context', async () => {
    await using fixture = await ledgerFixture('acme')
    const discovery = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const compliance = createAppender({ pool: fixture.pool, role: 'attestry_compliance' })
    const judged = () =>
      request({ stream: 'evaluation-1', events: [fact({}, { type: 'compliance.judged' })] })
    await discovery.append(request({ events: [fact(), fact()] }))
    await compliance.append(judged())
    await discovery.append(request({ trace: { traceparent: '00-1', tracestate: 'a=b' } }))
    await compliance.append(judged())
    await transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, async (client) => {
      const all = await readAfter(client, { tenant: 'acme', after: 0, limit: 100 })
      expect(all.map((e) => [e.seq, e.contextPrevSeq])).toEqual([
        [1, 0],
        [2, 0],
        [3, 2],
        [4, 0],
        [5, 3],
        [6, 4],
      ])
      expect(all[4]?.trace).toEqual({ traceparent: '00-1', tracestate: 'a=b' })
      const some = await readAfter(client, {
        tenant: 'acme',
        after: 2,
        contexts: ['compliance', 'discovery'],
        limit: 2,
      })
      expect(some.map((e) => e.seq)).toEqual([3, 4])
      const stream = await readStream(client, { tenant: 'acme', stream: 'evaluation-1', limit: 10 })
      expect(stream.map((e) => e.position)).toEqual([1, 2])
    })
  })
})

describe('a page of large events', () => {
  test('holds fewer than asked for, and a walk by pages reaches the end all the same', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
    const large = () => fact({ text: 'x'.repeat(120_000) })
    await appender.append(request({ events: Array.from({ length: 25 }, large) }))
    await appender.append(request({ stream: 'vault-2', events: Array.from({ length: 25 }, large) }))
    await transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, async (client) => {
      for (const contexts of [undefined, ['discovery']]) {
        const asked = { tenant: 'acme', after: 1, ...(contexts ? { contexts } : {}) }
        const first = await readAfter(client, { ...asked, limit: 500 })
        // Four megabytes and what crosses them.
        expect(first.map((e) => e.seq)).toEqual(Array.from({ length: 34 }, (_, n) => n + 2))
        const walked: number[] = []
        for await (const page of pages(client, { ...asked, pageSize: 500 }))
          walked.push(...page.map((e) => e.seq))
        expect(walked).toEqual(Array.from({ length: 50 }, (_, n) => n + 2))
      }
    })
  })
})

describe('openTenant()', () => {
  test('opens a chain once, and never as another kind', async () => {
    await using fixture = await ledgerFixture('acme')
    await open(fixture.pool, 'acme')
    expect(await walk(fixture, 'acme')).toMatchObject({ ok: true, events: 1 })
    const { openTenant } = await import('./open.ts')
    const demo = { tenant: 'acme', origin: 'demo', productVersion: '0', id: ids.uuid() } as const
    const attempt = openTenant(fixture.pool, { ...demo, streamKey: new Uint8Array(32), by: {}, cause: {} })
    expect(await denial(attempt)).toBe('other-origin')
  })
})
