import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { transaction } from '../postgres.ts'
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

describe('copyOut()', () => {
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
