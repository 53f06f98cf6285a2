import { rules } from './rule.ts'
import { told } from './vaults.ts'

export const kms = rules('kms', [
  {
    id: 'KMS-HSM',
    severity: 'medium',
    name: 'Premium SKU for HSM-Backed Keys',
    says: 'Every vault has the Premium SKU. This tests the vault, not whether any key in it is backed by an HSM.',
    remedy: 'Raise the vault to Premium, then create the keys that matter as HSM-backed.',
    over: 'vault',
    holds: told((v) => v.sku === 'premium'),
    reason: () => 'It has the Standard SKU, which cannot hold HSM-backed keys.',
  },
])
