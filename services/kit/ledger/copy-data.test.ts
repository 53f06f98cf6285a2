import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect as connectTo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { createSecureContext, TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import type { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { connect, transaction } from '../postgres.ts'
import { divertCopyData } from './copy-data.ts'
import { copyOut } from './copy-out.ts'
import { ledgerFixture } from './testing.ts'

const message = (type: string, text: string): Buffer => {
  const bytes = Buffer.alloc(5 + text.length)
  bytes.write(type, 0, 'latin1')
  bytes.writeUInt32BE(4 + text.length, 1)
  bytes.write(text, 5, 'latin1')
  return bytes
}

describe('divertCopyData()', () => {
  const long = 'y'.repeat(300)
  const before = [message('H', 'opening')]
  const during = [message('d', 'one'), message('d', ''), message('N', 'a notice'), message('d', long)]
  const end = message('E', 'an error')
  const after = [message('Z', 'I'), message('d', 'of another')]
  const sent = Buffer.concat([...before, ...during, end, ...after])

  test.each([1, 2, 3, 4, 5, 6, 7, 11, 64, 299, 306, 10_000])(
    'takes CopyData until it gives back, and passes on the rest as it came, in pieces of %i bytes',
    (size) => {
      const stream = new PassThrough()
      let passedOn = Buffer.alloc(0)
      let giveBack: (() => void) | null = null
      stream.on('data', (bytes: Buffer) => {
        passedOn = Buffer.concat([passedOn, bytes])
        // As pg does: in the midst of a piece, as soon as it has read that the copy is over.
        if (!passedOn.includes(end)) return
        giveBack?.()
        giveBack = null
      })
      const taken: string[] = []
      giveBack = divertCopyData(stream, (bytes) => taken.push(bytes.toString('latin1')))
      for (let at = 0; at < sent.length; at += size) stream.emit('data', sent.subarray(at, at + size))
      expect(taken).toEqual(['one', '', long])
      expect(passedOn.toString('latin1')).toBe(
        Buffer.concat([...before, message('N', 'a notice'), end, ...after]).toString('latin1'),
      )
    },
  )
})

const openssl = spawnSync('openssl', ['version']).status === 0

/** Stands before a Postgres and speaks TLS, as a managed one does: the client asks for it in eight bytes. */
async function behindTls(url: string, folder: string): Promise<{ url: string; close(): void }> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const shape = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = ['-subj', '/CN=localhost', '-days', '1', '-keyout', key, '-out', cert]
  await promisify(execFile)('openssl', ['req', '-x509', ...shape, ...made])
  const secureContext = createSecureContext({ key: await readFile(key), cert: await readFile(cert) })
  const server = createServer((raw) => {
    raw.once('data', () => {
      raw.write('S')
      const secure = new TLSSocket(raw, { isServer: true, secureContext })
      const { hostname, port } = new URL(url)
      const postgres = connectTo(Number(port), hostname)
      secure.pipe(postgres).pipe(secure)
      // The client hangs up by closing both.
      for (const end of [secure, postgres]) end.on('error', () => raw.destroy())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const front = new URL(url)
  front.port = String((server.address() as AddressInfo).port)
  front.searchParams.set('sslmode', 'no-verify')
  return { url: front.href, close: () => server.close() }
}

describe('copyOut()', () => {
  test('reads through TLS what it reads without', async ({ skip }) => {
    skip(!openssl, 'this machine has no openssl to make a certificate')
    await using ledger = await ledgerFixture()
    const folder = await mkdtemp(join(tmpdir(), 'attestry-tls-'))
    const front = await behindTls(ledger.url, folder)
    const pool = connect({ url: front.url, max: 1 })
    const read = async (through: Pool): Promise<string> => {
      const hash = createHash('sha256')
      const statement = `copy (select i, repeat('x', i % 9000) from generate_series(1, 3000) i) to stdout (format binary)`
      await transaction(through, {}, (client) => copyOut(client, statement, (bytes) => hash.update(bytes)))
      return hash.digest('hex')
    }
    try {
      expect(await read(pool)).toBe(await read(ledger.pool))
      // The connection is pg's again.
      const { rows } = await pool.query<{ length: number }>('select length(repeat($1, 100000))', ['x'])
      expect(rows).toEqual([{ length: 100_000 }])
    } finally {
      await pool.end()
      front.close()
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('after an error of the database or of the reader the connection serves the next question', async () => {
    await using ledger = await ledgerFixture()
    await transaction(ledger.pool, {}, async (client) => {
      await client.query('savepoint before')
      const divided = copyOut(
        client,
        `copy (select 1 / (5000 - i), repeat('x', 500) from generate_series(1, 9999) i) to stdout (format binary)`,
        () => {},
      )
      await expect(divided).rejects.toThrow('division by zero')
      await client.query('rollback to before')
      let calls = 0
      const refused = copyOut(
        client,
        `copy (select repeat('x', 500) from generate_series(1, 9999) i) to stdout (format binary)`,
        () => {
          if (++calls === 7) throw new Error('read enough')
        },
      )
      await expect(refused).rejects.toThrow('read enough')
      expect(calls).toBe(7)
      const { rows } = await client.query<{ text: string }>(
        `select repeat('z', 1000) as text from generate_series(1, 1000)`,
      )
      expect(rows.filter(({ text }) => text === 'z'.repeat(1000))).toHaveLength(1000)
    })
  })
})
