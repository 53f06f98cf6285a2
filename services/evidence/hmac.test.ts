import { describe, expect, test } from 'vitest'
import { bundleHmacKey, hmacHolds, hmacSha256 } from './hmac.ts'

const master = new Uint8Array(32).fill(7)
const bytes = new TextEncoder().encode('a list of checksums')

describe('the keyed seal', () => {
  test('holds for the bytes and the key, and for nothing else', async () => {
    const key = await bundleHmacKey(master, 'bundle-1')
    const seal = await hmacSha256(key, bytes)
    expect(await hmacHolds(key, bytes, seal)).toBe(true)
    expect(await hmacHolds(key, bytes.slice(1), seal)).toBe(false)
    expect(await hmacHolds(key, bytes, seal.toUpperCase())).toBe(false)
    expect(await hmacHolds(await bundleHmacKey(master, 'bundle-2'), bytes, seal)).toBe(false)
  })

  test('an auditor who holds one bundle key does not hold the next', async () => {
    const [one, two] = [await bundleHmacKey(master, 'bundle-1'), await bundleHmacKey(master, 'bundle-2')]
    expect(one.toHex()).not.toBe(two.toHex())
  })

  test('HMAC agrees with RFC 4231, test case 1', async () => {
    const seal = await hmacSha256(new Uint8Array(20).fill(0x0b), new TextEncoder().encode('Hi There'))
    expect(seal).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')
  })

  test('refuses a short master key', async () => {
    await expect(bundleHmacKey(new Uint8Array(31), 'bundle-1')).rejects.toThrow(RangeError)
  })
})
