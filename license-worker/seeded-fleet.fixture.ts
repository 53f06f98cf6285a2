import { COUNTERS, type Tier } from '@attestry/contracts'
import { vendorHttp } from '@attestry/contracts/http'
import type { LocalService } from './local.ts'

const DAY_MS = 86_400_000
const TIERS: readonly Tier[] = ['pro', 'starter', 'enterprise', 'pro', 'evaluation']
const NAMES = ['Contoso', 'Fabrikam', 'Woodgrove', 'Tailspin', 'Northwind', 'Adatum', 'Litware', 'Proseware']
const KINDS = ['Bank', 'Health', 'Energy', 'Logistics', 'Retail', 'Insurance', 'Rail']
const VERSIONS = ['1.4.0', '1.4.0', '1.4.0', '1.3.2', '1.3.2', '1.1.0']

/** A licence of the fleet, as the vendor's API answered. */
export interface Seeded {
  readonly license: string
  readonly key: string
  readonly customer: string
}

/** The number of the n-th install. */
export const installNumber = (n: number): string =>
  `01890a5d-ac96-774b-bcce-${n.toString(16).padStart(12, '0')}`

/**
 * Fills a licence service with a fleet: licences through the vendor's API, installs in KV as checks would have left
 * them (silent ones among them), and days of trends through the Worker's own daily run.
 */
export async function seedFleet(
  { url, token, miniflare }: LocalService,
  size: { readonly licenses: number; readonly days: number },
): Promise<readonly Seeded[]> {
  const now = Date.now()
  const ask = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    })
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return response.json()
  }
  const seeded: Seeded[] = []
  for (let i = 0; i < size.licenses; i++) {
    const customer = `${NAMES[i % NAMES.length]} ${KINDS[Math.floor(i / NAMES.length) % KINDS.length]}${i < 56 ? '' : ` ${i}`}`
    // Every ninth ends within the month.
    const lasts = i % 9 === 4 ? 5 + (i % 20) : 60 + ((i * 37) % 600)
    const issued = vendorHttp.issueLicense.reply.parse(
      await ask('/v1/vendor/licenses', {
        tier: TIERS[i % TIERS.length],
        expiresAt: new Date(now + lasts * DAY_MS).toISOString(),
        customer,
        contact: `kim@${customer.toLowerCase().replaceAll(' ', '-')}.example`,
      }),
    )
    seeded.push({ ...issued, customer })
    if (i % 11 === 6)
      await ask(`/v1/vendor/licenses/${issued.license}/suspend`, { reason: 'unpaid since June' })
    if (i % 17 === 9)
      await ask(`/v1/vendor/licenses/${issued.license}/revoke`, { reason: 'key was published' })
  }
  // The simulator types them by a package that is not installed; this much is used.
  const kv = (await miniflare.getKVNamespace('LICENSES')) as unknown as {
    put(name: string, value: string, options: { metadata: unknown }): Promise<void>
  }
  const worker = (await miniflare.getWorker()) as unknown as {
    scheduled(run: { scheduledTime: Date; cron: string }): Promise<unknown>
  }
  for (let day = size.days - 1; day >= 0; day--) {
    const at = now - day * DAY_MS
    const share = 1 - day / (size.days * 2)
    for (const [i, { license }] of seeded.slice(0, Math.ceil(seeded.length * share)).entries()) {
      // Every seventh has been silent since the third last day.
      const seenAt = i % 7 === 5 && day < 3 ? now - 3 * DAY_MS : at
      const most = 1 + ((i * 13) % 40)
      const counts = COUNTERS.map((name, n) =>
        Math.round(most * (n + 1) * (name === 'secrets' ? 30 : 1) * share),
      )
      await kv.put(`fs:${license}:${installNumber(i)}`, '', {
        metadata: {
          a: Math.floor(seenAt / 1000),
          v: VERSIONS[i % VERSIONS.length],
          c: i % 5 === 3 ? null : counts,
          l: Math.floor(seenAt / 1000),
        },
      })
    }
    await worker.scheduled({ scheduledTime: new Date(at), cron: '17 3 * * *' })
  }
  return seeded
}
