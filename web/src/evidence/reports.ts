import type { ReportType } from '@attestry/contracts'

export const REPORTS: Readonly<Record<ReportType, { name: string; says: string }>> = {
  'operator-audit-log': {
    name: 'Operator audit log',
    says: 'Who did what and when: sign-ins, refusals, changes of roles and settings.',
  },
  'rotation-events': {
    name: 'Rotation events',
    says: 'Every step of every rotation, with its credential, its actor and why it failed.',
  },
  'vault-posture': {
    name: 'Vault access and network',
    says: 'How each vault decides who may use it and from where, and when that changed.',
  },
  dependencies: {
    name: 'Dependencies and blast radius',
    says: 'Which resource uses which credential, and how many would be hit if it failed.',
  },
  'sync-provenance': {
    name: 'Sync provenance',
    says: 'Every copy to another cloud, with the codes of what was read at both ends.',
  },
  recoverability: {
    name: 'Recoverability',
    says: 'Whether what is deleted from each vault could be brought back, and when that changed.',
  },
  'rule-violations': {
    name: 'Rule violations',
    says: 'Every finding that was open in the period, with its rule, controls, subject and dates.',
  },
  cryptoperiod: {
    name: 'Cryptoperiod conformance',
    says: 'The age of every credential against the cadence that is declared for it.',
  },
  'algorithm-strength': {
    name: 'Algorithm strength',
    says: 'Algorithm and size of every key and certificate, against NIST and PCI minimums.',
  },
  'asset-inventory': {
    name: 'Asset inventory',
    says: 'Every secret, key, certificate and app credential known in the period, with each change.',
  },
}

export const REPORT_TYPES = Object.keys(REPORTS) as readonly ReportType[]

/** The three stock commands that verify a bundle, with nothing of ours involved. */
export const COMMANDS: readonly { readonly says: string; readonly command: string }[] = [
  { says: 'Every file is the one that was listed.', command: 'sha256sum --strict -c SHA256SUMS' },
  {
    says: 'The list was signed by the key you were handed.',
    command: 'openssl dgst -sha256 -verify signer.pub -signature sig/SHA256SUMS.es256 SHA256SUMS',
  },
  {
    says: 'The signature existed when the authority says.',
    command:
      'openssl ts -verify -data sig/SHA256SUMS.es256 -in sig/SHA256SUMS.es256.tsr -CAfile tsa-root.pem',
  },
]

/** A fingerprint in groups of four, as people compare them. */
export const grouped = (hex: string): string => hex.match(/.{1,4}/g)?.join(' ') ?? hex
