import { createTsa } from '../twin/tsa/index.ts'
import { columns, ledgerOf, manifestOf, now, partsOf, rows, sha256, text } from './bundle.fixture.ts'
import { csvBytes } from './csv.ts'
import { loadFonts } from './pdf/fonts.ts'
import type { PrintedReport } from './pdf.ts'
import { localSigner } from './sign.ts'

/** A key for tests, so that the same report is printed in every process. */
export const fixedKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpB28XTS3tFcwMHxO
V51FI5J7+2l8WHB1LEbwCkJ10aShRANCAAQq1FFIN4HjeW+jdDY/iPqoFBTbeWmT
PJQbgBMJbix6N/d7vcgNYxvm80ZtIsAJR0Ddk8N5FqouFz9w5sEPOGfI
-----END PRIVATE KEY-----
`

/** A report that depends on nothing but its input, pending unless a stamp is given. */
export async function reportOf(more: Partial<PrintedReport> = {}): Promise<PrintedReport> {
  const manifest = more.manifest ?? manifestOf(localSigner(fixedKey), ledgerOf('contoso'))
  const [report] = manifest.reports
  if (report === undefined) throw new Error('the fixture has a report')
  const dataSums = text('a list of data files\n')
  return {
    manifest,
    report,
    sample: rows,
    tier: {
      dataSums,
      digest: sha256(dataSums).toHex(),
      stamp: {
        status: 'pending',
        reason: 'local: cannot be reached',
        retryAt: now.toISOString(),
        attempts: [],
      },
    },
    attachments: new Map([['report/asset-inventory.csv', csvBytes(columns, rows)]]),
    fonts: await loadFonts(),
    signal: new AbortController().signal,
    ...more,
  }
}

/** A real token over the list of data files. */
export async function stamped(random: (length: number) => Uint8Array): Promise<PrintedReport['tier']> {
  const { tier } = await reportOf()
  const tsa = await createTsa({ clock: () => now, random })
  const { timestamp, signal } = partsOf(localSigner(fixedKey), tsa)
  return { ...tier, stamp: await timestamp(tier.dataSums, signal) }
}
