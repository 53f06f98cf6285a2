import type { PlannedDependent } from '@attestry/contracts'
import { Denied, Secret } from '@attestry/kit'
import type { StringDictionary } from '@azure/arm-appservice'
import { type Azure, call, readOptions, writeOptions } from '../azure/call.ts'
import type { ResourceManager } from '../azure/rights.ts'
import type { SecretStore } from '../azure/vault.ts'
import type { Work } from '../issuers/issuer.ts'
import { type Place, placeOf } from '../issuers/resource.ts'
import type { Goal, Switcher } from './dependent.ts'

/*
 * App Service and Functions. A setting that refers to a vault is fetched again by asking for it, and read back; a setting
 * that holds the value itself is written under the ETag of the whole list, since the list is written as a whole.
 */

const TYPE = 'Microsoft.Web/sites'
/** App Service fetches a reference again by itself after so long. */
const REFERENCE_CACHE_MS = 24 * 3_600_000
const REFRESH_API = '2022-03-01'

const siteOf = ({ at }: PlannedDependent): Place & { id: string } => {
  if (at === null) throw new Denied('NoResource', 'The plan does not say which app this is')
  return { ...placeOf(at, TYPE), id: at }
}
const settingOf = ({ setting }: PlannedDependent): string => {
  if (setting === null) throw new Denied('NoSetting', 'The plan does not say which setting carries the value')
  return setting
}
const versionFor = (goal: Goal, { target }: PlannedDependent): string | null =>
  goal.versions.find((one) => one.target === target)?.version ?? null

export interface AppServiceParts {
  readonly azure: Azure
  readonly manager: ResourceManager
  readonly stores: (uri: string) => SecretStore
}

/** The client, loaded when first needed: it is the largest of all. */
const clients = (azure: Azure) => {
  const { credential } = azure.access
  const client = async (subscription: string, options: ReturnType<typeof readOptions>) => {
    const { WebSiteManagementClient } = await import('@azure/arm-appservice')
    return new WebSiteManagementClient(credential, subscription, options)
  }
  return {
    reader: (subscription: string) => client(subscription, readOptions(azure)),
    writer: (subscription: string) => client(subscription, writeOptions(azure)),
  }
}

async function lacking(
  manager: ResourceManager,
  dependent: PlannedDependent,
  actions: readonly string[],
  work: Work,
): Promise<string | null> {
  const { id } = siteOf(dependent)
  const rights = await manager.rights(id, work.signal)
  const missing = actions.filter((action) => !rights.may(`${TYPE}/${action}`))
  return missing.length === 0
    ? null
    : `the identity lacks ${missing.map((action) => `${TYPE}/${action}`).join(' and ')} there`
}

/** References: App Service is told to fetch them again, and says which version it holds. */
export function appServiceReferences({ azure, manager }: AppServiceParts): Switcher {
  const { reader } = clients(azure)

  const refresh = async (dependent: PlannedDependent, work: Work) => {
    const { id } = siteOf(dependent)
    const path = `${id}/config/configreferences/appsettings/refresh?api-version=${REFRESH_API}`
    await manager.arm('POST', path, work.signal)
  }
  const held = (dependent: PlannedDependent, work: Work) =>
    call(azure, work.signal, async (abortSignal) => {
      const { subscription, group, name } = siteOf(dependent)
      const one = await (await reader(subscription)).webApps.getAppSettingKeyVaultReference(
        group,
        name,
        settingOf(dependent),
        { abortSignal },
      )
      return {
        status: one.status ?? 'Unknown',
        active: one.activeVersion ?? null,
        pinned: one.secretVersion || null,
      }
    })

  return {
    kind: 'app-service-reference',
    possible: (_, dependent, work) => lacking(manager, dependent, ['config/read', 'config/write'], work),
    switch: async (_, dependent, __, work) => {
      const { pinned } = await held(dependent, work)
      if (pinned !== null)
        throw new Denied(
          'ReferenceIsPinned',
          `The reference in ${settingOf(dependent)} names a version, so it goes on with the old one until somebody takes the version out`,
        )
      await refresh(dependent, work)
      return { cacheMs: REFERENCE_CACHE_MS, says: 'App Service was asked to fetch its references again.' }
    },
    confirm: async (_, dependent, goal, work) => {
      const wanted = versionFor(goal, dependent)
      const { status, active } = await held(dependent, work)
      if (status === 'Resolved' && active !== null && active === wanted) return { state: 'confirmed' }
      if (status === 'Resolved')
        return {
          state: 'unconfirmed',
          why:
            active === null
              ? 'App Service does not say which version it holds.'
              : 'App Service still holds the old version.',
        }
      return { state: 'failed', why: `App Service cannot resolve the reference: ${status}.` }
    },
    back: (_, dependent, work) => refresh(dependent, work),
  }
}

