import { WebSiteManagementClient } from '@azure/arm-appservice'
import { KeyVaultManagementClient } from '@azure/arm-keyvault'
import { ResourceGraphClient } from '@azure/arm-resourcegraph'
import { SubscriptionClient } from '@azure/arm-resources-subscriptions'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generatedEstate, hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { all, clientSecret, scanner, routedClient } from './routed.ts'

let cloud: RunningCloud
beforeAll(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterAll(() => cloud.stop())

const options = () => ({ httpClient: routedClient(cloud.url) })
const subscription = (name: string) => cloud.estate.subscriptions.find((one) => one.name === name)?.id ?? ''
const arm = async (path: string, init: RequestInit = {}) => {
  const { token } = await scanner(cloud).getToken('https://management.azure.com/.default')
  const answer = await fetch(`${cloud.url}${path}`, {
    ...init,
    headers: {
      [hostHeader]: 'management.azure.com',
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    },
    signal: AbortSignal.timeout(5_000),
  })
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}

describe('Resource Manager', () => {
  test('lists the subscriptions that the scanner was given a role in', async () => {
    const found = await all(new SubscriptionClient(scanner(cloud), options()).subscriptions.list())
    expect(found.map(({ displayName, state }) => [displayName, state])).toEqual([
      ['contoso-payments-prod', 'Enabled'],
      ['contoso-identity', 'Enabled'],
      ['contoso-data-platform', 'Enabled'],
      ['contoso-legacy', 'Enabled'],
    ])
  })

  test('shows vaults with what is not set absent, in lists and one by one', async () => {
    const client = new KeyVaultManagementClient(scanner(cloud), subscription('contoso-legacy'), options())
    const vaults = await all(client.vaults.listBySubscription())
    const erp = vaults.find(({ name }) => name === 'kv-legacy-erp')
    expect(erp?.properties).toMatchObject({
      enableSoftDelete: false,
      enableRbacAuthorization: false,
      vaultUri: 'https://kv-legacy-erp.vault.azure.net/',
    })
    expect(erp?.properties?.enablePurgeProtection).toBeUndefined()
    const crm = await client.vaults.get('rg-legacy', 'KV-Legacy-CRM')
    expect(crm.properties.enableSoftDelete).toBeUndefined()
    expect(crm.properties.networkAcls?.ipRules).toEqual([{ value: '0.0.0.0/0' }])
    await expect(client.vaults.get('rg-legacy', 'kv-none')).rejects.toMatchObject({
      statusCode: 404,
      code: 'ResourceNotFound',
    })
  })

  test('Key Vault references come without values and with how the app itself fares', async () => {
    const client = new WebSiteManagementClient(
      scanner(cloud),
      subscription('contoso-payments-prod'),
      options(),
    )
    const sites = await all(client.webApps.list())
    expect(sites.map(({ name }) => name)).toContain('func-settlement')
    const references = await all(
      client.webApps.listAppSettingsKeyVaultReferences('rg-payments', 'app-payments-stg'),
    )
    expect(Object.fromEntries(references.map(({ name, status }) => [name, status]))).toEqual({
      ACQUIRER_API_KEY: 'Resolved',
      PAYMENTS_DB: 'Resolved',
      WEBHOOK_KEY: 'Resolved',
      RETIRED_KEY: 'SecretNotFound',
    })
    expect(references.find(({ name }) => name === 'WEBHOOK_KEY')).toMatchObject({
      vaultName: 'kv-payments-stg',
      secretName: 'webhook-signing-key',
      source: 'KeyVault',
    })
    for (const canary of cloud.secretCanaries()) expect(JSON.stringify(references)).not.toContain(canary)
  })

  test('settings with their values need more than reading', async () => {
    const site = ['rg-checkout', 'app-checkout-legacy'] as const
    const scanning = new WebSiteManagementClient(
      scanner(cloud),
      subscription('contoso-payments-prod'),
      options(),
    )
    expect((await scanning.webApps.listApplicationSettings(...site)).properties?.STRIPE_SECRET_KEY).toMatch(
      /^canary-/,
    )
    // The rotator holds Reader in this subscription: it sees the site, not its settings.
    const reader = new WebSiteManagementClient(
      clientSecret(cloud, 'attestry-rotation'),
      subscription('contoso-payments-prod'),
      options(),
    )
    await expect(reader.webApps.get(...site)).resolves.toMatchObject({ name: 'app-checkout-legacy' })
    await expect(reader.webApps.listApplicationSettings(...site)).rejects.toMatchObject({
      statusCode: 403,
      code: 'AuthorizationFailed',
    })
  })

  test('diagnostic settings, role assignments, resource groups and container apps answer in their own shapes', async () => {
    const id = subscription('contoso-payments-prod')
    const diagnostics = await arm(
      `/subscriptions/${id}/resourceGroups/rg-payments/providers/Microsoft.KeyVault/vaults/kv-payments-prod/providers/Microsoft.Insights/diagnosticSettings?api-version=2021-05-01-preview`,
    )
    expect(diagnostics.body).toMatchObject({
      value: [{ properties: { logs: [{ category: 'AuditEvent', enabled: true }] } }],
    })
    const assignments = await arm(
      `/subscriptions/${id}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`,
    )
    expect(assignments.body).toMatchObject({
      value: expect.arrayContaining([
        expect.objectContaining({
          properties: expect.objectContaining({ principalId: cloud.estate.servicePrincipals[0]?.id }),
        }),
      ]),
    })
    const groups = await arm(`/subscriptions/${id}/resourcegroups?api-version=2021-04-01`)
    expect(groups.body).toMatchObject({
      value: [{ name: 'rg-payments' }, { name: 'rg-checkout' }, { name: 'rg-observability' }],
    })
    const apps = await arm(
      `/subscriptions/${subscription('contoso-legacy')}/providers/Microsoft.App/containerApps?api-version=2024-03-01`,
    )
    expect(apps.body).toMatchObject({
      value: [
        {
          name: 'ca-crm-connector',
          properties: {
            configuration: {
              secrets: [
                { name: 'crm-account', keyVaultUrl: expect.stringContaining('kv-legacy-crm') },
                { name: 'smtp-password' },
              ],
            },
          },
        },
      ],
    })
    expect(
      JSON.stringify(
        (apps.body as { value: { properties: { configuration: unknown } }[] }).value[0]?.properties
          .configuration,
      ),
    ).not.toContain('canary-')
  })

  test.each([
    ['/subscriptions', 400, 'MissingApiVersionParameter'],
    ['/subscriptions?api-version=2001-01-01', 400, 'InvalidApiVersionParameter'],
    ['/subscriptions?api-version=2022-12-01&x=1', 400, 'BadParameter'],
    [
      '/subscriptions/00000000-0000-0000-0000-000000000000?api-version=2022-12-01',
      404,
      'SubscriptionNotFound',
    ],
    [
      '/subscriptions/x/providers/Microsoft.Nothing/things?api-version=2022-12-01',
      404,
      'InvalidResourceType',
    ],
    ['/nonsense?api-version=2022-12-01', 404, 'NotFound'],
  ])('%s is refused with %i %s', async (path, status, code) => {
    expect(await arm(path)).toMatchObject({ status, body: { error: { code } } })
  })
})

describe('Resource Graph', () => {
  const query = async (text: string, more: Record<string, unknown> = {}) =>
    arm('/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01', {
      method: 'POST',
      body: JSON.stringify({ query: text, ...more }),
    })

  test('finds the vaults of all subscriptions in one call, forbidden ones among them', async () => {
    const client = new ResourceGraphClient(scanner(cloud), options())
    const { data, totalRecords } = await client.resources({
      query:
        "resources | where type =~ 'microsoft.keyvault/vaults' | project id, name, subscriptionId, resourceGroup, location, tags, properties | order by id asc",
    })
    expect(totalRecords).toBe(14)
    const rows = data as { name: string; properties: { vaultUri: string } }[] // `any` in the SDK
    expect(rows.map(({ name }) => name)).toContain('kv-hr-restricted')
    expect(rows[0]?.properties.vaultUri).toMatch(/^https:/)
  })

  test('understands aliases, dotted paths, in~ and functions, and refuses what it cannot parse', async () => {
    const sites = await query(
      "Resources | where type in~ ('Microsoft.Web/sites', 'microsoft.app/containerapps') and name startswith 'func-' | project id, name, principal = tostring(identity.principalId), env = tags['env'] | order by name desc | take 3",
    )
    expect(sites.body).toMatchObject({
      count: 3,
      data: [
        { name: 'func-settlement', env: 'prod' },
        { name: 'func-scim-provisioning' },
        { name: 'func-order-mail' },
      ],
    })
    expect(
      (await query("resourcecontainers | where type == 'microsoft.resources/subscriptions' | count")).body,
    ).toMatchObject({ data: [{ Count: 4 }] })
    expect(
      (
        await query(
          "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' | project id, role = properties.roleDefinitionId",
        )
      ).status,
    ).toBe(200)
    for (const bad of [
      'resources | summarize count() by type',
      'people',
      "resources | where type = 'x'",
      "resources | where type == 'x' or name == 'y'",
      '',
    ])
      expect(await query(bad)).toMatchObject({ status: 400, body: { error: { code: 'BadRequest' } } })
  })

  test('a large estate is paged by 1,000 rows; without id there is no next page', async () => {
    const large = await startCloud({
      estate: generatedEstate({ vaults: 1_000, secrets: 1, keys: 0, certificates: 0, now: Date.now() }),
    })
    try {
      const client = new ResourceGraphClient(scanner(large), { httpClient: routedClient(large.url) })
      const ask = "resources | where type =~ 'microsoft.keyvault/vaults' | project id"
      const first = await client.resources({ query: ask, options: { top: 600 } })
      const second = await client.resources({
        query: ask,
        options: { top: 600, ...(first.skipToken === undefined ? {} : { skipToken: first.skipToken }) },
      })
      const ids = [...(first.data as { id: string }[]), ...(second.data as { id: string }[])].map(
        ({ id }) => id,
      ) // `any` in the SDK
      expect(new Set(ids).size).toBe(1_000)
      expect(second.skipToken).toBeUndefined()
      const blind = await client.resources({ query: 'resources | project name', options: { top: 10 } })
      expect(blind).toMatchObject({ resultTruncated: 'true', count: 10 })
      expect(blind.skipToken).toBeUndefined()
    } finally {
      await large.stop()
    }
  })
})
