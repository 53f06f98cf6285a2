import { describe, expect, test } from 'vitest'
import { nearness, strength } from './kinds.ts'

const now = Date.parse('2026-11-22T12:00:00Z')

describe('nearness of an expiry', () => {
  test('has the windows of the rules, exact to the second', () => {
    expect(nearness('2026-11-22T12:00:00Z', now)).toBe('expired')
    expect(nearness('2026-11-29T11:59:59Z', now)).toBe('week')
    expect(nearness('2026-11-29T12:00:00Z', now)).toBe('month')
    expect(nearness('2026-12-22T11:59:59Z', now)).toBe('month')
    expect(nearness('2026-12-22T12:00:00Z', now)).toBe('later')
    expect(nearness(null, now)).toBe('never')
  })
})

test('what a key is made of: curves are judged by name, never by bits', () => {
  expect(strength({ algorithm: 'RSA', bits: 2048, curve: null })).toBe('RSA 2048')
  expect(strength({ algorithm: 'EC', bits: 256, curve: 'P-256' })).toBe('EC P-256')
  expect(strength({ algorithm: null, bits: null, curve: null })).toBeNull()
})
