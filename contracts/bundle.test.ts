import { describe, expect, test } from 'vitest'
import { BundleManifest, DisclosureLine, LogStart, manifestText } from './bundle.ts'

describe('the shapes of a bundle', () => {
  test('a manifest with a field that nobody knows is refused: nothing rides along unread', () => {
    const problems =
      BundleManifest.safeParse({ format: 'evidence-bundle/v1', timestamped: true }).error?.issues ?? []
    expect(problems.some(({ code }) => code === 'unrecognized_keys')).toBe(true)
  })

  test('another format is refused, however well formed', () => {
    const problems = BundleManifest.safeParse({ format: 'evidence-bundle/v2' }).error?.issues ?? []
    expect(problems.some(({ path }) => path[0] === 'format')).toBe(true)
  })

  test('a start holds digests or nothing on each level of its frontier', () => {
    const prev = '0'.repeat(64)
    expect(LogStart.safeParse({ frontier: [], prev, size: 0 }).success).toBe(true)
    expect(LogStart.safeParse({ frontier: [null, 'a'.repeat(64)], prev, size: 2 }).success).toBe(true)
    expect(LogStart.safeParse({ frontier: ['a'], prev, size: 1 }).success).toBe(false)
    expect(LogStart.safeParse({ frontier: [], prev, size: -1 }).success).toBe(false)
  })

  test('a disclosure is a pointer, a salt of 16 bytes and any value', () => {
    const salt = 'ab'.repeat(16)
    expect(DisclosureLine.safeParse({ open: [['/data/name', salt, { any: 1 }]], seq: 3 }).success).toBe(true)
    expect(DisclosureLine.safeParse({ open: [['data.name', salt, 'x']], seq: 3 }).success).toBe(false)
    expect(DisclosureLine.safeParse({ open: [['/data/name', 'ab', 'x']], seq: 3 }).success).toBe(false)
    expect(DisclosureLine.safeParse({ open: [], seq: 3 }).success).toBe(false)
  })

  test('the text of a manifest ends with one line end', () => {
    expect(manifestText({} as BundleManifest)).toBe('{}\n') // any object shows the form
  })
})
