import type { Resource, Vault } from '@attestry/contracts'
import { Denied } from '@attestry/kit'
import { type AzureAccess, azureFailure } from '@attestry/kit/azure'
import { WebSiteManagementClient } from '@azure/arm-appservice'
import { KeyVaultManagementClient } from '@azure/arm-keyvault'
import { ResourceGraphClient } from '@azure/arm-resourcegraph'
import { SubscriptionClient } from '@azure/arm-resources-subscriptions'
import * as z from 'zod'
import {
  type Cloud,
  type ListedResource,
  type ListedVault,
  type Listing,
  type Opaque,
  pairsOf,
  resourceId,
  type SeenSubscription,
  vaultId,
} from './cloud.ts'
import {
  ContainerSecrets,
  Containers,
  containerReferences,
  containerSettings,
} from './dependencies/container-app.ts'
import { appServiceReader } from './dependencies/app-service.ts'
import { applicationReader } from './graph.ts'
import { inFlight } from './in-flight.ts'
import { vaultReader } from './vault.ts'

/** Requests at once, over everything that one environment's scan asks. */
const CONCURRENT_CALLS = 32

/** Rows of a Resource Graph page: the most it gives. */
const GRAPH_PAGE = 1000
/** Resource Graph takes so many subscriptions a query. */
const SUBSCRIPTIONS_PER_QUERY = 1000
/** 200,000 rows; beyond it a listing counts as cut off. */
const MOST_PAGES = 200

const VAULTS =
  "resources | where type =~ 'microsoft.keyvault/vaults' | project id, name, location, subscriptionId, tags, properties | order by id asc"
const SITES =
  "resources | where type =~ 'microsoft.web/sites' | project id, name, kind, subscriptionId | order by id asc"
/** Without `containers`, which holds the values of settings, unless a look at them is allowed. */
const containerApps = (settingsScan: boolean): string =>
  `resources | where type =~ 'microsoft.app/containerapps' | project id, name, subscriptionId, secrets = properties.configuration.secrets${
    settingsScan ? ', containers = properties.template.containers' : ''
  } | order by id asc`

const Tags = z.record(z.string(), z.string()).nullish()
const Flag = z.boolean().nullish()

/** A vault as Resource Graph and Resource Manager both show it; what is unknown to us is left aside. */
const VaultShape = z.object({
  id: z.string().startsWith('/subscriptions/'),
  name: z.string().min(1),
  location: z.string(),
  tags: Tags,
  properties: z.object({
    vaultUri: z.url({ protocol: /^https$/ }),
    sku: z.object({ name: z.string() }),
    enableSoftDelete: Flag,
    enablePurgeProtection: Flag,
    softDeleteRetentionInDays: z.int().min(0).nullish(),
    enableRbacAuthorization: Flag,
    publicNetworkAccess: z.string().nullish(),
    networkAcls: z
      .object({
        defaultAction: z.string().nullish(),
        ipRules: z
          .array(z.object({ value: z.string().nullish(), addressRange: z.string().nullish() }))
          .nullish(),
      })
      .nullish(),
    privateEndpointConnections: z.array(z.unknown()).nullish(),
  }),
})

const SiteShape = z.object({
  id: z.string().startsWith('/subscriptions/'),
  name: z.string().min(1),
  kind: z.string().nullish(),
})

const AppShape = z.object({
  id: z.string().startsWith('/subscriptions/'),
  name: z.string().min(1),
  secrets: ContainerSecrets,
  containers: Containers,
})

/** The subscription in a resource id. */
const subscriptionOf = (id: string): string => (id.split('/')[2] ?? '').toLowerCase()

const either = <const T extends string>(
  value: string | null | undefined,
  choices: readonly T[],
): T | null => {
  const folded = value?.toLowerCase()
  return choices.find((choice) => choice === folded) ?? null
}

/** Every IPv4 address: written as a range, or as the two halves that some tools write. */
const admitsAll = (ranges: readonly string[]): boolean =>
  ranges.some((r) => r.endsWith('/0')) || (ranges.includes('0.0.0.0/1') && ranges.includes('128.0.0.0/1'))

function vaultFacts(row: z.infer<typeof VaultShape>): Vault {
  const { properties: p } = row
  return {
    name: row.name,
    uri: p.vaultUri.endsWith('/') ? p.vaultUri : `${p.vaultUri}/`,
    resourceId: row.id,
    subscription: subscriptionOf(row.id),
    location: row.location,
    sku: p.sku.name.toLowerCase() === 'premium' ? 'premium' : 'standard',
    softDelete: p.enableSoftDelete ?? null,
    purgeProtection: p.enablePurgeProtection ?? null,
    retentionDays: p.softDeleteRetentionInDays ?? null,
    rbac: p.enableRbacAuthorization ?? null,
    publicNetworkAccess: either(p.publicNetworkAccess, ['enabled', 'disabled']),
    defaultAction: either(p.networkAcls?.defaultAction, ['allow', 'deny']),
    openToAll: admitsAll((p.networkAcls?.ipRules ?? []).map((rule) => rule.value ?? rule.addressRange ?? '')),
    privateEndpoints: p.privateEndpointConnections?.length ?? 0,
    tags: pairsOf(row.tags),
  }
}

