import { COUNTERS, newLicenseKey, readLicenseKey, STATS_BYTES } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { readStats } from './stats.ts'

describe('readStats()', () => {
  /** What was read, by name. */
  const named = (read: ReturnType<typeof readStats>) => {
    if (!('counts' in read)) throw new Error(read.refused)
    return Object.fromEntries(
      COUNTERS.flatMap((name, i) => (read.counts[i] === null ? [] : [[name, read.counts[i]]])),
    )
  }

  test('reads known names and whole numbers into a list that has a place for each name', () => {
    const read = named(readStats(' {"vaults": 12,\n"secrets":0 , "scans": 9007199254740991} '))
    expect(read).toEqual({ vaults: 12, secrets: 0, scans: Number.MAX_SAFE_INTEGER })
    expect(readStats('{}')).toEqual({ counts: COUNTERS.map(() => null) })
    expect(readStats(' {\r\n} ')).toEqual(readStats('{}'))
    const all = COUNTERS.map((name, i) => [name, i] as const)
    const textOf = (members: readonly (readonly [string, number])[]) =>
      JSON.stringify(Object.fromEntries(members))
    // In the order of the list, in any other, and with gaps.
    for (const members of [all, all.toReversed(), [...all.slice(7), ...all.slice(0, 7)]])
      expect(readStats(textOf(members))).toEqual({ counts: COUNTERS.map((_, i) => i) })
    for (let step = 2; step < 5; step++)
      expect(readStats(textOf(all.filter((_, i) => i % step === 0)))).toEqual({
        counts: COUNTERS.map((_, i) => (i % step === 0 ? i : null)),
      })
    expect(readStats('{"environments":1 ,"subscriptions": 2,\t"vaults" :3}')).toEqual(
      readStats('{"environments":1,"subscriptions":2,"vaults":3}'),
    )
  })

  test.each([
    ['an object and no text', { vaults: 1 }, 'not-text'],
    ['a number', 7, 'not-text'],
    ['null', null, 'not-text'],
    ['a list', '[1]', 'not-an-object-of-counts'],
    ['nothing', '', 'not-an-object-of-counts'],
    ['a text within the text', '"{}"', 'not-an-object-of-counts'],
    ['a nested object', '{"vaults":{"a":1}}', 'not-an-object-of-counts'],
    ['a list as a count', '{"vaults":[1]}', 'not-an-object-of-counts'],
    ['a float', '{"vaults":1.5}', 'not-an-object-of-counts'],
    ['a float that is whole', '{"vaults":1.0}', 'not-an-object-of-counts'],
    ['an exponent', '{"vaults":1e3}', 'not-an-object-of-counts'],
    ['a number beyond all', '{"vaults":1e309}', 'not-an-object-of-counts'],
    ['a negative number', '{"vaults":-1}', 'not-an-object-of-counts'],
    ['minus nought', '{"vaults":-0}', 'not-an-object-of-counts'],
    ['two to the 53rd', '{"vaults":9007199254740992}', 'not-an-object-of-counts'],
    ['a leading nought', '{"vaults":01}', 'not-an-object-of-counts'],
    ['a text as a count', '{"vaults":"1"}', 'not-an-object-of-counts'],
    ['true', '{"vaults":true}', 'not-an-object-of-counts'],
    ['a name that is not in the list', '{"vaultNames":1}', 'unknown-counter'],
    ['__proto__', '{"__proto__":1}', 'unknown-counter'],
    ['constructor', '{"constructor":1}', 'unknown-counter'],
    ['a name written with an escape', '{"\\u0076aults":1}', 'not-an-object-of-counts'],
    ['a repeated name', '{"vaults":1,"vaults":2}', 'repeated-counter'],
    ['the name that was just read', '{"environments":1,"environments":2}', 'repeated-counter'],
    ['no name where the next is expected', '{"environments":1,:2}', 'not-an-object-of-counts'],
    ['no count of the name that is expected', '{"environments":', 'not-an-object-of-counts'],
    ['a trailing comma', '{"vaults":1,}', 'not-an-object-of-counts'],
    ['something behind the end', '{"vaults":1}{}', 'not-an-object-of-counts'],
    ['an open end', '{"vaults":1', 'not-an-object-of-counts'],
    ['a byte order mark', '\uFEFF{"vaults":1}', 'not-an-object-of-counts'],
    ['a replaced byte', '{"vault\uFFFD":1}', 'unknown-counter'],
    [
      'one more than there are, all known',
      `{${[...COUNTERS, 'vaults'].map((name) => `"${name}":1`).join(',')}}`,
      'repeated-counter',
    ],
    ['a deep nest', '{"vaults":'.repeat(300), 'not-an-object-of-counts'],
  ])('refuses %s', (_what, stats, refused) => {
    expect(readStats(stats)).toEqual({ refused })
  })

  test('counts bytes and not characters, before it looks at anything', () => {
    const room = STATS_BYTES - '{"vaults":1}'.length
    expect(readStats(`{"vaults":1}${' '.repeat(room)}`)).toHaveProperty('counts')
    expect(readStats(`{"vaults":1}${' '.repeat(room + 1)}`)).toEqual({ refused: 'too-large' })
    // 2,049 characters of two bytes each are one byte too many.
    expect(readStats('é'.repeat(2049))).toEqual({ refused: 'too-large' })
    expect(readStats('é'.repeat(2048))).toEqual({ refused: 'not-an-object-of-counts' })
  })

  test('whatever is written, either refuses or reads what a JSON parser reads', () => {
    const names = [
      'environments',
      'subscriptions',
      'vaults',
      'keys',
      'scans',
      '__proto__',
      'toString',
      'vaults ',
      '\\u0076aults',
    ]
    const values = [
      '0',
      '1',
      '42',
      ' 7 ',
      '-0',
      '1e309',
      '1.5',
      '[]',
      '{}',
      '"1"',
      'null',
      '9'.repeat(17),
      '',
    ]
    const breaks = [',', ',', ',', ' , ', '', ',,', ':', '}', '\u0000']
    let seed = 7
    const one = (of: readonly string[]): string => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff
      return of[(seed >> 8) % of.length] ?? ''
    }
    let read = 0
    for (let i = 0; i < 20_000; i++) {
      let text = '{'
      for (let member = 0; member < i % 4; member++)
        text += `${member > 0 ? one(breaks) : ''}"${one(names)}":${one(values)}`
      text += '}'
      const outcome = readStats(text)
      if (!('counts' in outcome)) continue
      read += 1
      expect(named(outcome)).toEqual(JSON.parse(text))
    }
    expect(read).toBeGreaterThan(5500)
  })
})

