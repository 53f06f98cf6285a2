import type { Holds } from './rule.ts'

/** NIST and SEC curves that Key Vault offers; an EC key is judged by its curve, never by its bits. */
const CURVES: ReadonlySet<string> = new Set(['P-256', 'P-256K', 'P-384', 'P-521'])

/**
 * Whether an asymmetric key is strong enough: RSA from 2048 bits, EC on a named curve. Symmetric keys of a
 * managed HSM (`oct`) are outside of the rule. A size or curve that the vault did not say is unknown.
 * @see NIST SP 800-57 part 1 rev. 5, table 2 (112 bits of strength and above)
 */
export function isStrong(k: {
  readonly managed: boolean
  readonly algorithm: string | null
  readonly bits: number | null
  readonly curve: string | null
}): Holds {
  if (k.managed) return 'not-applicable'
  switch (k.algorithm ?? 'unsaid') {
    case 'RSA':
    case 'RSA-HSM':
      return k.bits === null ? 'unknown' : k.bits >= 2048
    case 'EC':
    case 'EC-HSM':
      return k.curve === null ? 'unknown' : CURVES.has(k.curve)
    case 'oct':
    case 'oct-HSM':
      return 'not-applicable'
    default:
      return 'unknown'
  }
}
