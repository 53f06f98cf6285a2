import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { CsvTarget } from './csv.ts'
import { csvBytes, csvField, CsvWriter, readCsv } from './csv.ts'

function memory(columns: readonly string[], more: Partial<CsvTarget> = {}) {
  const files = new Map<string, Uint8Array[]>()
  const target: CsvTarget = {
    path: 'report/assets',
    columns,
    hash: () => createHash('sha256'),
    open: (path) => {
      const blocks: Uint8Array[] = []
      files.set(path, blocks)
      return { write: (bytes) => void blocks.push(bytes), close: () => undefined }
    },
    ...more,
  }
  return { target, bytesOf: (path: string) => Uint8Array.from(Buffer.concat(files.get(path) ?? [])) }
}

describe('a field', () => {
  test.each([
    ['plain', '"plain"'],
    ['say "hi"', '"say ""hi"""'],
    ['=1+1', `"'=1+1"`],
    ['+49', `"'+49"`],
    ['-1', `"'-1"`],
    ['@me', `"'@me"`],
    ['\tx', `"'\tx"`],
    ['\rx', `"'\rx"`],
    ['\nx', `"'\nx"`],
    ["'quoted", `"''quoted"`],
    ['\uff1dcmd', `"'\uff1dcmd"`],
    ['', '""'],
  ])('%j is written as %j and read back', (text, written) => {
    expect(csvField(text)).toBe(written)
    expect(readCsv(csvBytes(['a'], [[text]]))).toEqual({ columns: ['a'], rows: [[text]] })
  })
})

async function written(rows: Iterable<readonly string[]>, target: CsvTarget) {
  const writer = new CsvWriter(target)
  let since = 0
  for (const row of rows) {
    writer.add(row)
    since += 1
    if (since % 1000 === 0) await writer.flush()
  }
  return writer.close()
}

describe('CsvWriter', () => {
  test('writes mark, header and CRLF, and gives rows, length and digest', async () => {
    const { target, bytesOf } = memory(['a', 'b'])
    const [part] = await written([['1', 'zwei']], target)
    const bytes = bytesOf('report/assets.csv')
    expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)).toBe(
      '\ufeff"a","b"\r\n"1","zwei"\r\n',
    )
    expect(part).toEqual({
      path: 'report/assets.csv',
      rows: 1,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })
  })

  test('splits before a file holds more rows than a spreadsheet opens', async () => {
    const { target, bytesOf } = memory(['n'], { rowsPerFile: 3 })
    const parts = await written(
      ['1', '2', '3', '4', '5'].map((n) => [n]),
      target,
    )
    expect(parts.map(({ path, rows }) => [path, rows])).toEqual([
      ['report/assets.csv', 2],
      ['report/assets.2.csv', 2],
      ['report/assets.3.csv', 1],
    ])
    expect(readCsv(bytesOf('report/assets.3.csv'))).toEqual({ columns: ['n'], rows: [['5']] })
  })

  test('gives one file with a header when there are no rows', async () => {
    const { target, bytesOf } = memory(['n'])
    expect(await written([], target)).toMatchObject([{ rows: 0 }])
    expect(readCsv(bytesOf('report/assets.csv'))).toEqual({ columns: ['n'], rows: [] })
  })

  test('streams: a hundred thousand rows leave in blocks, never as one', async () => {
    let largest = 0
    const { target } = memory(['n', 'text'], {
      open: () => ({
        write: (bytes) => void (largest = Math.max(largest, bytes.length)),
        close: () => undefined,
      }),
    })
    function* rows() {
      for (let n = 0; n < 100_000; n += 1) yield [String(n), 'a value of ordinary length']
    }
    expect(await written(rows(), target)).toMatchObject([{ rows: 100_000 }])
    expect(largest).toBeLessThan(100_000)
  })

  test('refuses a row of another width, and tells of a disk that takes no more', async () => {
    await expect(written([['1', '2']], memory(['n']).target)).rejects.toThrow(RangeError)
    const { target } = memory(['n'], {
      rowsPerFile: 2,
      open: () => ({
        write: () => Promise.reject(new Error('no space left')),
        close: () => undefined,
      }),
    })
    await expect(written([['1'], ['2'], ['3']], target)).rejects.toThrow('no space left')
  })
})

describe('readCsv()', () => {
  const mark = '\ufeff'
  test.each([
    ['no mark', '"a"\r\n'],
    ['nothing', mark],
    ['bare fields', `${mark}a\r\n`],
    ['LF', `${mark}"a"\n`],
    ['an open quote', `${mark}"a\r\n`],
    ['another width', `${mark}"a"\r\n"1","2"\r\n`],
    ['an unguarded formula', `${mark}"a"\r\n"=1"\r\n`],
    ['a guard that guards nothing', `${mark}"a"\r\n"'plain"\r\n`],
    ['no last line end', `${mark}"a"\r\n"1"`],
  ])('refuses %s', (_, text) => {
    expect(readCsv(new TextEncoder().encode(text))).toHaveProperty('problem')
  })

  test('refuses what is not UTF-8', () => {
    expect(readCsv(Uint8Array.of(0xef, 0xbb, 0xbf, 0x22, 0xff, 0x22))).toEqual({
      problem: 'the file is not UTF-8',
    })
  })
})
