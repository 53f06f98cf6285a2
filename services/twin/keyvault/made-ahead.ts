import type { Estate } from '../estate/estate.ts'
import { publicKey } from './key-material.ts'
import { x509 } from './x509.ts'

/**
 * Makes every certificate and every key's public half now, and not when it is first asked for: a vault has stored
 * them long ago. For benchmarks, where the work of a cloud is not to be done while its client is measured.
 */
export function makeAhead({ vaults }: Estate): void {
  for (const vault of vaults) {
    for (const key of Object.values(vault.keys))
      for (const { shape, seed } of key.versions) publicKey(shape, seed)
    for (const certificate of Object.values(vault.certificates))
      for (const version of certificate.versions) {
        publicKey(version.shape, version.seed)
        x509(certificate, version)
      }
  }
}
