import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Estate } from '@attestry/twin'
import { type Discovered, discovered, of } from './for-tests.ts'

/** Live items of one vault of the estate, as its lists show them. */
function itemsOf(vault: Estate['vaults'][number]) {
  const live = (items: Record<string, { deleted: unknown }>) =>
    Object.values(items).filter(({ deleted }) => deleted === null).length
  return { secrets: live(vault.secrets), keys: live(vault.keys), certificates: live(vault.certificates) }
}

const UNREADABLE = ['kv-data-ingest', 'kv-hr-restricted']

const pages = (count: number): number => Math.max(1, Math.ceil(count / 25))

/** Calls that a scan cannot do without. Certificates also stand in the lists of secrets and keys. */
function leastCalls({ vaults, sites }: Estate, cold: boolean, settings: boolean): number {
  let calls = 0
  for (const vault of vaults) {
    const readable = !UNREADABLE.includes(vault.name)
    const { secrets, keys, certificates } = readable
      ? itemsOf(vault)
      : { secrets: 0, keys: 0, certificates: 0 }
    calls += pages(secrets + certificates) + pages(keys + certificates) + pages(certificates)
    if (cold) calls += 3 + keys + certificates
  }
  // Subscriptions; Resource Graph for vaults, sites and container apps; applications; each site once or twice.
  return calls + 1 + 3 + 1 + sites.length * (settings ? 2 : 1)
}

