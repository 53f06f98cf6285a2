import { contextOf, type EvidenceScope, type EventOf } from '@attestry/contracts'

/** What of an event belongs to a scope. */
export interface Narrowed {
  /** The event without what is out of scope; null: nothing of it is in. */
  readonly event: EventOf | null
  /** Whether the committed value at a path (a JSON pointer into the envelope’s `event`) may be disclosed. */
  readonly discloses: (path: string) => boolean
}

const everything = (event: EventOf): Narrowed => ({ event, discloses: () => true })
const nothing: Narrowed = { event: null, discloses: () => false }

const narrows = (scope: EvidenceScope | null): scope is EvidenceScope =>
  scope !== null && scope.subscriptions.length + scope.vaults.length + scope.tags.length > 0

/**
 * What of an event belongs to a scope whose type this version does not know, as of a newer one: with any scope nothing,
 * since nobody can say whom its fields name. Null where there is no scope.
 */
export const ofUnknownType = (scope: EvidenceScope | null): Narrowed | null =>
  narrows(scope) ? nothing : null

/**
 * Narrows a chain to a scope, event by event from the first one. Reports are folded from what is left, and an export
 * discloses exactly that, so that whoever has only the export makes the same rows. Applications and their credentials
 * lie in no subscription, no vault and carry no tag: any scope leaves them out. What operators did with the product
 * itself stays: it names no asset.
 */
export function narrowing(scope: EvidenceScope | null): (event: EventOf) => Narrowed {
  if (!narrows(scope)) return everything
  const narrower = new Narrower(scope)
  return (event) => narrower.narrow(event)
}

/** A list of an event’s data, with which of its items are in scope. */
interface Sieve {
  readonly items: readonly unknown[]
  readonly kept: readonly boolean[]
}

const sieve = <T>(items: readonly T[], keep: (item: T) => boolean): Sieve => ({
  items,
  kept: items.map(keep),
})

/** The event with only the kept items of its lists; what was dropped is not disclosed either. */
function cut(event: EventOf, lists: Readonly<Record<string, Sieve>>): Narrowed {
  const dropped = Object.entries(lists).flatMap(([name, { kept }]) =>
    kept.flatMap((keep, index) => (keep ? [] : [`/data/${name}/${index}/`])),
  )
  const left = Object.entries(lists).map(([name, { items, kept }]) => [name, items.filter((_, i) => kept[i])])
  return {
    event: { ...event, data: { ...event.data, ...Object.fromEntries(left) } },
    discloses: (path) => !dropped.some((prefix) => path.startsWith(prefix)),
  }
}

class Narrower {
  readonly #subscriptions: ReadonlySet<string>
  readonly #vaults: ReadonlySet<string>
  readonly #tags: readonly (readonly [string, string])[]
  /** Vaults that were seen, with whether all of each is in scope, or what is tagged so. */
  readonly #seen = new Map<string, 'whole' | 'tagged' | 'out'>()
  readonly #vaultNames = new Set<string>()
  /** Ids of what is in scope: vaults, assets, edges, resources, policies, rotations, routes, copies. */
  readonly #in = new Set<string>()

  constructor({ subscriptions, vaults, tags }: EvidenceScope) {
    this.#subscriptions = new Set(subscriptions.map((s) => s.toLowerCase()))
    this.#vaults = new Set(vaults)
    this.#tags = tags
  }

  narrow(event: EventOf): Narrowed {
    switch (event.type) {
      case 'discovery.vault-scanned':
        return this.#vaultScanned(event)
      case 'discovery.vault-unreachable': {
        this.#look(event.data.vault, event.data.facts)
        return this.#in.has(event.data.vault) ? everything(event) : nothing
      }
      case 'discovery.apps-scanned':
        return nothing
      case 'discovery.resource-scanned':
        return this.#resourceScanned(event)
      case 'discovery.edge-confirmed':
      case 'discovery.edge-rejected':
        return this.#in.has(event.data.edge) ? everything(event) : nothing
      case 'compliance.findings-changed':
        return this.#findings(event)
      case 'evidence.listing-read':
        return cut(event, {
          vaults: sieve(
            event.data.vaults,
            (v) =>
              this.#vaultNames.has(v.name) ||
              (this.#bySubscriptionAlone && this.#ofSubscription(v.subscription)),
          ),
        })
      case 'evidence.scope-declared':
        return cut(event, {
          vaults: sieve(event.data.vaults, (v) => this.#bySubscriptionAlone || this.#vaultNames.has(v.name)),
        })
      default:
        return ['rotation', 'sync'].includes(contextOf(event.type)) ? this.#linked(event) : everything(event)
    }
  }

  get #bySubscriptionAlone(): boolean {
    return this.#vaults.size === 0 && this.#tags.length === 0
  }

  #ofSubscription(subscription: string): boolean {
    return this.#subscriptions.size === 0 || this.#subscriptions.has(subscription.toLowerCase())
  }

