import type { Item, Vault, Version } from '../estate/estate.ts'
import { type Call, type Cloud, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import {
  byName,
  type Collection,
  enter,
  listQuery,
  nameOf,
  notFound,
  page,
  softDeletes,
  vaultOf,
} from './access.ts'
import type { KeyVaultApp, KeyVaultOperation } from './routes.ts'

const daySeconds = 86_400

/** What is the same for deleted secrets, keys and certificates; only the bundle differs. */
export interface Deletable<T extends Item<Version>> {
  readonly collection: Collection
  readonly items: (vault: Vault) => Record<string, T>
  readonly bundle: (vault: Vault, item: T) => Record<string, unknown>
  readonly entry: (vault: Vault, item: T) => Record<string, unknown>
}

/** Action after `Microsoft.KeyVault/vaults/` to read a collection's items. */
const readAction: Record<Collection, string> = {
  secrets: 'secrets/readMetadata/action',
  keys: 'keys/read',
  certificates: 'certificates/read',
}

/** Soft delete: delete, list and get of deleted items, recovery and purge. */
export function deletedRoutes<T extends Item<Version>>(
  app: KeyVaultApp,
  cloud: Cloud,
  operation: KeyVaultOperation,
  { collection, items, bundle, entry }: Deletable<T>,
) {
  const recovery = (vault: Vault, item: T) =>
    item.deleted === null
      ? {}
      : {
          recoveryId: `https://${vault.name.toLowerCase()}.vault.azure.net/deleted${collection}/${item.name}`,
          deletedDate: item.deleted.at,
          scheduledPurgeDate: item.deleted.purgeAt,
        }
  const now = () => Math.floor(cloud.clock.now() / 1000)

  /** Items whose retention has run out are gone; the service removes them by itself. */
  function deletedItem(vault: Vault, name: string): T {
    const item = items(vault)[name.toLowerCase()]
    if (item?.deleted == null) throw notFound(collection, name)
    if (item.deleted.purgeAt <= now()) {
      delete items(vault)[name.toLowerCase()]
      throw notFound(collection, name)
    }
    return item
  }
  const admit = (call: Call, vault: Vault, action: string, permission: string, name?: string) =>
    enter(cloud, vault, call, { action, permission, collection }, name)

  app.delete(
    `/${collection}/:name`,
    operation(
      `${collection}.delete`,
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await admit(call, vault, `${collection}/delete`, 'delete', name)
        const item = items(vault)[name.toLowerCase()]
        if (item === undefined || item.deleted !== null) throw notFound(collection, name)
        if (softDeletes(vault))
          item.deleted = { at: now(), purgeAt: now() + vault.retentionDays * daySeconds }
        else delete items(vault)[name.toLowerCase()]
        return json({ ...bundle(vault, item), ...recovery(vault, item) })
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.get(
    `/deleted${collection}`,
    operation(
      `${collection}.list-deleted`,
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        await admit(call, vault, readAction[collection], 'list')
        const gone = byName(
          Object.values(items(vault)).filter(({ deleted }) => deleted !== null && deleted.purgeAt > now()),
        )
        return page(
          call,
          gone,
          ({ name }) => name,
          (item) => ({ ...entry(vault, item), ...recovery(vault, item) }),
        )
      },
      { query: [...listQuery, 'includePending'] },
    ),
  )
  app.get(
    `/deleted${collection}/:name`,
    operation(
      `${collection}.get-deleted`,
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await admit(call, vault, readAction[collection], 'get', name)
        const item = deletedItem(vault, name)
        return json({ ...bundle(vault, item), ...recovery(vault, item) })
      },
      { query: ['api-version'] },
    ),
  )
  app.post(
    `/deleted${collection}/:name/recover`,
    operation(
      `${collection}.recover`,
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await admit(call, vault, `${collection}/recover/action`, 'recover', name)
        const item = deletedItem(vault, name)
        item.deleted = null
        return json(bundle(vault, item))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.delete(
    `/deleted${collection}/:name`,
    operation(
      `${collection}.purge`,
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await admit(call, vault, `${collection}/purge/action`, 'purge', name)
        deletedItem(vault, name)
        if (vault.purgeProtection === true)
          throw new Refusal(
            403,
            'Forbidden',
            'Operation "purge" is not allowed because purge protection is enabled for this vault.',
            { inner: 'ForbiddenByPolicy' },
          )
        delete items(vault)[name.toLowerCase()]
        return new Response(null, { status: 204 })
      },
      { query: ['api-version'], mutates: true },
    ),
  )
}
