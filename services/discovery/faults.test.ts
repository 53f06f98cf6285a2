import type { Command, Job } from '@attestry/kit'
import { type AzureAccess, azureAccess } from '@attestry/kit/azure'
import { createDefaultHttpClient, createHttpHeaders, type HttpClient } from '@azure/core-rest-pipeline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { azureCloud } from './azure.ts'
import { type Discovered, discovered, of, secretOf } from './for-tests.ts'
import { scanCommand, type ScanBody } from './scan.ts'

const HOST = 'kv-payments-prod.vault.azure.net'

describe('a scan in bad weather', () => {
  let d: Discovered
  let environment: string
  const last = async () => of(await d.events(), 'discovery.scan-completed').at(-1)?.data
  const lostSince = async (seq: number) =>
    of(await d.events(), 'discovery.vault-scanned')
      .filter((event) => event.seq > seq)
      .flatMap(({ data }) => data.lost)
  const head = async () => (await d.events()).at(-1)?.seq ?? 0

  beforeAll(async () => {
    d = await discovered()
    environment = await d.connect()
    await d.scan(environment)
  })
  afterAll(() => d[Symbol.asyncDispose]())

  test('gets through throttling that does not say how long to wait', async () => {
    d.twin.faults.add({
      operation: 'keyvault.secrets.list',
      host: HOST,
      times: 3,
      trouble: { kind: 'throttled' },
    })
    const before = await head()
    await d.scan(environment)
    expect((await last())?.unreachable.map(({ why }) => why).toSorted()).toEqual(['firewall', 'forbidden'])
    expect((await d.events()).filter(({ seq }) => seq > before)).toHaveLength(2)
  })

  test('gets through errors of the server and dropped connections', async () => {
    d.twin.faults.add({
      operation: 'keyvault.keys.list',
      host: HOST,
      times: 1,
      trouble: { kind: 'error', status: 503 },
    })
    d.twin.faults.add({
      operation: 'keyvault.certificates.list',
      host: HOST,
      times: 1,
      trouble: { kind: 'reset' },
    })
    d.twin.faults.add({
      operation: 'arm.resource-graph.query',
      times: 1,
      trouble: { kind: 'error', status: 500 },
    })
    const before = await head()
    await d.scan(environment)
    expect((await d.events()).filter(({ seq }) => seq > before)).toHaveLength(2)
  })

  test('says of a vault with a malformed page that it failed, loses nothing, and reads the others', async () => {
    const remove = d.twin.faults.add({
      operation: 'keyvault.secrets.list',
      host: HOST,
      trouble: { kind: 'malformed-page' },
    })
    const before = await head()
    await d.scan(environment)
    remove()
    expect((await last())?.unreachable.map(({ why }) => why).toSorted()).toEqual([
      'failed',
      'firewall',
      'forbidden',
    ])
    expect(await lostSince(before)).toEqual([])
    expect(JSON.stringify(d.lines)).toContain('A vault could not be read in full')
    // The next scan that reads it says so.
    await d.scan(environment)
    const scanned = of(await d.events(), 'discovery.vault-scanned').filter(({ seq }) => seq > before)
    expect(scanned.map(({ data }) => [data.found, data.changed, data.lost])).toEqual([[[], [], []]])
  })

  test('says of a vault that is throttled without end that it is, and ends', async () => {
    const remove = d.twin.faults.add({
      operation: 'keyvault.keys.list',
      host: HOST,
      trouble: { kind: 'throttled' },
    })
    const before = await head()
    await d.scan(environment)
    remove()
    expect((await last())?.unreachable.map(({ why }) => why).toSorted()).toEqual([
      'firewall',
      'forbidden',
      'throttled',
    ])
    expect(await lostSince(before)).toEqual([])
  })

  test('does not call forbidden what failed otherwise', async () => {
    const remove = d.twin.faults.add({
      operation: 'keyvault.certificates.list',
      host: HOST,
      trouble: { kind: 'error', status: 500 },
    })
    await d.scan(environment)
    remove()
    expect((await last())?.unreachable.map(({ why }) => why).toSorted()).toEqual([
      'failed',
      'firewall',
      'forbidden',
    ])
  })

  test('asks subscription by subscription where Resource Graph is refused', async () => {
    const opaque = await d.test.host('discovery').opaque('acme')
    const signal = AbortSignal.timeout(20_000)
    const real = createDefaultHttpClient()
    const refusing: HttpClient = {
      sendRequest: async (request) =>
        request.url.includes('Microsoft.ResourceGraph')
          ? {
              request,
              status: 403,
              headers: createHttpHeaders({ 'content-type': 'application/json' }),
              bodyAsText: '{"error":{"code":"AuthorizationFailed","message":"no"}}',
            }
          : real.sendRequest(request),
    }
    const listed = async (access: AzureAccess) => {
      const cloud = azureCloud(access, opaque)
      const ids = (await cloud.subscriptions(signal)).map(({ id }) => id)
      const { items } = await cloud.vaults(ids, signal)
      return new Map(items.map(({ vault, facts }) => [vault, facts]))
    }
    const byGraph = await listed(azureAccess({ endpoint: d.twin.url, env: {} }))
    const oneByOne = await listed(azureAccess({ endpoint: d.twin.url, env: {}, httpClient: refusing }))
    expect(byGraph.size).toBe(d.twin.estate.vaults.length)
    // Both say the same of every vault, so that a refusal that comes and goes is no difference.
    expect(oneByOne).toEqual(byGraph)
  })

  test('ends as unreachable when Resource Manager does not answer, after trying again', async () => {
    const remove = d.twin.faults.add({
      operation: 'arm.subscriptions.list',
      trouble: { kind: 'error', status: 503 },
    })
    const scan = await d.scan(environment)
    await expect
      .poll(async () => of(await d.events(), 'discovery.scan-failed').length, { timeout: 25_000 })
      .toBeGreaterThan(0)
    remove()
    expect(of(await d.events(), 'discovery.scan-failed').at(-1)?.data).toMatchObject({
      scan,
      reason: 'unreachable',
    })
  })
})

