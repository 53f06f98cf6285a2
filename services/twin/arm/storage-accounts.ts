import { resourceId, type StorageAccount } from '../estate/estate.ts'
import { bodyOf, type Call, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { authorize } from './access.ts'
import { storageAccountResource } from './resources.ts'
import { groupPath, type InsideArm } from './inside.ts'

const type = 'Microsoft.Storage/storageAccounts'
const plain = { query: ['api-version'] }

/**
 * Storage accounts and their two keys.
 * @see https://learn.microsoft.com/rest/api/storagerp/storage-accounts/regenerate-key
 */
export function storageAccountRoutes({ app, cloud, operation, inSubscription, named, paged }: InsideArm) {
  const { estate, clock } = cloud
  const accountId = (account: StorageAccount) => resourceId(account, type, account.name)
  const at = `${groupPath}/providers/microsoft.storage/storageaccounts`

  const admitted = async (call: Call, action: string, kind: 'arm.read' | 'arm.write' = 'arm.read') => {
    const { caller } = await inSubscription(call, 'storageAccounts', kind)
    const account = named(estate.storageAccounts, call, type)
    authorize(cloud, caller, `${type}/${action}`, accountId(account))
    return account
  }
  const keys = (account: StorageAccount) =>
    json({
      keys: account.keys.map(({ name, value, created }) => ({
        creationTime: new Date(created * 1000).toISOString(),
        keyName: name,
        value,
        permissions: 'FULL',
      })),
    })

  app.get(
    at,
    operation(
      'storage-accounts.list',
      async (call) => {
        const { caller } = await inSubscription(call, 'storageAccounts')
        const group = call.context.req.param('group')?.toLowerCase()
        const here = estate.storageAccounts.filter((one) => one.resourceGroup.toLowerCase() === group)
        for (const account of here) authorize(cloud, caller, `${type}/read`, accountId(account))
        return paged(call, here, (account) => storageAccountResource(account))
      },
      { query: ['api-version', '$top', '$skiptoken'] },
    ),
  )
  app.get(
    `${at}/:name`,
    operation(
      'storage-accounts.get',
      async (call) => json(storageAccountResource(await admitted(call, 'read'))),
      plain,
    ),
  )
  app.post(
    `${at}/:name/listkeys`,
    operation('storage-accounts.list-keys', async (call) => keys(await admitted(call, 'listKeys/action')), {
      query: ['api-version', '$expand'],
    }),
  )
  app.post(
    `${at}/:name/regeneratekey`,
    operation(
      'storage-accounts.regenerate-key',
      async (call) => {
        const account = await admitted(call, 'regeneratekey/action', 'arm.write')
        const { keyName } = await bodyOf(call)
        const key = account.keys.find(({ name }) => name === keyName)
        if (key === undefined)
          throw new Refusal(
            400,
            'InvalidValuesForRequestParameters',
            'Values for request parameters are invalid: keyName.',
          )
        key.value = `canary-${cloud.randomHex(16)}`
        key.created = Math.floor(clock.now() / 1000)
        return keys(account)
      },
      { ...plain, mutates: true },
    ),
  )
}