/** Inline settings: the value that the vault serves is written into the one setting, everything else left as it is. */
export function appServiceSettings({ azure, manager, stores }: AppServiceParts): Switcher {
  const { reader, writer } = clients(azure)

  /** The settings as they stand, with their ETag. They hold values: nothing of them leaves the caller. */
  const settings = (dependent: PlannedDependent, work: Work) =>
    call(azure, work.signal, async (abortSignal) => {
      const { subscription, group, name } = siteOf(dependent)
      let etag: string | undefined
      const { properties = {} } = await (await reader(subscription)).webApps.listApplicationSettings(
        group,
        name,
        {
          abortSignal,
          onResponse: ({ headers }) => {
            etag = headers.get('etag')
          },
        },
      )
      return { properties, etag }
    })
  const write = (
    dependent: PlannedDependent,
    properties: NonNullable<StringDictionary['properties']>,
    etag: string | undefined,
    work: Work,
  ) =>
    call(azure, work.signal, async (abortSignal) => {
      const { subscription, group, name } = siteOf(dependent)
      await (await writer(subscription)).webApps.updateApplicationSettings(
        group,
        name,
        { properties },
        {
          abortSignal,
          ...(etag === undefined ? {} : { requestOptions: { headers: { 'if-match': etag } } }),
        },
      )
    })

  /** What the dependent's target serves, given to `use` and wiped. */
  async function served<T>(
    order: Parameters<Switcher['switch']>[0],
    dependent: PlannedDependent,
    work: Work,
    use: (value: Secret, version: string) => Promise<T>,
  ): Promise<T> {
    const place = dependent.target === null ? undefined : order.targets[dependent.target]
    if (!place) throw new Denied('NoTarget', 'The plan does not say which vault this setting is a copy of')
    const got = await stores(place.uri).served(place.secret, work.signal)
    if (!got) throw new Denied('NothingServed', `${place.secret} serves no value`)
    try {
      return await use(got.value, got.version)
    } finally {
      got.value.wipe()
    }
  }

  async function bring(order: Parameters<Switcher['switch']>[0], dependent: PlannedDependent, work: Work) {
    const setting = settingOf(dependent)
    await served(order, dependent, work, async (value) => {
      // Somebody else may write meanwhile: once the list is read anew, twice is somebody who goes on.
      for (let tried = 1; ; tried++) {
        const { properties, etag } = await settings(dependent, work)
        if (!(setting in properties))
          throw new Denied('SettingGone', `The app has no setting ${setting} any more`)
        if (properties[setting] === value.text()) return
        try {
          await write(dependent, { ...properties, [setting]: value.text() }, etag, work)
          return
        } catch (error) {
          if (!(error instanceof Denied) || error.code !== 'PreconditionFailed' || tried >= 2) throw error
        }
      }
    })
  }

  return {
    kind: 'app-service-setting',
    possible: (_, dependent, work) =>
      lacking(manager, dependent, ['config/list/action', 'config/write'], work),
    switch: async (order, dependent, _, work) => {
      await bring(order, dependent, work)
      return { cacheMs: 0, says: 'The setting was written, and the app restarts with it.' }
    },
    confirm: (order, dependent, goal, work) =>
      served(order, dependent, work, async (value, version) => {
        if (version !== versionFor(goal, dependent))
          return { state: 'failed', why: 'The vault serves another version than was stored.' }
        const { properties } = await settings(dependent, work)
        const holds = new Secret(properties[settingOf(dependent)] ?? '')
        const same = work.mac(holds.reveal()) === work.mac(value.reveal())
        holds.wipe()
        return same
          ? { state: 'confirmed' }
          : { state: 'unconfirmed', why: 'The setting does not hold the new value.' }
      }),
    back: bring,
  }
}
