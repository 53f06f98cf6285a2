import { cell, column, type Report } from './report.ts'
import { STRETCH_COLUMNS, Timeline } from './timeline.ts'

/** What each key and certificate is made of, against the minimums of NIST and PCI, over the period. */
export const algorithmStrength: Report = {
  type: 'algorithm-strength',
  title: 'Algorithm strength',
  says: 'Algorithm, size and curve of every key and certificate, with its security strength and how that stands to the minimums of NIST SP 800-131A and PCI DSS: as it stood at both ends of the period, with every stretch in which it stood otherwise.',
  kind: 'posture',
  columns: [
    column('asset', 'id', 'Opaque id', 'discovery.vault-scanned, discovery.apps-scanned asset'),
    column('kind', 'text', 'key, certificate or app-certificate', 'kind'),
    column('name', 'text', 'Name in the vault, or of the application’s certificate', 'name'),
    column('holder', 'text', 'Vault or application that holds it', 'facts.name, application name'),
    column('algorithm', 'text', 'Key type as the vault says it', 'algorithm'),
    column('bits', 'integer', 'Key size', 'bits', 'bits'),
    column('curve', 'text', 'Elliptic curve', 'curve'),
    column('hsm', 'boolean', 'Whether the key type says that it is kept in an HSM', 'algorithm'),
    column('enabled', 'boolean', 'Whether it may be used', 'enabled'),
    column(
      'strength_bits',
      'integer',
      'Security strength that it reaches at least, by NIST SP 800-57 Part 1 rev. 5, table 2; empty: unknown',
      'derived from algorithm, bits and curve',
      'bits of security',
    ),
    column(
      'meets_112',
      'text',
      'yes, no or unknown: 112 bits, the least that SP 800-131A rev. 2 and the strong cryptography of PCI DSS ask for',
      'derived',
    ),
    column(
      'meets_128',
      'text',
      'yes, no or unknown: 128 bits, the least that SP 800-57 plans for from 2031',
      'derived',
    ),
    column(
      'approved_curve',
      'text',
      'yes, no, or empty where there is no curve: whether FIPS 186-5 lists the curve for signatures',
      'curve',
    ),
    column(
      'certificate_backed',
      'boolean',
      'The key half of a certificate: the certificate has a row of its own',
      'managed',
    ),
    ...STRETCH_COLUMNS,
  ],
  printed: [
    'kind',
    'name',
    'holder',
    'algorithm',
    'bits',
    'curve',
    'strength_bits',
    'meets_112',
    'meets_128',
    'at_end',
  ],
  limits: [
    'Strength is that of the algorithm and size. How keys are used, padded, stored and destroyed is not looked at.',
    'That a key type names an HSM is the vault’s word; the validation of the module is Microsoft’s to show.',
    'The directory does not tell the algorithm of an application’s certificate: it is unknown here.',
    'Strength against quantum computers is not part of these minimums.',
  ],
  fold({ period }, { estate }) {
    const timeline = new Timeline(period)
    return {
      apply({ event, touched }) {
        for (const id of touched) {
          const asset = estate.assets.get(id)
          if (!asset || asset.kind === 'secret' || asset.kind === 'app-secret') continue
          const { item, lostAt } = asset
          const { bits, curve } = item ?? { bits: null, curve: null }
          const algorithm = item?.algorithm ?? null
          const strength = strengthOf(algorithm, bits, curve)
          timeline.set(
            id,
            event.at,
            lostAt === null
              ? [
                  cell(algorithm),
                  cell(bits),
                  cell(curve),
                  cell(algorithm === null ? null : algorithm.endsWith('-HSM')),
                  cell(item?.enabled ?? true),
                  cell(strength),
                  meets(strength, 112),
                  meets(strength, 128),
                  curve === null ? '' : FIPS_CURVES.has(curve) ? 'yes' : 'no',
                  cell(item?.managed ?? false),
                ]
              : null,
          )
        }
        return []
      },
      end: () =>
        timeline.stretches().map((s) => {
          const asset = estate.assets.get(s.key)
          const holder = estate.holderName(asset?.holder ?? '')
          return [s.key, cell(asset?.kind), cell(asset?.name), holder, ...s.state, ...timeline.cells(s)]
        }),
      totals() {
        const atEnd = timeline.stretches().filter((s) => s.until === null)
        const having = (index: number, value: string) => atEnd.filter((s) => s.state[index] === value).length
        return [
          ...timeline.totals('keys and certificates'),
          { name: 'At 112 bits or more at the end', value: having(6, 'yes') },
          { name: 'Below 112 bits at the end', value: having(6, 'no') },
          { name: 'At 128 bits or more at the end', value: having(7, 'yes') },
          { name: 'Of unknown strength at the end', value: having(6, 'unknown') },
          { name: 'On a curve that FIPS 186-5 does not list at the end', value: having(8, 'no') },
        ]
      },
    }
  },
}

/** Curves of FIPS 186-5 that vaults know; P-256K (secp256k1) is not one of them. */
const FIPS_CURVES: ReadonlySet<string> = new Set(['P-256', 'P-384', 'P-521'])

/** Least modulus for a strength, strongest first: the table's rows are floors, nothing is read between them. */
const RSA_STRENGTH: readonly (readonly [bits: number, strength: number])[] = [
  [15_360, 256],
  [7680, 192],
  [3072, 128],
  [2048, 112],
  [1024, 80],
]

const CURVE_STRENGTH = new Map([
  ['P-256', 128],
  ['P-256K', 128],
  ['P-384', 192],
  ['P-521', 256],
])

/**
 * Security strength in bits that a key reaches at least; null where it cannot be told. An RSA key below 1024 bits
 * gives 0.
 * @see NIST SP 800-57 Part 1 rev. 5, 5.6.1.1, table 2
 */
export function strengthOf(
  algorithm: string | null,
  bits: number | null,
  curve: string | null,
): number | null {
  const family = algorithm?.replace(/-HSM$/, '')
  if (family === 'EC') return (curve && CURVE_STRENGTH.get(curve)) || null
  if (bits === null) return null
  if (family === 'RSA') return RSA_STRENGTH.find(([least]) => bits >= least)?.[1] ?? 0
  // A symmetric key of Key Vault is an AES key: its size is its strength.
  return family === 'oct' ? bits : null
}

const meets = (strength: number | null, least: number): string =>
  strength === null ? 'unknown' : strength >= least ? 'yes' : 'no'
