import { describe, expect, test } from 'vitest'
import { readSums, writeSums } from './sums.ts'

const header = {
  bundleId: 'bundle-1',
  report: 'asset-inventory',
  from: '2026-01-01T00:00:00Z',
  to: '2026-02-01T00:00:00Z',
}
const sha256 = 'a'.repeat(64)

describe('a list of checksums', () => {
  test('is read back as it was written, sorted by path', () => {
    const text = writeSums(
      [
        { path: 'b', sha256 },
        { path: 'a/b.csv', sha256 },
      ],
      header,
    )
    expect(text.split('\n')[0]).toBe(
      '# evidence-bundle/v1 bundle-1 asset-inventory 2026-01-01T00:00:00Z/2026-02-01T00:00:00Z',
    )
    expect(readSums(text)).toEqual({
      header,
      lines: [
        { path: 'a/b.csv', sha256 },
        { path: 'b', sha256 },
      ],
    })
  })

  test.each([
    ['a file that stands twice', `${sha256}  a\n${sha256}  a\n`],
    ['an unsorted list', `${sha256}  b\n${sha256}  a\n`],
    ['a second comment', `# evidence-bundle/v1 a b c/d\n# more\n`],
    ['a digest in upper case', `${sha256.toUpperCase()}  a\n`],
    ['a path that sha256sum would unescape', `\\${sha256}  a\\nb\n`],
    ['binary mode', `${sha256} *a\n`],
    ['a missing last line end', `${sha256}  a`],
    ['a carriage return', `${sha256}  a\r\n`],
    ['an absolute path', `${sha256}  /etc/passwd\n`],
  ])('refuses %s', (_, text) => {
    expect(readSums(text)).toHaveProperty('problem')
  })
})
