import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  checkpointText,
  logOrigin,
  noteKeyId,
  noteOf,
  openNote,
  originTenant,
  readReceipt,
  readVerifier,
  receiptText,
  verifierText,
} from './checkpoint.ts'
import type { Sha256 } from './ledger.ts'

const sha256: Sha256 = (bytes) => Uint8Array.from(createHash('sha256').update(bytes).digest())
const root = new Uint8Array(32).fill(7)
const origin = logOrigin('contoso', new Uint8Array(32).fill(0xab))
const signature = { name: origin, keyId: '01020304', signature: new Uint8Array(64).fill(5) }
const note = noteOf(checkpointText({ origin, size: 42, root }), [signature])

test('the origin names the tenant and its first event, and the tenant can be read from it', () => {
  expect(origin).toBe('attestry/contoso/abababababababab')
  expect(originTenant(origin)).toBe('contoso')
  expect(originTenant('example.com/log')).toBeNull()
})

test('a key’s id is that of other people’s software', () => {
  // The key of the signed-note package's own documentation.
  const line = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
  const verifier = readVerifier(sha256, line)
  if (verifier === null) throw new Error('the line must be read')
  expect(verifier).toMatchObject({ name: 'PeterNeumann', keyId: 'c74f20a3' })
  expect(noteKeyId(sha256, verifier.name, verifier.publicKey)).toBe('c74f20a3')
  expect(verifierText(verifier)).toBe(line)
})

test.each([
  ['another name', 'PeterNeumenn+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
  ['another id', 'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
  ['another algorithm', 'PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
  ['no base64', 'PeterNeumann+c74f20a3+%%%%'],
  ['nothing', ''],
])('a verifier’s line with %s is not read', (_, line) => {
  expect(readVerifier(sha256, line)).toBeNull()
})

describe('a checkpoint’s note', () => {
  test('is three lines, an empty one, and a line a signature', () => {
    expect(note.split('\n').slice(0, 4)).toEqual([
      origin,
      '42',
      'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=',
      '',
    ])
    expect(openNote(note)).toEqual({
      text: checkpointText({ origin, size: 42, root }),
      checkpoint: { origin, size: 42, root },
      signatures: [signature],
    })
  })

  test.each([
    ['no signatures', (n: string) => n.slice(0, n.indexOf('\n\n') + 1)],
    ['an extension line', (n: string) => n.replace('=\n\n', '=\nmore\n\n')],
    ['a size with a leading zero', (n: string) => n.replace('\n42\n', '\n042\n')],
    ['a size beyond every integer', (n: string) => n.replace('\n42\n', '\n99999999999999999\n')],
    ['a short root', (n: string) => n.replace('BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=', 'Bwc=')],
    ['loose base64', (n: string) => n.replace('Bwc=\n\n', 'Bwd=\n\n')],
    ['a plain dash', (n: string) => n.replace('\u2014', '-')],
    ['no last line end', (n: string) => n.slice(0, -1)],
    ['a space in the origin', (n: string) => n.replace('attestry/', 'attestry /')],
    ['seventeen signatures', (n: string) => n + (n.split('\n').at(-2)?.concat('\n') ?? '').repeat(16)],
    ['no end', (n: string) => n.repeat(100)],
  ])('with %s is not read', (_, change) => {
    expect(openNote(change(note))).toHaveProperty('problem')
  })
})

describe('a receipt', () => {
  const receipt = { index: 3, proof: [root, root], note, extra: null }

  test('survives being written and read, with extra data and without, and with an empty proof', () => {
    for (const each of [receipt, { ...receipt, extra: root }, { ...receipt, proof: [], index: 0 }])
      expect(readReceipt(receiptText(each))).toEqual(each)
  })

  test.each([
    ['another first line', (t: string) => t.replace('@v1', '@v2')],
    ['no index', (t: string) => t.replace('index 3\n', '')],
    ['a leading zero', (t: string) => t.replace('index 3', 'index 03')],
    ['a line that is no hash', (t: string) => t.replace('Bwc=\n\n', 'Bw==\n\n')],
    [
      'a proof without end',
      (t: string) =>
        t.replace('index 3\n', `index 3\n${'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n'.repeat(65)}`),
    ],
    ['nothing at all', () => ''],
  ])('with %s is not read', (_, change) => {
    expect(readReceipt(change(receiptText(receipt)))).toHaveProperty('problem')
  })
})
