import { describe, expect, test } from 'vitest'
import { drawnAhead } from './ids.ts'

describe('drawnAhead()', () => {
  /** Every byte it draws is another number than the one before it. */
  const counting = () => {
    let n = 0
    let draws = 0
    const draw = (bytes: number) => {
      draws++
      return Uint8Array.from({ length: bytes }, () => n++ % 251)
    }
    return { draw, drawn: () => draws }
  }

  test('gives each byte out once, in few draws', () => {
    const { draw, drawn } = counting()
    const random = drawnAhead(draw)
    const salts = Array.from({ length: 256 }, () => Buffer.from(random(16)))
    expect(Buffer.concat(salts)).toEqual(Buffer.from(Array.from({ length: 4096 }, (_, at) => at % 251)))
    expect(drawn()).toBe(1)
    random(1)
    expect(drawn()).toBe(2)
  })

  test('draws afresh for what is larger than what it draws ahead', () => {
    const random = drawnAhead(counting().draw)
    expect(random(16)).toHaveLength(16)
    expect(random(10_000)).toHaveLength(10_000)
    expect(random(16)).toHaveLength(16)
  })
})
