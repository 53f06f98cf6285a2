import { http } from '@attestry/contracts/http'
import { describe, expect, test } from 'vitest'
import { rolesMay, rolesNeeded } from './roles.ts'

describe('what a role may do', () => {
  test('is what the endpoint’s line of the table says', () => {
    expect(rolesMay(['viewer'], http.discovery.startScan)).toBe(false)
    expect(rolesMay(['viewer'], http.discovery.listAssets)).toBe(true)
    expect(rolesMay(['security-admin'], http.discovery.startScan)).toBe(true)
    expect(rolesMay(['auditor'], http.evidence.requestBundle)).toBe(true)
    expect(rolesMay(['analyst'], http.evidence.requestBundle)).toBe(false)
    expect(rolesMay(['security-admin'], http.gateway.addOperator)).toBe(false)
  })

  test('one fitting role of several is enough, none is not', () => {
    expect(rolesMay(['viewer', 'auditor'], http.evidence.listBundles)).toBe(true)
    expect(rolesMay([], http.discovery.listAssets)).toBe(false)
    expect(rolesMay([], http.gateway.session)).toBe(true)
  })

  test('is told in words, without the machines', () => {
    expect(rolesNeeded(http.evidence.listBundles)).toBe(
      'Tenant administrator, Security administrator or Auditor',
    )
    expect(rolesNeeded(http.gateway.addOperator)).toBe('Tenant administrator')
    expect(rolesNeeded(http.discovery.startScan)).toBe('Tenant administrator or Security administrator')
  })
})
