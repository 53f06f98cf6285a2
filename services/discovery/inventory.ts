import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  type Application,
  canonical,
  type Edge,
  type EventOf,
  type HardCoded,
  type Resource,
  type Unreachable,
  type Vault,
  type VaultItem,
} from '@attestry/contracts'

/*
 * What is known, as folds of the streams that say it. The same folds give the views their rows and a scan the state
 * that it compares the cloud with, so the two cannot drift apart.
 */

/** A vault as its stream tells it. */
export interface KnownVault {
  /** Null until somebody described it. */
  readonly facts: Vault | null
  /** Why it could not be read the last time, or null. */
  readonly unreachable: Unreachable | null
  /** By asset id. */
  readonly items: ReadonlyMap<string, VaultItem>
}

export const unknownVault: KnownVault = { facts: null, unreachable: null, items: new Map() }

/**
 * A vault after one more event of its stream. `vault-scanned` says that it was read, so it also ends an earlier
 * `vault-unreachable`; a vault of which only a part could be read is told by both, in this order.
 */
export function evolveVault(known: KnownVault, event: Pick<EventOf, 'type' | 'data'>): KnownVault {
  if (event.type === 'discovery.vault-scanned') {
    // The union of EventOf ties data to type; Pick loses that tie.
    const data = event.data as EventOf<'discovery.vault-scanned'>['data']
    const items = new Map(known.items)
    for (const item of [...data.found, ...data.changed]) items.set(item.asset, item)
    for (const asset of data.lost) items.delete(asset)
    return { facts: data.facts ?? known.facts, unreachable: null, items }
  }
  if (event.type === 'discovery.vault-unreachable') {
    const data = event.data as EventOf<'discovery.vault-unreachable'>['data']
    return { ...known, facts: data.facts ?? known.facts, unreachable: data.why }
  }
  return known
}

/** The applications of a directory, by asset id. */
export type KnownApplications = ReadonlyMap<string, Application>

export function evolveApplications(
  known: KnownApplications,
  event: Pick<EventOf, 'type' | 'data'>,
): KnownApplications {
  if (event.type !== 'discovery.apps-scanned') return known
  const data = event.data as EventOf<'discovery.apps-scanned'>['data']
  const applications = new Map(known)
  for (const one of [...data.found, ...data.changed]) applications.set(one.asset, one)
  for (const asset of data.lost) applications.delete(asset)
  return applications
}

/** A resource that uses credentials, as its stream tells it. */
export interface KnownResource {
  readonly facts: Resource | null
  readonly gone: boolean
  readonly edges: ReadonlyMap<string, Edge>
  /** Whether values of its settings were allowed to be looked at the last time. */
  readonly settingsRead: boolean
  readonly hardCoded: ReadonlyMap<string, HardCoded>
}

export const unknownResource: KnownResource = {
  facts: null,
  gone: false,
  edges: new Map(),
  settingsRead: false,
  hardCoded: new Map(),
}

export function evolveResource(known: KnownResource, event: Pick<EventOf, 'type' | 'data'>): KnownResource {
  if (event.type !== 'discovery.resource-scanned') return known
  const data = event.data as EventOf<'discovery.resource-scanned'>['data']
  const edges = new Map(known.edges)
  for (const edge of data.found) edges.set(edge.edge, edge)
  for (const edge of data.lost) edges.delete(edge)
  const hardCoded = new Map(known.hardCoded)
  for (const one of data.hardCodedFound) hardCoded.set(one.setting, one)
  for (const setting of data.hardCodedCleared) hardCoded.delete(setting)
  return {
    facts: data.facts ?? known.facts,
    gone: data.gone,
    edges,
    settingsRead: data.settingsRead,
    hardCoded,
  }
}

/** Whether two facts say the same, whatever the order of their keys. */
export const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b)

/*
 * The digest of an inventory covers what stands in the clear in the ledger and nothing else: names, tags, content
 * types and issuers are committed there, and a digest over them would let somebody who may not see them check a
 * guess. So anybody with an export, even one without private fields, can compute it again.
 */

// In the order of canonical text, which is then written several times faster.
const openItem = ({
  algorithm,
  asset,
  bits,
  created,
  curve,
  enabled,
  expires,
  kind,
  managed,
  notBefore,
  thumbprint,
  updated,
}: VaultItem) => ({
  algorithm,
  asset,
  bits,
  created,
  curve,
  enabled,
  expires,
  kind,
  managed,
  notBefore,
  thumbprint,
  updated,
})

const openVault = ({ name: _name, uri: _uri, resourceId: _id, tags: _tags, ...open }: Vault) => open

const byKey = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** One vault's line of the digest: its facts in the clear and its items in the order of their ids. */
export const vaultLine = (vault: string, facts: Vault, items: Iterable<VaultItem>): string =>
  `${vault} ${digest(
    canonical({
      facts: openVault(facts),
      items: [...items].toSorted((a, b) => byKey(a.asset, b.asset)).map(openItem),
    }),
  )}`

/** One application's line: its credentials' ids and dates. */
export const applicationLine = ({ asset, appId, objectId, created, credentials }: Application): string =>
  `${asset} ${digest(
    canonical({
      appId,
      objectId,
      created,
      credentials: credentials.map(({ name: _name, ...open }) => open),
    }),
  )}`

/** One resource's line: the edges it has. */
export const resourceLine = (resource: string, edges: Iterable<Edge>): string =>
  `${resource} ${digest(
    canonical(
      [...edges]
        .toSorted((a, b) => byKey(a.edge, b.edge))
        .map(({ edge, via, target, confidence, status }) => ({ edge, via, target, confidence, status })),
    ),
  )}`

/** SHA-256 over the sorted lines, one a line feed. */
export const inventoryDigest = (lines: readonly string[]): string =>
  digest(
    lines
      .toSorted(byKey)
      .map((line) => `${line}\n`)
      .join(''),
  )
