import { catalog } from '@attestry/contracts'
import { http } from '@attestry/contracts/http'
import { describe, expect, test } from 'vitest'
import { isStale, staleAfter } from './freshness.ts'

const operations = Object.entries(http).flatMap(([service, table]) =>
  Object.keys(table).map((name) => `${service}.${name}`),
)
const staleOperations = (type: string): readonly string[] =>
  operations.filter((id) => isStale(id, staleAfter(type)))

describe('what an event makes old', () => {
  test('a scanned vault: the estate and the score, not the bundles', () => {
    const stale = staleOperations('discovery.vault-scanned')
    expect(stale).toContain('discovery.listAssets')
    expect(stale).toContain('discovery.summariseAssets')
    expect(stale).toContain('compliance.readScore')
    expect(stale).not.toContain('evidence.listBundles')
    expect(stale).not.toContain('gateway.listOperators')
  })

  test('a sealed bundle: the bundles, not the estate', () => {
    const stale = staleOperations('evidence.bundle-sealed')
    expect(stale).toContain('evidence.listBundles')
    expect(stale).not.toContain('discovery.listAssets')
  })

  test('a change of roles: the session too, because what is hidden may have changed', () => {
    expect(staleOperations('gateway.role-granted')).toContain('gateway.session')
  })

  test('every event of the contract at least moves the ledger’s own list', () => {
    const unmoved = Object.keys(catalog).filter(
      (type) => !staleOperations(type).includes('gateway.listActivity'),
    )
    expect(unmoved).toEqual([])
  })

  test('a context of a newer server makes everything old', () => {
    expect(staleOperations('weather.changed')).toEqual(operations)
  })

  test('names only reads that exist', () => {
    const reads = Object.keys(catalog).flatMap((type) => staleAfter(type))
    expect(reads.filter((read) => !operations.some((id) => isStale(id, [read])))).toEqual([])
  })
})
