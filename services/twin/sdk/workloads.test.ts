import { createHmac } from 'node:crypto'
import { ContainerAppsAPIClient } from '@azure/arm-appcontainers'
import { WebSiteManagementClient } from '@azure/arm-appservice'
import { ServiceBusManagementClient } from '@azure/arm-servicebus'
import { StorageManagementClient } from '@azure/arm-storage'
import { SecretClient } from '@azure/keyvault-secrets'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { roles } from '../estate/roles.ts'
import { hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { all, routedClient, scanner } from './routed.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now(), 'workshop') })
  cloud.estate.roleAssignments.push({
    id: 'all',
    principal: cloud.estate.servicePrincipals[0]?.id ?? '',
    roleDefinition: roles.owner.id,
    scope: `/subscriptions/${subscription()}`,
  })
})
afterEach(() => cloud.stop())

const group = 'rg-shop'
const subscription = () => cloud.estate.subscriptions[0]?.id ?? ''
const options = () => ({ httpClient: routedClient(cloud.url), retryOptions: { maxRetries: 0 } })
const web = () => new WebSiteManagementClient(scanner(cloud), subscription(), options())
const apps = () => new ContainerAppsAPIClient(scanner(cloud), subscription(), options())
const stranger = () => ({
  getToken: async () => ({
    token: await cloud.token('workshop-foreign', 'https://management.azure.com'),
    expiresOnTimestamp: Date.now() + 3_600_000,
  }),
})
async function arm(method: string, path: string, body?: unknown) {
  const answer = await fetch(`${cloud.url}${path}`, {
    method,
    headers: {
      [hostHeader]: 'management.azure.com',
      authorization: `Bearer ${await cloud.token('attestry', 'https://management.azure.com')}`,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  })
  return { status: answer.status, body: await answer.json() }
}
const vault = () => cloud.estate.vaults.find(({ name }) => name === 'kv-workshop')
/** Somebody writes a new version of a secret by hand. */
async function put(name: string, value: string): Promise<string> {
  const credential = {
    getToken: async () => ({
      token: await cloud.token('attestry', 'https://vault.azure.net'),
      expiresOnTimestamp: Date.now() + 3_600_000,
    }),
  }
  cloud.estate.roleAssignments.push({
    id: 'writer',
    principal: cloud.estate.servicePrincipals[0]?.id ?? '',
    roleDefinition: roles.secretsOfficer.id,
    scope: `/subscriptions/${subscription()}`,
  })
  const client = new SecretClient('https://kv-workshop.vault.azure.net', credential, options())
  return (await client.setSecret(name, value)).properties.version ?? ''
}

describe('App Service', () => {
  test('holds what it fetched for a day, until it is told to refresh', async () => {
    const active = async () => {
      const references = await all(web().webApps.listAppSettingsKeyVaultReferences(group, 'app-shop'))
      const one = references.find(({ name }) => name === 'SHOP_CLIENT')
      return [one?.status, one?.activeVersion]
    }
    const before = vault()?.secrets['shop-client']?.versions.at(-1)?.version
    expect(await active()).toEqual(['Resolved', before])
    const second = await put('shop-client', 'second')
    expect(await active()).toEqual(['Resolved', before])
    const refresh = `/subscriptions/${subscription()}/resourceGroups/${group}/providers/Microsoft.Web/sites/app-shop/config/configreferences/appsettings/refresh?api-version=2022-03-01`
    expect((await arm('POST', refresh)).status).toBe(200)
    expect(await active()).toEqual(['Resolved', second])
    const third = await put('shop-client', 'third')
    cloud.clock.advance(86_401_000)
    expect(await active()).toEqual(['Resolved', third])
  })

  test('settings are replaced as a whole, under their ETag', async () => {
    let etag = ''
    const read = () =>
      web().webApps.listApplicationSettings(group, 'app-shop-legacy', {
        onResponse: ({ headers }) => {
          etag = headers.get('etag') ?? ''
        },
      })
    const { properties = {} } = await read()
    const write = (value: string) =>
      web().webApps.updateApplicationSettings(
        group,
        'app-shop-legacy',
        { properties: { ...properties, SHOP_CLIENT: value } },
        { requestOptions: { headers: { 'if-match': etag } } },
      )
    await write('one')
    await expect(write('two')).rejects.toMatchObject({ statusCode: 412, code: 'PreconditionFailed' })
    expect((await read()).properties).toEqual({ SHOP_CLIENT: 'one', REGION: 'eu' })
    await write('two')
  })
})

describe('Container Apps', () => {
  test('a new suffix makes a revision that takes the traffic once it is up, with the newest secrets', async () => {
    cloud.settings.revisionStartMs = 60_000
    const holding = cloud.consume(
      { containerApp: 'ca-reports', secret: 'reporting-client' },
      { nothing: true },
    )
    const before = holding.holds()
    await put('reporting-client', 'second')
    await apps()
      .containerApps.update(group, 'ca-reports', {
        location: 'westeurope',
        template: { revisionSuffix: 'r-1' },
      })
      .submitted()
    const revisions = async () =>
      (await all(apps().containerAppsRevisions.listRevisions(group, 'ca-reports'))).map(
        ({ name, active, trafficWeight, healthState }) => ({ name, active, trafficWeight, healthState }),
      )
    expect(await revisions()).toEqual([
      { name: 'ca-reports--0000001', active: true, trafficWeight: 100, healthState: 'Healthy' },
      { name: 'ca-reports--r-1', active: true, trafficWeight: 0, healthState: 'None' },
    ])
    expect(holding.holds()).toBe(before)
    cloud.clock.advance(60_000)
    expect(await revisions()).toEqual([
      { name: 'ca-reports--0000001', active: false, trafficWeight: 0, healthState: 'Healthy' },
      { name: 'ca-reports--r-1', active: true, trafficWeight: 100, healthState: 'Healthy' },
    ])
    expect(holding.holds()).toBe('second')
  })

  test('one that does not come up leaves the old one serving; a suffix is used once', async () => {
    cloud.settings.revisionsHealthy = false
    const update = () =>
      apps()
        .containerApps.update(group, 'ca-reports', {
          location: 'westeurope',
          template: { revisionSuffix: 'bad' },
        })
        .submitted()
    await update()
    const [old, bad] = await all(apps().containerAppsRevisions.listRevisions(group, 'ca-reports'))
    expect([old?.trafficWeight, bad?.healthState, bad?.trafficWeight]).toEqual([100, 'Unhealthy', 0])
    await expect(update()).rejects.toMatchObject({ code: 'ContainerAppRevisionSuffixInUse' })
  })
})

describe('storage accounts', () => {
  const management = () => new StorageManagementClient(scanner(cloud), subscription(), options())
  /** The storage client's own transport is an older interface: its requests are sent on as they are. */
  const transport = {
    async sendRequest(request: {
      url: string
      method: string
      headers: { toJson(): Record<string, string> }
    }) {
      const { host, pathname, search } = new URL(request.url)
      const answer = await fetch(`${cloud.url}${pathname}${search}`, {
        method: request.method,
        headers: { ...request.headers.toJson(), [hostHeader]: host },
        signal: AbortSignal.timeout(5_000),
      })
      const headers = Object.fromEntries(answer.headers)
      return {
        request,
        status: answer.status,
        bodyAsText: await answer.text(),
        headers: { get: (name: string) => headers[name.toLowerCase()], toJson: () => headers },
      }
    },
  }
  const opens = (key: string) =>
    new BlobServiceClient(
      'https://stworkshop.blob.core.windows.net',
      new StorageSharedKeyCredential('stworkshop', key),
      { httpClient: transport as never, retryOptions: { maxTries: 1 } }, // as much of it as one request needs
    )
      .getProperties()
      .then(
        () => 'in',
        (error: { code?: string; message: string }) => error.code ?? error.message,
      )

  test('a regenerated key opens the account, the value before it no longer, the other key always', async () => {
    const { keys = [] } = await management().storageAccounts.listKeys(group, 'stworkshop')
    expect(keys.map(({ keyName }) => keyName)).toEqual(['key1', 'key2'])
    const [first, second] = keys.map(({ value }) => value ?? '')
    const after = await management().storageAccounts.regenerateKey(group, 'stworkshop', { keyName: 'key2' })
    const renewed = after.keys?.[1]?.value ?? ''
    expect([await opens(first ?? ''), await opens(second ?? ''), await opens(renewed)]).toEqual([
      'in',
      'AuthenticationFailed',
      'in',
    ])
  })

  test('an account that takes no keys says so; listing keys takes its own right', async () => {
    const [account] = cloud.estate.storageAccounts
    if (account === undefined) throw new Error('no account')
    account.sharedKey = false
    expect(await opens(account.keys[0]?.value ?? '')).toBe('KeyBasedAuthenticationNotPermitted')
    const client = new StorageManagementClient(stranger(), subscription(), options())
    await expect(client.storageAccounts.listKeys(group, 'stworkshop')).rejects.toMatchObject({
      statusCode: 404,
      code: 'SubscriptionNotFound',
    })
  })
})

describe('Service Bus', () => {
  const management = () => new ServiceBusManagementClient(scanner(cloud), subscription(), options())
  /** What the namespace answers to a signature made with a key; its own client takes no other transport. */
  async function opens(connection: string): Promise<string> {
    const key = connection.match(/SharedAccessKey=([^;]+)/)?.[1] ?? ''
    const rule = connection.match(/SharedAccessKeyName=([^;]+)/)?.[1] ?? ''
    const uri = encodeURIComponent('https://sb-workshop.servicebus.windows.net/')
    const expires = Math.floor(cloud.clock.now() / 1000) + 60
    const signature = createHmac('sha256', key).update(`${uri}\n${expires}`).digest('base64')
    const answer = await fetch(`${cloud.url}/$namespaceinfo?api-version=2021-05`, {
      headers: {
        [hostHeader]: 'sb-workshop.servicebus.windows.net',
        authorization: `SharedAccessSignature sr=${uri}&sig=${encodeURIComponent(signature)}&se=${expires}&skn=${rule}`,
      },
      signal: AbortSignal.timeout(5_000),
    })
    return (await answer.text()).match(/<(?:Name|Detail)>([^<]+)/)?.[1] ?? ''
  }

  test('keys of a rule are listed and regenerated one by one, and open the namespace as far as its rights go', async () => {
    const root = ['RootManageSharedAccessKey', 'orders'] as const
    const before = await management().namespaces.listKeys(group, 'sb-workshop', root[0])
    expect(await opens(before.primaryConnectionString ?? '')).toBe('sb-workshop')
    await management().namespaces.regenerateKeys(group, 'sb-workshop', root[0], { keyType: 'PrimaryKey' })
    expect(await opens(before.primaryConnectionString ?? '')).toMatch(/InvalidSignature/)
    expect(await opens(before.secondaryConnectionString ?? '')).toBe('sb-workshop')
    const orders = await management().namespaces.listKeys(group, 'sb-workshop', root[1])
    expect(await opens(orders.primaryConnectionString ?? '')).toMatch(/Manage claims required/)
  })
})

describe('roles', () => {
  test('a custom role is defined and assigned at one resource, and allows exactly what it says', async () => {
    const id = '0a6c2a52-5c5e-4f7e-9a3d-3a9c2d7f0001'
    const scope = `/subscriptions/${subscription()}`
    const at = `${scope}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/stworkshop`
    const definition = (actions: string[]) =>
      arm('PUT', `${scope}/providers/Microsoft.Authorization/roleDefinitions/${id}?api-version=2022-04-01`, {
        properties: {
          roleName: 'Storage Key Reader',
          assignableScopes: [scope],
          permissions: [{ actions, notActions: [], dataActions: [], notDataActions: [] }],
        },
      })
    expect((await definition(['Microsoft.Storage/storageAccounts/read'])).status).toBe(201)
    const assign = () =>
      arm('PUT', `${at}/providers/Microsoft.Authorization/roleAssignments/b1?api-version=2022-04-01`, {
        properties: {
          roleDefinitionId: `${scope}/providers/Microsoft.Authorization/roleDefinitions/${id}`,
          principalId: cloud.estate.servicePrincipals.find(({ name }) => name === 'workshop-foreign')?.id,
        },
      })
    expect((await assign()).status).toBe(201)
    expect(await assign()).toMatchObject({ status: 409, body: { error: { code: 'RoleAssignmentExists' } } })
    const client = new StorageManagementClient(stranger(), subscription(), options())
    await expect(client.storageAccounts.getProperties(group, 'stworkshop')).resolves.toMatchObject({
      name: 'stworkshop',
    })
    await expect(client.storageAccounts.listKeys(group, 'stworkshop')).rejects.toMatchObject({
      statusCode: 403,
      code: 'AuthorizationFailed',
    })
    await definition(['Microsoft.Storage/storageAccounts/listKeys/action'])
    await expect(client.storageAccounts.listKeys(group, 'stworkshop')).resolves.toMatchObject({
      keys: [{ keyName: 'key1' }, { keyName: 'key2' }],
    })
  })

  test('writes have their own bucket: 200, then 10 a second', async () => {
    cloud.clock.freeze()
    const scope = `${subscription()} ${cloud.estate.servicePrincipals[0]?.id}`
    const before = cloud.throttle.remaining('arm.write', scope)
    const management = new StorageManagementClient(scanner(cloud), subscription(), options())
    await management.storageAccounts.regenerateKey(group, 'stworkshop', { keyName: 'key2' })
    expect([before, cloud.throttle.remaining('arm.write', scope)]).toEqual([200, 199])
    cloud.throttle.set('arm.write', { capacity: 0, perSecond: 10 })
    await expect(
      management.storageAccounts.regenerateKey(group, 'stworkshop', { keyName: 'key2' }),
    ).rejects.toMatchObject({ statusCode: 429 })
  })
})