describe('an identity with fewer rights', () => {
  test('names what it was refused, and finishes', async () => {
    await using d = await discovered({ env: (estate) => secretOf(estate, 'contoso-payments-api') })
    await d.scan(await d.connect())
    const events = await d.events()
    // It sees no subscription and may not list applications.
    expect(of(events, 'discovery.scan-completed')).toMatchObject([
      { data: { counts: { subscriptions: 0, vaults: 0 }, refused: ['applications'] } },
    ])
  })

  test('fails, and says why, with a secret that Entra does not take', async () => {
    await using d = await discovered({
      env: (estate) => ({ ...secretOf(estate, 'attestry-rotation'), AZURE_CLIENT_SECRET: 'wrong' }),
    })
    const environment = await d.connect()
    const scan = await d.scan(environment)
    expect(of(await d.events(), 'discovery.scan-failed')).toMatchObject([
      { data: { scan, reason: 'denied', detail: expect.stringContaining('AADSTS7000215') } },
    ])
    expect(await d.call('GET', `/scans/${scan}`)).toMatchObject({ body: { state: 'failed' } })
    expect(await d.call('POST', `/environments/${environment}/test`)).toMatchObject({
      body: { ok: false, subscriptions: 0, problem: expect.stringContaining('AADSTS7000215') },
    })
  })

  test('goes on with a new token when the old one ran out before its time', async () => {
    await using d = await discovered({ env: (estate) => secretOf(estate, 'attestry-rotation') })
    const environment = await d.connect()
    await d.scan(environment)
    const before = (await d.events()).at(-1)?.seq ?? 0
    // The cloud's clock is two hours ahead of ours: every token that we hold is expired there, none is here.
    d.twin.clock.advance(2 * 3_600_000)
    await d.scan(environment)
    const events = (await d.events()).filter(({ seq }) => seq > before)
    expect(events.map(({ type }) => type)).toEqual(['discovery.scan-started', 'discovery.scan-completed'])
    const [first, second] = of(await d.events(), 'discovery.scan-completed')
    expect(second?.data.counts).toEqual(first?.data.counts)
  })
})

