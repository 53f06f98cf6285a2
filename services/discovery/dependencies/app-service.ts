import type { Edge, HardCoded } from '@attestry/contracts'
import { Denied } from '@attestry/kit'
import { type AzureAccess, azureFailure } from '@attestry/kit/azure'
import { WebSiteManagementClient } from '@azure/arm-appservice'
import { itemId, type ListedResource, type Opaque, type Reference } from '../cloud.ts'
import type { SeenResource } from '../difference.ts'
import type { InFlight } from '../in-flight.ts'
import { namedReferences, type Setting } from './by-name.ts'
import { looksLike } from './looks-like.ts'

/** Percent: how sure an explicit reference makes us, by whether the platform could resolve it, and a name alone. */
const RESOLVED = 100
const UNRESOLVED = 80
const BY_NAME = 60

/** Settings of one site: far above what the platform takes. */
const MOST_SETTINGS = 10_000

/** `/subscriptions/S/resourceGroups/G/providers/Microsoft.Web/sites/N` → S, G and N. */
const partsOf = (id: string) => {
  const parts = id.split('/')
  return { subscription: parts[2] ?? '', group: parts[4] ?? '', name: parts[8] ?? '' }
}

/** A reference as an edge. Its id holds the target, so that a setting that points elsewhere is another edge. */
const edgeOf = (
  resource: string,
  { setting, vaultName, secretName, status }: Reference,
  vaultIds: ReadonlyMap<string, string>,
  opaque: Opaque,
  via: Edge['via'] = 'key-vault-reference',
): Edge => {
  const vault = vaultIds.get(vaultName.toLowerCase())
  const targetName = `${vaultName}/${secretName}`
  return {
    edge: opaque('edge', `${resource}\n${setting}\n${targetName.toLowerCase()}`),
    via,
    setting,
    target: vault === undefined ? null : itemId(opaque, vault, 'secret', secretName),
    targetName,
    confidence: via === 'name' ? BY_NAME : status === null || status === 'Resolved' ? RESOLVED : UNRESOLVED,
    status,
  }
}

/**
 * Reads what App Service and Function apps use: Key Vault references by the endpoint that shows no values, and, only
 * where it is opted in, the settings themselves. A value is looked at once, in memory, and let go.
 */
export function appServiceReader(access: AzureAccess, slots: InFlight, opaque: Opaque) {
  const clients = new Map<string, WebSiteManagementClient>()
  const clientOf = (subscription: string) => {
    const found = clients.get(subscription)
    if (found) return found
    const made = new WebSiteManagementClient(access.credential, subscription, access.clientOptions())
    clients.set(subscription, made)
    return made
  }

  async function references(id: string, abortSignal: AbortSignal): Promise<Reference[]> {
    const { subscription, group, name } = partsOf(id)
    const all: Reference[] = []
    const pages = clientOf(subscription)
      .webApps.listAppSettingsKeyVaultReferences(group, name, { abortSignal })
      .byPage()
    for (;;) {
      // The SDK hands the signal on to the first page only.
      abortSignal.throwIfAborted()
      const page = await slots(() => pages.next())
      if (page.done || all.length > MOST_SETTINGS) return all
      for (const one of page.value)
        if (one.name && one.vaultName && one.secretName)
          all.push({
            setting: one.name,
            vaultName: one.vaultName,
            secretName: one.secretName,
            status: one.status ?? null,
          })
    }
  }

  async function settingsOf(id: string, abortSignal: AbortSignal): Promise<Setting[]> {
    const { subscription, group, name } = partsOf(id)
    const { properties } = await slots(() =>
      clientOf(subscription).webApps.listApplicationSettings(group, name, { abortSignal }),
    )
    return Object.entries(properties ?? {})
  }

  const hardCoded = (resource: string, settings: readonly Setting[]): HardCoded[] =>
    settings.flatMap(([name, value]) => {
      const looks = looksLike(name, value)
      return looks ? [{ setting: opaque('setting', `${resource}\n${name}`), name, looksLike: looks }] : []
    })

  return async function readResource(
    { resource, facts, shown }: ListedResource,
    vaultIds: ReadonlyMap<string, string>,
    settingsScan: boolean,
    signal: AbortSignal,
  ): Promise<SeenResource> {
    const id = facts.resourceId
    const refs = shown?.references ?? (await refusedAsNull(() => references(id, signal)))
    const settings = !settingsScan
      ? null
      : (shown?.settings ?? (await refusedAsNull(() => settingsOf(id, signal))))
    const guesses = settings ? namedReferences(settings, new Set(vaultIds.keys())) : []
    return {
      resource,
      facts,
      edges: refs && [
        ...refs.map((reference) => edgeOf(resource, reference, vaultIds, opaque)),
        ...guesses.map((reference) => edgeOf(resource, reference, vaultIds, opaque, 'name')),
      ],
      hardCoded: settings && hardCoded(resource, settings),
    }
  }
}

/** What one resource refuses is unknown of that resource; the others are still read. */
async function refusedAsNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (thrown) {
    const failure = azureFailure(thrown)
    if (failure instanceof Denied) return null
    throw failure
  }
}