describe('a licence key', () => {
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))

  test('is read however a person types it', () => {
    const key = newLicenseKey(random)
    expect(key).toMatch(/^ATT(-[0-9A-HJKMNP-TV-Z]{5}){6}$/)
    expect(readLicenseKey(key)).toBe(key)
    const typed = ` ${key.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')} `
    expect(readLicenseKey(typed)).toBe(key)
  })

  test('with any one wrong character, or two neighbours swapped, is none', () => {
    const key = newLicenseKey(random)
    const characters = key.slice(4).replaceAll('-', '').split('')
    const spell = (all: readonly string[]) => readLicenseKey(`ATT${all.join('')}`)
    const changed = characters.flatMap((c, i) => [
      ...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.split('').map((other) => characters.with(i, other)),
      ...(i === 0 ? [] : [characters.with(i, characters[i - 1] ?? c).with(i - 1, c)]),
    ])
    const wrong = changed.filter((c) => c.join('') !== characters.join(''))
    expect(wrong.length).toBeGreaterThan(900)
    expect(wrong.map(spell).filter((k) => k !== null)).toEqual([])
    for (const other of ['', 'ATT', key.slice(0, -1), `${key}0`]) expect(readLicenseKey(other)).toBeNull()
  })

  test('is never made of a source that is not random', () => {
    const made = Array.from({ length: 32 }, (_, same) => {
      try {
        return newLicenseKey((bytes) => new Uint8Array(bytes).fill(same))
      } catch (error) {
        return String(error)
      }
    })
    expect(made).toContain('Error: the source of random bytes keeps giving the same')
  })
})
