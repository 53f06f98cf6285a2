import type { Unreachable, Vault } from '@attestry/contracts'

/** Why a vault cannot be read, and what to do about it. */
export const UNREACHABLE: Readonly<Record<Unreachable, { says: string; todo: string }>> = {
  firewall: {
    says: 'its firewall refuses us',
    todo: 'Allow the address Attestry calls from, or give it a private endpoint into the vault’s network.',
  },
  forbidden: {
    says: 'no permission to list',
    todo: 'Grant the identity Key Vault Reader on the vault (or list on secrets, keys and certificates in its access policies).',
  },
  throttled: {
    says: 'it answered too slowly',
    todo: 'Nothing: the next scan tries again. If it repeats, scan less often or narrow the scope.',
  },
  gone: {
    says: 'it no longer exists',
    todo: 'Nothing if it was deleted on purpose. Its history stays in the ledger.',
  },
  failed: {
    says: 'it failed to answer',
    todo: 'Scan again. If it repeats, look at the vault’s health in the cloud portal.',
  },
}

export type Check = 'good' | 'bad' | 'unsaid'

export interface Posture {
  readonly name: string
  readonly check: Check
  /** A few words for a table. */
  readonly says: string
  /** What the words leave out. */
  readonly more?: string
  readonly rule: string
}

/** The names of what `postureOf` tells, in its order. */
export const POSTURE_NAMES = ['Soft delete', 'Purge protection', 'Network', 'Access', 'Protection'] as const

/** What is said of a vault's own settings, by the same readings as the rules that judge them. */
export function postureOf(vault: Vault): readonly Posture[] {
  const open = vault.publicNetworkAccess !== 'disabled' && (vault.openToAll || vault.defaultAction !== 'deny')
  return [
    {
      name: 'Soft delete',
      check: vault.softDelete === false ? 'bad' : 'good',
      says:
        vault.softDelete === false
          ? 'off'
          : `on${vault.retentionDays === null ? '' : `, ${vault.retentionDays} days`}`,
      ...(vault.softDelete === null ? { more: 'by the platform’s default' } : {}),
      rule: 'CIS-8.5',
    },
    {
      name: 'Purge protection',
      check: vault.purgeProtection === true ? 'good' : 'bad',
      says: vault.purgeProtection === true ? 'on' : 'off',
      ...(vault.purgeProtection === true ? {} : { more: 'deleted items can be destroyed at once' }),
      rule: 'CIS-8.6',
    },
    {
      name: 'Network',
      check: open ? 'bad' : 'good',
      says: networkSays(vault, open),
      rule: 'CIS-8.7',
    },
    {
      name: 'Access',
      check: vault.rbac === true ? 'good' : 'bad',
      says: vault.rbac === true ? 'Azure roles' : 'access policies',
      rule: 'CIS-RBAC',
    },
    {
      name: 'Protection',
      check: vault.sku === 'premium' ? 'good' : 'unsaid',
      says: vault.sku,
      more: vault.sku === 'premium' ? 'keys in hardware are possible' : 'keys in software only',
      rule: 'KMS-HSM',
    },
  ]
}

function networkSays(vault: Vault, open: boolean): string {
  const ends =
    vault.privateEndpoints > 0
      ? `, ${vault.privateEndpoints} private endpoint${vault.privateEndpoints === 1 ? '' : 's'}`
      : ''
  if (vault.publicNetworkAccess === 'disabled') return `public access off${ends}`
  if (open) return vault.openToAll ? `a rule admits every address${ends}` : `open to every network${ends}`
  return `chosen networks only${ends}`
}