describe('a scan that does not reach its end', () => {
  test('resumes after a crash under the same id and writes nothing twice', async () => {
    await using d = await discovered()
    const environment = await d.connect()
    const host = d.test.host('discovery')
    const opaque = await host.opaque('acme')
    const cloud = azureCloud(azureAccess({ endpoint: d.twin.url, env: {} }), opaque)
    // The host calls work() with what the command's own schema made; a test does the same.
    const scan = scanCommand({
      host,
      cloudOf: () => Promise.resolve(cloud),
      overridden: true,
    }) as unknown as Command<ScanBody>
    const job = (crashAfterVaults: number): Job<ScanBody> => {
      const crash = new AbortController()
      return {
        tenant: 'acme',
        id: 'scan-crash0001',
        body: { scan: 'scan-crash0001', environment, trigger: 'operator' },
        by: { kind: 'operator', id: 'operator-test0001' },
        cause: { correlation: 'test', causation: 'test' },
        attempt: 1,
        signal: crash.signal,
        progress: ({ vaultsDone }) => {
          if (Number(vaultsDone) >= crashAfterVaults) crash.abort('the lease was lost')
          return Promise.resolve()
        },
      }
    }
    await expect(scan.work(job(5))).rejects.toBeDefined()
    const cut = await d.events()
    expect(of(cut, 'discovery.scan-completed')).toEqual([])
    expect(of(cut, 'discovery.scan-failed')).toEqual([])
    expect(of(cut, 'discovery.vault-scanned').length).toBeGreaterThan(0)

    await scan.work(job(Number.POSITIVE_INFINITY))
    await scan.work(job(Number.POSITIVE_INFINITY))
    const events = await d.events()
    expect(of(events, 'discovery.scan-started')).toHaveLength(1)
    const [completed, ...more] = of(events, 'discovery.scan-completed')
    expect(more).toEqual([])
    const found = of(events, 'discovery.vault-scanned').flatMap(({ data }) => [
      ...data.found,
      ...data.changed,
    ])
    const { secrets, keys, certificates } = completed?.data.counts ?? { secrets: 0, keys: 0, certificates: 0 }
    expect(found).toHaveLength(secrets + keys + certificates)
    expect(new Set(found.map(({ asset }) => asset)).size).toBe(found.length)
    const edges = of(events, 'discovery.resource-scanned').flatMap(({ data }) => data.found)
    expect(edges).toHaveLength(completed?.data.counts.edges ?? -1)
  })

  test('is cancelled by a person, who is named with its end; what it recorded stays', async () => {
    await using d = await discovered()
    const environment = await d.connect()
    d.twin.faults.add({ operation: 'keyvault', trouble: { kind: 'latency', ms: 300 } })
    const started = await d.call('POST', '/scans', { environment })
    const { scan } = started.body as { scan: string }
    const state = async () => ((await d.call('GET', `/scans/${scan}`)).body as { state: string }).state
    await expect.poll(state).toBe('running')
    expect(await d.call('POST', '/scans', { environment })).toMatchObject({
      status: 409,
      body: { code: 'already-running' },
    })
    expect(await d.call('DELETE', `/environments/${environment}`)).toMatchObject({
      status: 409,
      body: { code: 'scan-running' },
    })
    expect((await d.call('POST', `/scans/${scan}/cancel`)).status).toBe(204)
    await expect.poll(state).toBe('cancelled')
    d.twin.faults.clear()
    await d.test.settle()
    expect(of(await d.events(), 'discovery.scan-failed')).toMatchObject([
      { data: { scan, reason: 'cancelled' }, by: { kind: 'operator', id: 'operator-test0001' } },
    ])
    expect(await d.call('POST', `/scans/${scan}/cancel`)).toMatchObject({
      status: 409,
      body: { code: 'not-running' },
    })
    await d.scan(environment)
    expect(of(await d.events(), 'discovery.scan-completed')).toHaveLength(1)
  })
})