  #tagged(tags: readonly (readonly [string, string])[]): boolean {
    return this.#tags.some(([name, value]) =>
      tags.some(([n, v]) => n.toLowerCase() === name.toLowerCase() && (value === '' || v === value)),
    )
  }

  /** Learns of a vault whether it is in scope. */
  #look(
    vault: string,
    facts: EventOf<'discovery.vault-scanned'>['data']['facts'],
  ): 'whole' | 'tagged' | 'out' {
    if (!facts) return this.#seen.get(vault) ?? 'out'
    const placed =
      this.#ofSubscription(facts.subscription) && (this.#vaults.size === 0 || this.#vaults.has(vault))
    const standing = !placed
      ? 'out'
      : this.#tags.length === 0 || this.#tagged(facts.tags)
        ? 'whole'
        : 'tagged'
    this.#seen.set(vault, standing)
    if (standing === 'whole') {
      this.#in.add(vault)
      this.#vaultNames.add(facts.name)
    }
    return standing
  }

  #vaultScanned(event: EventOf<'discovery.vault-scanned'>): Narrowed {
    const { vault, facts, found, changed, lost } = event.data
    const standing = this.#look(vault, facts)
    if (standing === 'out') return nothing
    const keep = (item: (typeof found)[number]) => standing === 'whole' || this.#tagged(item.tags)
    const items = [...found, ...changed]
    // What lost its tag leaves the scope here: the fold must see it go.
    const leaving = items.filter((item) => !keep(item) && this.#in.has(item.asset)).map((item) => item.asset)
    const lostHere = lost.filter((id) => this.#in.has(id))
    for (const id of [...leaving, ...lostHere]) this.#in.delete(id)
    const kept = items.filter(keep)
    for (const item of kept) this.#in.add(item.asset)
    const gone = [...lostHere, ...leaving]
    if (standing === 'tagged' && kept.length + gone.length === 0) return nothing
    const { event: narrowed, discloses } = cut(event, {
      found: sieve(found, keep),
      changed: sieve(changed, keep),
    })
    return narrowed?.type === 'discovery.vault-scanned'
      ? { event: { ...narrowed, data: { ...narrowed.data, lost: gone } }, discloses }
      : nothing
  }

  #resourceScanned(event: EventOf<'discovery.resource-scanned'>): Narrowed {
    const { resource, facts, found, lost } = event.data
    const whole = this.#bySubscriptionAlone && facts !== null && this.#ofSubscription(facts.subscription)
    for (const edge of found)
      if (whole || (edge.target !== null && this.#in.has(edge.target))) {
        this.#in.add(edge.edge)
        this.#in.add(resource)
      }
    if (whole) this.#in.add(resource)
    if (!this.#in.has(resource)) return nothing
    return cut(event, {
      found: sieve(found, (edge) => this.#in.has(edge.edge)),
      lost: sieve(lost, (edge) => this.#in.has(edge)),
      ...(this.#bySubscriptionAlone ? {} : { hardCodedFound: sieve(event.data.hardCodedFound, () => false) }),
    })
  }

  #findings(event: EventOf<'compliance.findings-changed'>): Narrowed {
    const { opened, reopened, resolved } = event.data
    const keep = (ref: { readonly subject: string }) => this.#in.has(ref.subject)
    if (![...opened, ...reopened, ...resolved].some(keep)) return nothing
    return cut(event, {
      opened: sieve(opened, keep),
      reopened: sieve(reopened, keep),
      resolved: sieve(resolved, keep),
    })
  }

  /** Events of rotation and sync are in when they name something that is; what they name is in from then on. */
  #linked(event: EventOf): Narrowed {
    const ids = Object.entries(event.data).filter(
      (entry): entry is [string, string] =>
        typeof entry[1] === 'string' && /^[a-z-]+-[0-9a-z]{4,64}$/.test(entry[1]),
    )
    if (!ids.some(([, id]) => this.#in.has(id))) return nothing
    for (const [field, id] of ids)
      if (['policy', 'match', 'rotation', 'route', 'copy'].includes(field)) this.#in.add(id)
    return everything(event)
  }
}