describe('a scan of contoso', () => {
  let d: Discovered
  let environment: string
  let seqBefore = 0
  const newEvents = async () => {
    const events = (await d.events()).filter(({ seq }) => seq > seqBefore)
    seqBefore = events.at(-1)?.seq ?? seqBefore
    return events
  }
  const vaultOf = (name: string) => {
    const found = d.twin.estate.vaults.find((vault) => vault.name === name)
    if (!found) throw new Error(`contoso has no ${name}`)
    return found
  }

  beforeAll(async () => {
    d = await discovered()
    environment = await d.connect({ settingsScan: true })
    await newEvents()
  })
  afterAll(() => d[Symbol.asyncDispose]())

  test('finds everything that the identity may see, within the fewest calls', async () => {
    await d.scan(environment)
    const events = await newEvents()
    const { estate } = d.twin
    const readable = estate.vaults.filter(({ name }) => !UNREADABLE.includes(name)).map(itemsOf)
    const sum = (count: (items: ReturnType<typeof itemsOf>) => number) =>
      readable.reduce((total, items) => total + count(items), 0)
    const [completed] = of(events, 'discovery.scan-completed')
    expect(completed?.data.counts).toMatchObject({
      subscriptions: estate.subscriptions.length,
      vaults: estate.vaults.length,
      secrets: sum((items) => items.secrets + items.certificates),
      keys: sum((items) => items.keys + items.certificates),
      certificates: sum((items) => items.certificates),
      applications: estate.applications.length,
      credentials: estate.applications.reduce((n, app) => n + app.passwords.length + app.keys.length, 0),
      resources: estate.sites.length + estate.containerApps.length,
    })
    expect(completed?.data.refused).toEqual([])
    expect(completed?.data.calls).toBeLessThanOrEqual(1.05 * leastCalls(estate, true, true))
    expect(of(events, 'discovery.scan-started')).toMatchObject([
      { data: { environment, trigger: 'operator' } },
    ])
  })

  test('names vaults that it could not read, with the reason, and omits none', async () => {
    const events = await d.events()
    const unreachable = of(events, 'discovery.vault-unreachable').map(
      ({ data }) => `${data.facts?.name} ${data.why}`,
    )
    expect(unreachable.toSorted()).toEqual(['kv-data-ingest firewall', 'kv-hr-restricted forbidden'])
    const [completed] = of(events, 'discovery.scan-completed')
    expect(completed?.data.unreachable.map(({ why }) => why).toSorted()).toEqual(['firewall', 'forbidden'])
    const known = [...of(events, 'discovery.vault-scanned'), ...of(events, 'discovery.vault-unreachable')]
    expect(new Set(known.map(({ data }) => data.vault)).size).toBe(d.twin.estate.vaults.length)
  })

  test('marks what belongs to a certificate, and knows types, sizes, curves and issuers', async () => {
    const found = of(await d.events(), 'discovery.vault-scanned').flatMap(({ data }) => data.found)
    const named = (kind: string, name: string) => found.find((i) => i.kind === kind && i.name === name)
    expect(named('secret', 'pay-contoso')).toMatchObject({ managed: true })
    expect(named('key', 'pay-contoso')).toMatchObject({ managed: true, algorithm: 'RSA' })
    expect(named('certificate', 'erp-edi')).toMatchObject({ managed: false, algorithm: 'RSA', bits: 1024 })
    expect(named('certificate', 'acquirer-mtls')?.issuer).toBe('GlobalSign')
    expect(named('key', 'crypto-payout-wallet')).toMatchObject({
      algorithm: 'EC-HSM',
      curve: 'P-256K',
      bits: null,
    })
    expect(named('key', 'card-data-encryption')).toMatchObject({ algorithm: 'RSA-HSM', bits: 4096 })
  })

  test('sees who uses what, and credentials in plain sight by their names alone', async () => {
    const scanned = of(await d.events(), 'discovery.resource-scanned')
    const resource = (name: string) => scanned.find(({ data }) => data.facts?.name === name)?.data
    expect(resource('app-payments-api')?.found).toHaveLength(4)
    expect(
      resource('app-payments-stg')?.found.map(({ status, confidence }) => [status, confidence]),
    ).toContainEqual(['SecretNotFound', 80])
    expect(resource('ca-chargeback-worker')?.facts?.type).toBe('container-app')
    expect(resource('ca-chargeback-worker')?.found).toHaveLength(2)
    expect(resource('app-ledger-ui')?.found).toMatchObject([{ via: 'name', confidence: 60 }])
    expect(resource('app-checkout-legacy')?.hardCodedFound.map(({ looksLike }) => looksLike)).toContain(
      'connection-string',
    )
    expect(resource('ca-crm-connector')?.hardCodedFound.map(({ name }) => name)).toEqual([
      'SALESFORCE_API_TOKEN',
    ])
    const targets = scanned.flatMap(({ data }) => data.found.map(({ target }) => target))
    const assets = new Set(
      of(await d.events(), 'discovery.vault-scanned').flatMap(({ data }) =>
        data.found.map(({ asset }) => asset),
      ),
    )
    expect(targets.filter((target) => target !== null && assets.has(target)).length).toBeGreaterThan(25)
  })

  test('writes two events where nothing changed, with the same digest, within the fewest calls', async () => {
    await newEvents()
    await d.scan(environment)
    const events = await newEvents()
    expect(events.map(({ type }) => type)).toEqual(['discovery.scan-started', 'discovery.scan-completed'])
    const [completed] = of(events, 'discovery.scan-completed')
    expect(completed?.data.calls).toBeLessThanOrEqual(1.05 * leastCalls(d.twin.estate, false, true))
    const digests = of(await d.events(), 'discovery.scan-completed').map(({ data }) => data.inventoryDigest)
    expect(new Set(digests).size).toBe(1)
  })

  test('tells one changed secret in one event, and one moved key costs one more call', async () => {
    const vault = vaultOf('kv-payments-prod')
    const secret = vault.secrets['card-vault-hmac']?.versions.at(-1)
    const key = vault.keys['card-data-encryption']?.versions.at(-1)
    if (!secret || !key) throw new Error('contoso changed')
    secret.enabled = false
    secret.updated += 60
    key.updated += 60
    await d.scan(environment)
    const events = await newEvents()
    const scanned = of(events, 'discovery.vault-scanned')
    expect(scanned).toHaveLength(1)
    expect(scanned[0]?.data).toMatchObject({ facts: null, found: [], lost: [] })
    expect(scanned[0]?.data.changed.map(({ name, enabled }) => `${name} ${enabled}`).toSorted()).toEqual([
      'card-data-encryption true',
      'card-vault-hmac false',
    ])
    expect(of(events, 'discovery.scan-completed')[0]?.data.calls).toBeLessThanOrEqual(
      1.05 * (leastCalls(d.twin.estate, false, true) + 1),
    )
  })

  test('tells what a vault lost, and a vault that is gone with all it held', async () => {
    const secret = vaultOf('kv-checkout-prod').secrets['sendgrid-api-key']
    if (!secret) throw new Error('contoso changed')
    secret.deleted = { at: Date.now() / 1000, purgeAt: Date.now() / 1000 + 1000 }
    const at = d.twin.estate.vaults.findIndex(({ name }) => name === 'kv-legacy-batch')
    const [batch] = d.twin.estate.vaults.splice(at, 1)
    await d.scan(environment)
    const events = await newEvents()
    const scanned = of(events, 'discovery.vault-scanned')
    const items = batch ? itemsOf(batch) : { secrets: 0, keys: 0, certificates: 0 }
    expect(scanned.map(({ data }) => data.lost.length).toSorted((a, b) => a - b)).toEqual([
      1,
      items.secrets + items.keys + 3 * items.certificates,
    ])
    expect(of(events, 'discovery.vault-unreachable').map(({ data }) => data.why)).toEqual(['gone'])
    const vaults = await d.call('GET', '/vaults')
    expect(vaults.body).toMatchObject({ total: d.twin.estate.vaults.length })
  })

  test('keeps every secret value out of the ledger, the rows and the log', async () => {
    const canaries = d.twin.secretCanaries()
    expect(canaries.length).toBeGreaterThan(100)
    const host = d.test.host('discovery')
    const text = await host.tx('acme', async (tx) => {
      const parts = [JSON.stringify(d.lines)]
      for (const table of [
        'ledger.event',
        'assets',
        'edges',
        'hard_coded',
        'resources',
        'applications',
        'scans',
        'pending_command',
      ])
        parts.push(
          JSON.stringify(await tx.rows(`select x::text as row from ${table} x where tenant = $1`, ['acme'])),
        )
      return parts.join('\n')
    })
    expect(text).toContain('SALESFORCE_API_TOKEN')
    expect(canaries.filter((canary) => text.includes(canary))).toEqual([])
  })
})
