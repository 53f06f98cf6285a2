import type { Application, Resource, Unreachable, Vault, VaultItem } from '@attestry/contracts'
import type { KnownVault } from './inventory.ts'
import type { Setting } from './dependencies/by-name.ts'
import type { SeenResource, SeenVault } from './difference.ts'

/** Turns what the world names into an opaque id of this tenant. */
export type Opaque = (kind: string, name: string) => string

export interface SeenSubscription {
  readonly id: string
  /** The Entra directory it trusts. */
  readonly directory: string | null
}

/** A vault as Resource Manager lists it. */
export interface ListedVault {
  readonly vault: string
  readonly facts: Vault
}

/** A listing, and whether it reached its end: only then may what is missing from it be called gone. */
export interface Listing<T> {
  readonly items: readonly T[]
  readonly complete: boolean
}

export interface ListedResource {
  readonly resource: string
  readonly facts: Resource
  /** What the listing itself shows (Container Apps); null where it has to be asked for. */
  readonly shown: {
    readonly references: readonly Reference[]
    /** Null unless a look at settings is allowed. Holds values: in memory only, until the resource was read. */
    readonly settings: readonly Setting[] | null
  } | null
}

/** A setting that takes its value from a vault. */
export interface Reference {
  readonly setting: string
  readonly vaultName: string
  readonly secretName: string
  readonly status: string | null
}

/**
 * The cloud as a scan looks at it. Every method throws `Transient` or `Denied`, or the abort of its signal;
 * `readVault` alone answers with what could not be read, because the rest of a vault still counts.
 */
export interface Cloud {
  /** Requests sent so far. */
  calls(): number
  subscriptions(signal: AbortSignal): Promise<SeenSubscription[]>
  vaults(subscriptions: readonly string[], signal: AbortSignal): Promise<Listing<ListedVault>>
  readVault(
    vault: ListedVault,
    known: KnownVault,
    signal: AbortSignal,
  ): Promise<SeenVault & { why: string | null }>
  applications(signal: AbortSignal): Promise<Listing<Application>>
  /** `settingsScan` allows a look at the values of settings. */
  resources(
    subscriptions: readonly string[],
    settingsScan: boolean,
    signal: AbortSignal,
  ): Promise<Listing<ListedResource>>
  /** `vaultIds` by name in lower case. */
  readResource(
    resource: ListedResource,
    vaultIds: ReadonlyMap<string, string>,
    settingsScan: boolean,
    signal: AbortSignal,
  ): Promise<SeenResource>
}

/** Names Azure may spell differently from one answer to the next. */
const folded = (name: string): string => name.toLowerCase()

export const vaultId = (opaque: Opaque, resourceId: string): string => opaque('vault', folded(resourceId))

/** An item's id has no version in it: a new version is the same asset. */
export const itemId = (opaque: Opaque, vault: string, kind: VaultItem['kind'], name: string): string =>
  opaque(kind, `${vault}/${folded(name)}`)

export const resourceId = (opaque: Opaque, id: string): string => opaque('resource', folded(id))

/** Why a vault could not be read, from Azure's code; what is no refusal is a failure. */
export const whyOf = (code: string): Exclude<Unreachable, 'gone'> =>
  /^ForbiddenBy(Firewall|Connection|PrivateEndpoint)$/i.test(code) ? 'firewall' : 'forbidden'

/** Orders pairs by name, so that the same tags in another order are no difference. */
export const pairsOf = (tags: Readonly<Record<string, string>> | null | undefined): [string, string][] =>
  Object.entries(tags ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
