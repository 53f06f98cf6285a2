import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createHasher, sha256InScript } from './sha256.ts'

const real = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('gives the digests of the platform for every length around the block, and for pieces of any size', () => {
  const bytes = Uint8Array.from(randomBytes(300))
  for (let length = 0; length <= 300; length++) {
    const part = bytes.subarray(0, length)
    expect(sha256InScript(part).toHex()).toBe(real(part))
    const hasher = createHasher()
    for (let at = 0; at < length; at += 1 + (length % 71))
      hasher.update(part.subarray(at, at + 1 + (length % 71)))
    expect(hasher.digest().toHex(), `${length} in pieces`).toBe(real(part))
  }
})

test('counts beyond what one word holds', () => {
  const hasher = createHasher()
  const whole = createHash('sha256')
  const piece = new Uint8Array(1 << 22)
  // 600 MB would take seconds: the count alone is what could go wrong, and 2^29 bytes is where its word is full.
  for (let i = 0; i < 4; i++) {
    hasher.update(piece)
    whole.update(piece)
  }
  expect(hasher.digest().toHex()).toBe(whole.digest('hex'))
})
