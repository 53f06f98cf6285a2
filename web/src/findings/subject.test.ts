import { describe, expect, test } from 'vitest'
import { held, kindHeld, subjectAddress } from './subject.ts'

const secret = {
  subject: 'secret-12ab',
  subjectKind: 'secret',
  subjectName: 'ldap-bind',
  holderName: 'kv-shared',
}
const vault = { subject: 'vault-12ab', subjectKind: 'vault', subjectName: 'kv-shared', holderName: '' }
const resource = { subject: 'resource-12ab', subjectKind: 'function', subjectName: 'func-a', holderName: '' }

describe('the subject of a finding', () => {
  test('is named with what holds it, where something does', () => {
    expect([secret, vault, { ...vault, holderName: 'kv-shared' }].map(held)).toEqual([
      'ldap-bind in kv-shared',
      'kv-shared',
      'kv-shared',
    ])
    expect([secret, vault].map(kindHeld)).toEqual(['secret in kv-shared', 'vault'])
  })

  test('is looked at on the page that knows it', () => {
    expect([secret, vault, resource].map(subjectAddress)).toEqual([
      '/inventory?asset=secret-12ab',
      '/vaults?vault=vault-12ab',
      '/findings?subject=resource-12ab',
    ])
  })
})
