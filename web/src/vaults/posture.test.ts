import type { Vault } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { POSTURE_NAMES, postureOf } from './posture.ts'

const vault = (more: Partial<Vault>): Vault => ({
  name: 'kv-a',
  uri: 'https://kv-a.vault.example/',
  resourceId: '/subscriptions/s/vaults/kv-a',
  subscription: 's',
  location: 'westeurope',
  sku: 'standard',
  softDelete: true,
  purgeProtection: true,
  retentionDays: 90,
  rbac: true,
  publicNetworkAccess: 'disabled',
  defaultAction: 'deny',
  openToAll: false,
  privateEndpoints: 0,
  tags: [],
  ...more,
})
const check = (more: Partial<Vault>, name: string): string | undefined =>
  postureOf(vault(more)).find((p) => p.name === name)?.check

describe('a vault’s posture is read as the rules read it', () => {
  test('soft delete left unsaid is on, since the platform turned it on for all; purge protection left unsaid is off', () => {
    expect(check({ softDelete: null }, 'Soft delete')).toBe('good')
    expect(check({ softDelete: false }, 'Soft delete')).toBe('bad')
    expect(check({ purgeProtection: null }, 'Purge protection')).toBe('bad')
  })

  test('access left unsaid is by access policies', () => {
    expect(check({ rbac: null }, 'Access')).toBe('bad')
  })

  test.each([
    [{ publicNetworkAccess: 'disabled' }, 'good'],
    [{ publicNetworkAccess: 'disabled', openToAll: true }, 'good'],
    [{ publicNetworkAccess: 'enabled', defaultAction: 'deny' }, 'good'],
    [{ publicNetworkAccess: 'enabled', defaultAction: 'deny', openToAll: true }, 'bad'],
    [{ publicNetworkAccess: 'enabled', defaultAction: 'allow' }, 'bad'],
    [{ publicNetworkAccess: null, defaultAction: null }, 'bad'],
  ] as const)('network %o is %s', (more, expected) => {
    expect(check(more, 'Network')).toBe(expected)
  })

  test('every column of the table has its words', () => {
    expect(postureOf(vault({})).map((p) => p.name)).toEqual([...POSTURE_NAMES])
  })
})
