import { expect, test } from 'vitest'
import { forget, isKnown, know } from './known.ts'
import { SEEN_EVERY_SECONDS } from './seen.ts'

const heard = (at: number, vaults = 3) => ({ at, version: '1.0.0', counts: [vaults] })
const seen = { ...heard(1000), loggedAt: 1000 }

test('an install is known while it tells the same, until it has to be written again', () => {
  expect(isKnown('fs:a', heard(1000))).toBe(false)
  know('fs:a', seen)
  expect(isKnown('fs:a', heard(1000 + SEEN_EVERY_SECONDS - 1))).toBe(true)
  expect(isKnown('fs:a', heard(1000 + SEEN_EVERY_SECONDS))).toBe(false)
  expect(isKnown('fs:a', heard(1001, 4))).toBe(false)
  forget('fs:a')
  expect(isKnown('fs:a', heard(1001))).toBe(false)
})

test('ten thousand are known at most, and the one noted first is forgotten first', () => {
  for (let n = 0; n < 10_000; n++) know(`fs:${n}`, seen)
  know('fs:0', seen)
  know('fs:more', seen)
  expect(['fs:0', 'fs:1', 'fs:2', 'fs:more'].map((name) => isKnown(name, heard(1001)))).toEqual([
    true,
    false,
    true,
    true,
  ])
})
