import { describe, expect, test } from 'vitest'
import { match, rank } from './choices.ts'
import { readPress } from './keys.ts'
import { PLACES, placeOf } from './places.ts'

const places = new Map(PLACES.map((p) => [p.key, p.path]))
const press = (key: string, more: { ctrl?: boolean; alt?: boolean; writing?: boolean } = {}) => ({
  key,
  ctrl: false,
  alt: false,
  writing: false,
  ...more,
})

describe('keys', () => {
  test('g and a letter go to a page', () => {
    expect(readPress(press('g'), false, places)).toBe('chord')
    expect(readPress(press('f'), true, places)).toEqual({ to: '/findings' })
    expect(readPress(press('z'), true, places)).toBeNull()
  })

  test('j, k, / and ? act on the list', () => {
    expect(['j', 'k', '/', '?'].map((key) => readPress(press(key), false, places))).toEqual([
      'next',
      'previous',
      'search',
      'help',
    ])
  })

  test('letters are text while somebody writes', () => {
    const wishes = ['g', 'j', 'k', '/', '?', 'Escape'].map((key) =>
      readPress(press(key, { writing: true }), false, places),
    )
    expect(wishes).toEqual([null, null, null, null, null, null])
  })

  test('Ctrl-K opens the commands even then', () => {
    expect(readPress(press('k', { ctrl: true, writing: true }), false, places)).toBe('palette')
  })

  test('the browser’s own combinations stay its own', () => {
    expect(readPress(press('j', { ctrl: true }), false, places)).toBeNull()
    expect(readPress(press('g', { alt: true }), false, places)).toBeNull()
  })

  test('no two pages share a key', () => {
    expect(places.size).toBe(PLACES.length)
  })
})

test('a page is found by its address, and by the addresses below it', () => {
  expect(placeOf('/')?.name).toBe('Overview')
  expect(placeOf('/settings/people')?.name).toBe('Settings')
  expect(placeOf('/settingsx')).toBeUndefined()
})

describe('commands', () => {
  const choice = (name: string, group: string, words = '') => ({
    name,
    group,
    words,
    hint: '',
    run: () => undefined,
  })
  const choices = [
    choice('Evidence', 'Pages', 'bundle'),
    choice('Inventory', 'Pages'),
    choice('Build an evidence bundle', 'Actions'),
  ]

  test('a beginning beats a word beats a part', () => {
    expect(rank(choice('Evidence', ''), 'evi')).toBe(3)
    expect(rank(choice('Build an evidence bundle', ''), 'evi')).toBe(2)
    expect(rank(choice('Inventory', ''), 'vent')).toBe(1)
    expect(rank(choice('Inventory', ''), 'bundle')).toBe(0)
  })

  test('stay in their groups', () => {
    expect(match(choices, 'bundle').map((c) => c.name)).toEqual(['Evidence', 'Build an evidence bundle'])
    expect(match(choices, '')).toHaveLength(3)
  })
})
