import { isRefused } from '@attestry/kit'
import { describe, expect, test } from 'vitest'
import { readListing } from './scope-listing.ts'
import { Reconciliation } from './reconcile.ts'
import { Chain, PAYMENTS, scanned, vault } from './reports/chain.fixture.ts'

const id = (name: string) =>
  `/subscriptions/S-1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/${name}`
const entry = (name: string) => ({ id: id(name), name, type: 'Microsoft.KeyVault/vaults', location: 'x' })
const read = (value: unknown) => readListing(JSON.stringify(value), 'listing-0001')

describe('readListing()', () => {
  test('keeps the vaults of a listing, in pages, with the digest of what was handed in', () => {
    const disk = { id: '/subscriptions/s/x', type: 'Microsoft.Compute/disks' }
    const facts = read([disk, ...Array.from({ length: 101 }, (_, i) => entry(`kv-${i}`))])
    if (isRefused(facts)) throw new Error(facts.detail)
    expect(facts[0]).toMatchObject({
      type: 'evidence.listing-imported',
      data: { resources: 102, vaults: 101, pages: 2 },
    })
    expect(facts.map((f) => f.type)).toEqual([
      'evidence.listing-imported',
      'evidence.listing-read',
      'evidence.listing-read',
    ])
  })

  test('takes what Resource Manager answers as well, and a listing without a vault', () => {
    expect(read({ value: [entry('kv-a')] })).toMatchObject([{ data: { vaults: 1 } }, { data: { page: 0 } }])
    expect(read([])).toMatchObject([{ data: { resources: 0, vaults: 0, pages: 0 } }])
  })

  test.each([
    ['no JSON', '{', 'body'],
    ['a word', '"vaults"', 'body'],
    ['an entry without a type', JSON.stringify([entry('a'), { id: 'x' }]), 'body.1.type'],
    ['a vault without a resource id', JSON.stringify([{ ...entry('a'), id: 'kv-a' }]), 'body.0.id'],
    ['a vault with U+0000 in its name', JSON.stringify([entry('kv\0a')]), 'body.0.id'],
    ['a vault with half of a surrogate pair in its name', JSON.stringify([entry('kv\ud800')]), 'body.0.id'],
  ])('refuses %s and names the field', (_, text, field) => {
    expect(readListing(text, 'listing-0001')).toMatchObject({
      refused: 'listing-unreadable',
      errors: [{ field }],
    })
  })

  test('refuses what is above one megabyte, and says how to list less', () => {
    const answer = readListing(
      JSON.stringify(Array.from({ length: 9000 }, () => entry('kv'.padEnd(40, 'x')))),
      'listing-0001',
    )
    expect(answer).toMatchObject({
      refused: 'listing-too-large',
      detail: expect.stringContaining('--resource-type'),
    })
  })
})

describe('a reconciliation', () => {
  const chain = new Chain()
    .add('02-01', 'gateway.operator-added', { operator: 'operator-0001', name: 'Ada', roles: [] })
    .told('02-01', scanned(PAYMENTS, { facts: vault('kv-pay', { resourceId: id('KV-PAY') }) }))
    .add(
      '02-02',
      'evidence.scope-declared',
      {
        scope: 'scope-0001',
        statement: 'All payment vaults.',
        subscriptions: ['s-1', 's-9'],
        vaults: [{ name: 'kv-gone' }],
      },
      'operator-0001',
    )
  const facts = read([entry('kv-pay'), entry('kv-unseen')])
  if (!isRefused(facts)) for (const f of facts) chain.add('02-03', f.type, f.data, 'operator-0001')

  test('names who declared and who listed what, and each difference between them and the scans', () => {
    const reconciliation = new Reconciliation(chain.known().estate)
    for (const event of chain.events) reconciliation.apply(event)
    const scope = reconciliation.reconcile(null)
    expect(scope.statement).toMatchObject({ text: 'All payment vaults.', by: 'Ada' })
    expect(scope.imported).toMatchObject({ by: 'Ada', vaults: 2, onlyListed: ['kv-unseen'], onlyScanned: [] })
    expect(scope.differences).toEqual([
      'Subscription s-9 was declared, and no vault was found in it',
      'kv-gone stands in the scope statement, and no scan found it',
      'kv-unseen stands in the imported listing, and no scan found it',
    ])
  })
})
