import type { EventOf, EvidenceScope, ScopeReconciliation } from '@attestry/contracts'
import type { KnownEstate } from './reports/estate.ts'

interface Listing {
  readonly sha256: string
  readonly at: string
  readonly by: string
  readonly resources: number
  /** Names by resource id in lower case, which is how Azure compares them. */
  readonly vaults: Map<string, string>
}

/**
 * What was declared, what was listed and what was reached, held against each other by name. Three parties speak: the
 * operator by environments and the scope statement, the scanning identity, and whoever made an imported listing.
 */
export class Reconciliation {
  readonly #estate: KnownEstate
  readonly #environments = new Map<string, readonly string[]>()
  readonly #operators = new Map<string, string>()
  readonly #names = new Map<string, string>()
  readonly #ids = new Map<string, string>()
  #statement: ScopeReconciliation['statement'] = null
  #listing: (Listing & { readonly id: string }) | null = null

  constructor(estate: KnownEstate) {
    this.#estate = estate
  }

  apply(event: EventOf): void {
    switch (event.type) {
      case 'gateway.operator-added':
        this.#operators.set(event.data.operator, event.data.name)
        return
      case 'discovery.environment-connected':
      case 'discovery.environment-revised':
        this.#environments.set(event.data.environment, event.data.scope.subscriptions)
        return
      case 'discovery.environment-disconnected':
        this.#environments.delete(event.data.environment)
        return
      case 'discovery.vault-scanned':
      case 'discovery.vault-unreachable': {
        const { vault, facts } = event.data
        if (facts) {
          this.#names.set(vault, facts.name)
          this.#ids.set(vault, facts.resourceId.toLowerCase())
        }
        return
      }
      case 'evidence.scope-declared': {
        const { statement, subscriptions, vaults } = event.data
        const by = this.#operators.get(event.by.id) ?? event.by.id
        this.#statement = {
          text: statement,
          subscriptions,
          vaults: vaults.map((v) => v.name),
          by,
          at: event.at,
        }
        return
      }
      case 'evidence.listing-imported': {
        const { listing, sha256, resources } = event.data
        const by = this.#operators.get(event.by.id) ?? event.by.id
        this.#listing = { id: listing, sha256, at: event.at, by, resources, vaults: new Map() }
        return
      }
      case 'evidence.listing-read': {
        if (this.#listing?.id !== event.data.listing) return
        for (const { name, resourceId } of event.data.vaults)
          this.#listing.vaults.set(resourceId.toLowerCase(), name)
        return
      }
      default:
    }
  }

  /** @param asked what the bundle is narrowed to: only that much is held against the declaration */
  reconcile(asked: EvidenceScope | null): ScopeReconciliation {
    const narrowed = asked !== null && asked.vaults.length + asked.tags.length > 0
    const ofAsked = (subscription: string) =>
      asked === null ||
      asked.subscriptions.length === 0 ||
      asked.subscriptions.some((s) => s.toLowerCase() === subscription.toLowerCase())
    const environments = [...this.#environments.values()].flat()
    const declared = sorted([...environments, ...(this.#statement?.subscriptions ?? [])].filter(ofAsked))
    const vaults = [...this.#estate.vaults].filter(([, v]) => v.unreachable !== 'gone')
    const nameOf = (id: string) => this.#names.get(id) ?? `a vault without a name (${id})`
    const reached = vaults.filter(([, v]) => v.unreachable === null)
    const found = new Set(vaults.flatMap(([, v]) => v.facts?.subscription.toLowerCase() ?? []))
    const names = new Set(vaults.map(([id]) => nameOf(id)))
    const imported = this.#imported(vaults.map(([id]) => id))
    return {
      declared: declared.length > 0 ? declared : ['every subscription that the identity can see'],
      listed: sorted(vaults.map(([id]) => nameOf(id))),
      reached: sorted(reached.map(([id]) => nameOf(id))),
      differences: [
        ...sorted(
          vaults.flatMap(([id, v]) =>
            v.unreachable === null ? [] : [`${nameOf(id)} could not be read: ${v.unreachable}`],
          ),
        ),
        ...(narrowed ? [] : declared)
          .filter((s) => !found.has(s.toLowerCase()))
          .map((s) => `Subscription ${s} was declared, and no vault was found in it`),
        ...(this.#statement?.vaults ?? [])
          .filter((name) => !narrowed && !names.has(name))
          .map((name) => `${name} stands in the scope statement, and no scan found it`),
        ...(imported?.onlyListed ?? []).map(
          (name) => `${name} stands in the imported listing, and no scan found it`,
        ),
        ...(imported?.onlyScanned ?? []).map(
          (name) => `${name} was found by a scan and does not stand in the imported listing`,
        ),
      ],
      statement: this.#statement,
      imported,
    }
  }

  #imported(scanned: readonly string[]): ScopeReconciliation['imported'] {
    if (!this.#listing) return null
    const { sha256, at, by, resources, vaults } = this.#listing
    const ids = new Map(scanned.map((id) => [this.#ids.get(id) ?? id, this.#names.get(id) ?? id]))
    return {
      sha256,
      at,
      by,
      resources,
      vaults: vaults.size,
      onlyListed: sorted([...vaults].flatMap(([id, name]) => (ids.has(id) ? [] : [name]))),
      onlyScanned: sorted([...ids].flatMap(([id, name]) => (vaults.has(id) ? [] : [name]))),
    }
  }
}

const sorted = (texts: readonly string[]): string[] => [...new Set(texts)].sort()
