import type { BundleManifest } from '@attestry/contracts'
import { PROCEDURE } from './readme-procedure.ts'

const rule = '-'.repeat(78)

/** `README.txt` of a bundle: what it is, the three commands that verify it, what they prove and what they do not. */
export function readmeText(manifest: BundleManifest): string {
  const { bundle, tenant, product, period, origin, signing } = manifest
  const demonstration =
    origin === 'demo'
      ? [
          'DEMONSTRATION: the estate in this bundle was made up by the product. It is evidence of nothing.',
          '',
        ]
      : []
  return [
    `${product.name} evidence bundle ${bundle}`,
    rule,
    ...demonstration,
    `Tenant      ${tenant}`,
    `Period      ${period.from} to ${period.to}`,
    `Generated   ${manifest.generatedAt} by ${product.name} ${product.version}`,
    `Reports     ${manifest.reports.map(({ title }) => title).join(', ')}`,
    `Signed by   ${signing.kind === 'local' ? 'a key on the operator\u2019s machine' : 'a key in Azure Key Vault'}`,
    `            fingerprint (SHA-256 of the public key) ${signing.fingerprint}`,
    '',
    'HOW TO VERIFY, WITH NO NETWORK AND NONE OF OUR SOFTWARE',
    rule,
    'You need sha256sum and openssl, and two files that came to you BY ANOTHER WAY than this',
    'bundle: signer.pub (the public key) and tsa-root.pem (the root of the timestamp authority).',
    'Do not take them from sig/: whoever forges a bundle forges the copies in it, too.',
    'Put both beside these files, open a terminal here, and run:',
    '',
    '1  sha256sum --strict -c SHA256SUMS',
    '2  openssl dgst -sha256 -verify signer.pub -signature sig/SHA256SUMS.es256 SHA256SUMS',
    '3  openssl ts -verify -data sig/SHA256SUMS.es256 -in sig/SHA256SUMS.es256.tsr -CAfile tsa-root.pem',
    '',
    'Each file must be OK in 1; 2 must say "Verified OK"; 3 must say "Verification: OK".',
    'If sig/SHA256SUMS.es256.tsr is absent, the timestamp is PENDING: nobody vouches for the time yet.',
    'Compare the key you were given with the fingerprint above:',
    '',
    '   openssl pkey -pubin -in signer.pub -outform DER | sha256sum',
    '',
    'WHAT THIS PROVES',
    rule,
    '1  No listed file was changed. Files that the list does not name prove nothing: there may be',
    '   none but SHA256SUMS itself and those under sig/.',
    '2  The list was signed with the key you were given, for the bundle and period in its first line.',
    '3  The signature existed at the time the authority gives. DATA.tsr says the same of the data files:',
    '   openssl ts -verify -data DATA.SHA256SUMS -in DATA.tsr -CAfile tsa-root.pem',
    '',
    'What is left (no file too many, the hash chain of every event, the tree and its checkpoints, the',
    'disclosed names) is checked by the lines of Python at the end of this file. Read them, then run:',
    '',
    "   sed -n '/^#begin/,/^#end/p' README.txt > verify.py && python3 verify.py",
    '',
    'Our verifier (attestry verify) does the same and more: it finds added files, walks the hash chain',
    'of every event in log/events.jsonl, opens the disclosed values, and counts the rows of each CSV.',
    '',
    'WHAT IT DOES NOT PROVE',
    rule,
    ...manifest.limits.flatMap((limit) => wrap(limit, '- ')),
    ...(manifest.timestampAuthorities.some(({ independent }) => independent)
      ? []
      : wrap(
          'The timestamp authority is run by the operator himself: its time is no better than his word.',
          '- ',
        )),
    ...wrap('The HMAC under sig/ is not independent proof: whoever can check it could have made it.', '- '),
    ...wrap(
      'An insider who holds the signing key and rewrites the events since the last anchor is not caught by this bundle alone. A checkpoint that you keep, and a write-once copy of the log, close that gap.',
      '- ',
    ),
    '',
    'WHAT IS IN HERE',
    rule,
    'manifest.json          what was asked, row counts, control totals, scope, limits',
    'report/                the reports: CSV holds every row, PDF is the printable form',
    'log/events.jsonl       the ledger, a line an event; {"leaf":…} where a body was withheld',
    'log/start.json         the chain before the first line',
    'log/anchors/           checkpoints of the log, signed and time-stamped: <size>.checkpoint and .tsr',
    'log/disclosures.jsonl  salts and values of the private fields that were disclosed',
    'DATA.SHA256SUMS        the data files; DATA.tsr is the timestamp over it',
    'SHA256SUMS             every file but those under sig/',
    'sig/                   signature, timestamp over it, HMAC, and hints',
    '',
    'In the CSV files one apostrophe in front of a field guards it against being run as a formula;',
    'remove it to read the value.',
    '',
    PROCEDURE,
    '',
  ].join('\n')
}

/** Lines of at most 96 characters, the first with a mark, the others indented to it. */
function wrap(text: string, mark: string): string[] {
  const lines: string[] = []
  let line = mark
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > 96) {
      lines.push(line.trimEnd())
      line = ' '.repeat(mark.length)
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}
