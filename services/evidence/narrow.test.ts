import { describe, expect, test } from 'vitest'
import { ofUnknownType } from './narrow.ts'
import { application, Chain, item, LEGACY, PAYMENTS, scanned, vault } from './reports/chain.fixture.ts'

describe('a scope', () => {
  const chain = new Chain()
    .told(
      '02-01',
      scanned(PAYMENTS, {
        facts: vault('kv-pay'),
        found: [item('secret-0001', 'a'), item('secret-0002', 'b', { tags: [['env', 'prod']] })],
      }),
    )
    .told(
      '02-01',
      scanned(LEGACY, { facts: vault('kv-old', { subscription: 's-2' }), found: [item('secret-0003', 'c')] }),
    )
    .add('02-01', 'discovery.apps-scanned', {
      directory: 'directory-0001',
      found: [application('shop')],
      changed: [],
      lost: [],
    })
    .told('03-10', scanned(PAYMENTS, { changed: [item('secret-0002', 'b')] }))
  const names = (scope: Partial<Parameters<Chain['report']>[1] & object>['scope']) =>
    chain.report('asset-inventory', scope ? { scope } : {}).rows.map((r) => r['name'])

  test('discloses nothing of an event that a newer version wrote, and without a scope all of it', () => {
    const named = ofUnknownType({ subscriptions: [], vaults: [PAYMENTS], tags: [] })
    expect(named?.event).toBeNull()
    expect(named?.discloses('/data/name')).toBe(false)
    expect(ofUnknownType({ subscriptions: [], vaults: [], tags: [] })).toBeNull()
    expect(ofUnknownType(null)).toBeNull()
  })

  test('by subscription or vault leaves out the rest and all application credentials', () => {
    expect(names(undefined)).toEqual(['shop secret', 'a', 'b', 'c'])
    expect(names({ subscriptions: ['S-2'], vaults: [], tags: [] })).toEqual(['c'])
    expect(names({ subscriptions: [], vaults: [PAYMENTS], tags: [] })).toEqual(['a', 'b'])
    expect(names({ subscriptions: ['s-2'], vaults: [PAYMENTS], tags: [] })).toEqual([])
  })

  test('by tag holds an asset for as long as it carries the tag', () => {
    const { rows } = chain.report('asset-inventory', {
      scope: { subscriptions: [], vaults: [], tags: [['env', '']] },
    })
    expect(rows).toMatchObject([
      { name: 'b', state_until: '2026-03-10T00:00:00.000Z', ended_because: 'gone' },
    ])
  })
})
