import type { Vault } from '@attestry/contracts'
import type { VaultSubject } from '../subject.ts'
import { type Holds, rules } from './rule.ts'

/** Judges what Resource Manager says; unknown until it said something. */
export const told =
  (holds: (vault: Vault) => boolean) =>
  (v: VaultSubject): Holds =>
    v.facts === null ? 'unknown' : holds(v.facts)

export const vaults = rules('vault', [
  {
    id: 'CIS-8.5',
    severity: 'critical',
    name: 'Soft Delete Enabled',
    says: 'No vault has soft delete off. Unset is on: the default since 2020, and since 2025 it cannot be turned off.',
    remedy: 'Turn soft delete on; it cannot be turned off again.',
    over: 'vault',
    holds: told((v) => v.softDelete !== false),
    reason: () => 'Soft delete is off: what is deleted is gone at once.',
  },
  {
    id: 'CIS-8.6',
    severity: 'critical',
    name: 'Purge Protection Enabled',
    says: 'Every vault has purge protection on; unset is off.',
    remedy: 'Turn purge protection on; it cannot be turned off again.',
    over: 'vault',
    holds: told((v) => v.purgeProtection === true),
    reason: (v) =>
      `Purge protection is ${v.facts?.purgeProtection === false ? 'off' : 'not set'}: what was deleted can be destroyed before its retention ends.`,
  },
  {
    id: 'CIS-8.7',
    severity: 'high',
    name: 'Private Network Access',
    says: 'Every vault has public network access disabled, or denies by default without a rule for every address.',
    remedy: 'Disable public network access and use private endpoints, or deny by default and list networks.',
    over: 'vault',
    holds: told((v) => v.publicNetworkAccess === 'disabled' || (v.defaultAction === 'deny' && !v.openToAll)),
    reason: (v) =>
      v.facts?.defaultAction === 'deny'
        ? 'A network rule admits every address (0.0.0.0/0).'
        : 'Public network access is on and networks are allowed by default.',
  },
  {
    id: 'CIS-RBAC',
    severity: 'medium',
    name: 'RBAC Authorization Enabled',
    says: 'Every vault decides access by Azure roles; unset means access policies.',
    remedy:
      'Give the roles first, then switch the vault’s permission model to Azure role-based access control.',
    over: 'vault',
    holds: told((v) => v.rbac === true),
    reason: () => 'Access is decided by access policies of the vault, not by roles.',
  },
])
