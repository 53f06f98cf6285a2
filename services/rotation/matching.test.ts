import { describe, expect, test } from 'vitest'
import { type CredentialFacts, matcher, type SecretFacts, sharedWords } from './matching.ts'

const credential: CredentialFacts = {
  keyId: '0F5E21AB-0000-4000-8000-000000000001',
  appId: '7C11D9AA-0000-4000-8000-000000000002',
  appName: 'contoso-billing-portal',
  name: 'ci',
  startsAt: '2026-01-10T09:00:00.000Z',
  endsAt: '2026-07-10T09:00:00.000Z',
}
const secret = (more: Partial<SecretFacts>): SecretFacts => ({
  asset: 'secret-0001',
  name: 'something-else',
  created: '2025-03-01T00:00:00.000Z',
  updated: null,
  expires: null,
  tags: [],
  ...more,
})

describe('which vault secret holds a credential', () => {
  test.each<[string, Partial<SecretFacts>, { confidence: number; signals: string[] } | null]>([
    [
      'a tag with its key id is as good as certain, whatever the case',
      { tags: [['key', credential.keyId.toLowerCase()]] },
      { confidence: 97, signals: ['tag-key-id'] },
    ],
    [
      'a tag with the application’s id says whose it is, not which',
      { tags: [['app', credential.appId]] },
      { confidence: 60, signals: ['tag-app-id'] },
    ],
    [
      'a name with every telling word of the application’s',
      { name: 'portal-billing-client-secret' },
      { confidence: 45, signals: ['name'] },
    ],
    ['a name with some of the words is too little', { name: 'billing-db' }, null],
    [
      'stored within a quarter of an hour of the start, and ending on its day',
      { created: '2026-01-10T08:46:00.000Z', expires: '2026-07-10T20:00:00.000Z' },
      { confidence: 55, signals: ['updated-near-start', 'expiry'] },
    ],
    [
      'the same by its last change, on the other side of the start',
      { updated: '2026-01-10T09:14:00.000Z', expires: '2026-07-10T00:00:00.000Z' },
      { confidence: 55, signals: ['updated-near-start', 'expiry'] },
    ],
    ['stored at the start alone is too little', { created: '2026-01-10T09:00:00.000Z' }, null],
    ['ending on its day alone is too little', { expires: credential.endsAt }, null],
    [
      'name and time together leave less doubt than each',
      { name: 'billing-portal', created: '2026-01-10T09:00:00.000Z' },
      { confidence: 64, signals: ['name', 'updated-near-start'] },
    ],
  ])('%s', (_, facts, expected) => {
    const found = matcher([secret(facts)], new Set(['contoso']))(credential)
    expect(found).toEqual(expected ? [{ secret: 'secret-0001', ...expected }] : [])
  })

  test('of more than ten that were stored in the same hour, those that share a word of its name are shown', () => {
    const stored = { created: credential.startsAt, expires: credential.endsAt }
    const strangers = Array.from({ length: 15 }, (_, n) => secret({ ...stored, asset: `secret-00${10 + n}` }))
    const own = secret({ ...stored, asset: 'secret-9999', name: 'billing-db' })
    const found = matcher([...strangers, own], new Set(['contoso']))(credential)
    expect(found).toHaveLength(10)
    expect(found[0]).toEqual({
      secret: 'secret-9999',
      confidence: 55,
      signals: ['updated-near-start', 'expiry'],
    })
  })

  test('a word that most applications have tells nothing', () => {
    const shared = sharedWords(['contoso-billing-portal', 'contoso-shop', 'contoso-hr', 'fabrikam'])
    expect([...shared]).toEqual(['contoso'])
    const named = [secret({ name: 'contoso' })]
    expect(matcher(named, shared)({ ...credential, appName: 'contoso' })).toEqual([])
    expect(matcher(named)({ ...credential, appName: 'contoso' })).toHaveLength(1)
  })

  test('the surest come first, and no more than ten', () => {
    const many = Array.from({ length: 12 }, (_, n) =>
      secret({ asset: `secret-01${String(n).padStart(2, '0')}`, name: 'billing-portal-contoso' }),
    )
    const sure = secret({ asset: 'secret-0999', tags: [['k', credential.keyId]] })
    const found = matcher([...many, sure])(credential)
    expect(found.map((one) => one.secret)).toEqual([
      'secret-0999',
      ...many.slice(0, 9).map(({ asset }) => asset),
    ])
  })
})
