import { expect, test } from 'vitest'
import { bodyOf, newWish, scopeOf, scopeWords, type Wish, wrongWith } from './wish.ts'

const now = Date.parse('2026-11-22T10:00:00Z')
const wish = (more: Partial<Wish> = {}): Wish => ({ ...newWish(now), zone: 'Europe/Berlin', ...more })

test('a bundle holds all reports in all forms for everything, unless something else is asked for', () => {
  const body = bodyOf(wish(), now)
  expect(body.reports).toHaveLength(10)
  expect(body.formats).toEqual(['csv', 'json', 'pdf', 'oscal'])
  expect(body).not.toHaveProperty('scope')
  expect(body).not.toHaveProperty('framework')
  expect(body).not.toHaveProperty('assertion')
})

test('the days are those of the zone that was chosen', () => {
  const days = { preset: 'custom', custom: { from: '2026-11-02', to: '2026-11-03' } } as const
  expect(bodyOf(wish(days), now)).toMatchObject({
    from: '2026-11-01T23:00:00.000Z',
    to: '2026-11-03T23:00:00.000Z',
  })
  expect(bodyOf(wish({ ...days, zone: 'America/New_York' }), now)).toMatchObject({
    from: '2026-11-02T05:00:00.000Z',
  })
})

test('subscriptions, vaults and tags are read as people write them', () => {
  const narrowed = wish({
    subscriptions: ' sub-1, sub-2\nsub-3 ',
    vaults: ['vault-1'],
    tags: 'env=prod\nowner\n = x\n',
  })
  expect(scopeOf(narrowed)).toEqual({
    subscriptions: ['sub-1', 'sub-2', 'sub-3'],
    vaults: ['vault-1'],
    tags: [
      ['env', 'prod'],
      ['owner', ''],
    ],
  })
  expect(scopeWords(narrowed, new Map([['vault-1', 'kv-payments']]))).toBe(
    'Only subscriptions sub-1, sub-2, sub-3; vaults kv-payments; tags env=prod, owner. Other names are withheld and stay provable.',
  )
  expect(scopeWords(wish({ tags: ' \n' }), new Map())).toBe('Everything that the ledger knows.')
})

test.each([
  ['no report', { reports: [] }, 'Choose at least one report.'],
  [
    'an end before its beginning',
    { preset: 'custom', custom: { from: '2026-11-03', to: '2026-11-02' } },
    'The period ends before it begins.',
  ],
  [
    'a field that is being emptied',
    { preset: 'custom', custom: { from: '', to: '2026-11-02' } },
    'Choose the first and the last day of the period.',
  ],
  [
    'a year of five digits',
    { preset: 'custom', custom: { from: '2026-11-01', to: '20260-11-02' } },
    'Choose the first and the last day of the period.',
  ],
  [
    'the future',
    { preset: 'custom', custom: { from: '2026-12-01', to: '2026-12-02' } },
    'The period lies in the future.',
  ],
] as const)('%s is told before it is asked for', (_, more, says) => {
  expect(wrongWith(wish(more), now)).toBe(says)
})