const siteFacts = (row: z.infer<typeof SiteShape>): Resource => ({
  name: row.name,
  resourceId: row.id,
  type: (row.kind ?? '').toLowerCase().includes('functionapp') ? 'function' : 'app-service',
  subscription: subscriptionOf(row.id),
})

/** Whether Resource Graph itself is what is refused: then Resource Manager may still answer. */
const graphRefused = (failure: Error): boolean =>
  failure instanceof Denied && !failure.code.startsWith('AADSTS')

/** One environment's cloud, through the real SDKs. Kept between scans: its clients have met their challenges. */
export function azureCloud(access: AzureAccess, opaque: Opaque): Cloud {
  const { credential, clientOptions } = access
  const slots = inFlight(CONCURRENT_CALLS)
  const graph = new ResourceGraphClient(credential, clientOptions())
  const subscriptionClient = new SubscriptionClient(credential, clientOptions())

  /** Throws what a failure means, never an SDK's own error. */
  const meaning = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (thrown) {
      throw azureFailure(thrown)
    }
  }

  /** All rows of a query. A row of the wrong shape is a malformed answer, not a row less. */
  async function query<S extends z.ZodType>(
    text: string,
    shape: S,
    subscriptions: readonly string[],
    abortSignal: AbortSignal,
  ): Promise<Listing<z.infer<S>>> {
    const items: z.infer<S>[] = []
    let complete = true
    for (let from = 0; from < subscriptions.length; from += SUBSCRIPTIONS_PER_QUERY) {
      const scope = subscriptions.slice(from, from + SUBSCRIPTIONS_PER_QUERY)
      let skipToken: string | undefined
      let page = 0
      do {
        const answer = await slots(() =>
          graph.resources(
            {
              query: text,
              subscriptions: scope,
              options: { top: GRAPH_PAGE, resultFormat: 'objectArray', ...(skipToken ? { skipToken } : {}) },
            },
            { abortSignal },
          ),
        )
        items.push(...z.array(shape).parse(answer.data))
        skipToken = answer.skipToken
        if (!skipToken && answer.resultTruncated === 'true') complete = false
      } while (skipToken && ++page < MOST_PAGES)
      if (skipToken) complete = false
    }
    return { items, complete }
  }

  /** Asks Resource Graph, and each subscription's own listing where that is refused. */
  const listing = <S extends z.ZodType>(
    text: string,
    shape: S,
    subscriptions: readonly string[],
    signal: AbortSignal,
    oneByOne: (subscription: string) => AsyncIterable<unknown>,
  ): Promise<Listing<z.infer<S>>> =>
    meaning(async () => {
      try {
        return await query(text, shape, subscriptions, signal)
      } catch (thrown) {
        if (!graphRefused(azureFailure(thrown))) throw thrown
      }
      const items: z.infer<S>[] = []
      for (const subscription of subscriptions)
        for await (const row of oneByOne(subscription)) items.push(shape.parse(row))
      return { items, complete: true }
    })

  const readVault = vaultReader(access, slots, opaque)
  const appServices = appServiceReader(access, slots, opaque)
  const listApplications = applicationReader(access, slots, opaque)

  return {
    calls: access.calls,
    subscriptions: (abortSignal) =>
      meaning(async () => {
        const seen: SeenSubscription[] = []
        for await (const { subscriptionId, tenantId, state } of subscriptionClient.subscriptions.list({
          abortSignal,
        }))
          if (subscriptionId && state !== 'Deleted' && state !== 'Disabled')
            seen.push({ id: subscriptionId.toLowerCase(), directory: tenantId ?? null })
        return seen
      }),
    vaults: async (subscriptions, abortSignal) => {
      const rows = await listing(VAULTS, VaultShape, subscriptions, abortSignal, (subscription) =>
        new KeyVaultManagementClient(credential, subscription, clientOptions()).vaults.listBySubscription({
          abortSignal,
        }),
      )
      return {
        complete: rows.complete,
        items: rows.items.map(
          (row): ListedVault => ({ vault: vaultId(opaque, row.id), facts: vaultFacts(row) }),
        ),
      }
    },
    readVault,
    applications: (signal) => meaning(() => listApplications(signal)),
    resources: async (subscriptions, settingsScan, abortSignal) => {
      const sites = await listing(SITES, SiteShape, subscriptions, abortSignal, (subscription) =>
        new WebSiteManagementClient(credential, subscription, clientOptions()).webApps.list({ abortSignal }),
      )
      const apps = await meaning(() =>
        query(containerApps(settingsScan), AppShape, subscriptions, abortSignal),
      )
      return {
        complete: sites.complete && apps.complete,
        items: [
          ...sites.items.map(
            (row): ListedResource => ({
              resource: resourceId(opaque, row.id),
              facts: siteFacts(row),
              shown: null,
            }),
          ),
          ...apps.items.map(
            (row): ListedResource => ({
              resource: resourceId(opaque, row.id),
              facts: {
                name: row.name,
                resourceId: row.id,
                type: 'container-app',
                subscription: subscriptionOf(row.id),
              },
              shown: {
                references: containerReferences(row.secrets),
                settings: settingsScan ? containerSettings(row.containers) : null,
              },
            }),
          ),
        ],
      }
    },
    readResource: (resource, vaultIds, settingsScan, signal) =>
      meaning(() => appServices(resource, vaultIds, settingsScan, signal)),
  }
}
