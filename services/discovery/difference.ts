import {
  type Application,
  type Edge,
  type Fact,
  fact,
  type HardCoded,
  type ItemKind,
  type Resource,
  type Unreachable,
  type Vault,
  type VaultItem,
} from '@attestry/contracts'
import { type KnownApplications, type KnownResource, type KnownVault, same } from './inventory.ts'

/*
 * Decisions: what is known and what is seen now give the facts to be recorded, and nothing where nothing differs.
 * Folding the facts onto what was known always gives what was seen.
 */

/** Where a fact was seen: recorded with every event of a scan. */
export interface Sighting {
  readonly env: string
  readonly run: string
}

/** A vault as a scan saw it. */
export interface SeenVault {
  readonly vault: string
  readonly facts: Vault
  readonly items: readonly VaultItem[]
  /** Kinds whose listing did not reach its end: nothing of them is called lost. */
  readonly unread: ReadonlySet<ItemKind>
  /** Why something could not be read; null when all was. */
  readonly unreachable: Exclude<Unreachable, 'gone'> | null
}

/** At most so many things an event, as the contract promises. */
const PER_EVENT = 100
/** An event is at most 128 kB on the bus; commitments and salts come on top of what is counted here. */
const BYTES_PER_EVENT = 110_000
/** What commitments and salts add to a thing: some four fields of 32 + 16 bytes in hexadecimal, with their paths. */
const OVERHEAD = 500

/** Splits things into pages that fit an event, by number and by size, in their order. */
function* pages<T>(things: Iterable<T>): Generator<T[]> {
  let page: T[] = []
  let bytes = 0
  for (const thing of things) {
    const weight = Buffer.byteLength(JSON.stringify(thing)) + OVERHEAD
    if (page.length >= PER_EVENT || (page.length > 0 && bytes + weight > BYTES_PER_EVENT)) {
      yield page
      page = []
      bytes = 0
    }
    page.push(thing)
    bytes += weight
  }
  if (page.length > 0) yield page
}

/** One difference, so that pages can mix kinds of them and keep their order. */
type Difference<T> =
  | { readonly is: 'found' | 'changed'; readonly thing: T }
  | { readonly is: 'lost'; readonly asset: string }

const foundIn = <T>(page: readonly Difference<T>[], is: 'found' | 'changed'): T[] =>
  page.flatMap((d) => (d.is === is ? [d.thing] : []))
const lostIn = (page: readonly Difference<unknown>[]): string[] =>
  page.flatMap((d) => (d.is === 'lost' ? [d.asset] : []))

/** What differs between things known and seen, by asset id. `losable` says which missing ones may be called lost. */
function* differences<T extends { readonly asset: string }>(
  known: ReadonlyMap<string, T>,
  seen: Iterable<T>,
  losable: (thing: T) => boolean,
): Generator<Difference<T>> {
  const met = new Set<string>()
  for (const thing of seen) {
    if (met.has(thing.asset)) continue
    met.add(thing.asset)
    const before = known.get(thing.asset)
    if (!before) yield { is: 'found', thing }
    else if (!same(before, thing)) yield { is: 'changed', thing }
  }
  for (const [asset, thing] of known) if (!met.has(asset) && losable(thing)) yield { is: 'lost', asset }
}

/**
 * The facts of one vault: none when nothing differs. A vault that was unreachable and now is read says so by a
 * `vault-scanned` of its own, even an empty one.
 */
export function decideVault(known: KnownVault, seen: SeenVault, where: Sighting): Fact[] {
  const facts = known.facts && same(known.facts, seen.facts) ? null : seen.facts
  const changes = differences(known.items, seen.items, (item) => !seen.unread.has(item.kind))
  const scanned = [...pages(changes)].map((page, index) =>
    fact(
      'discovery.vault-scanned',
      {
        vault: seen.vault,
        facts: index === 0 ? facts : null,
        found: foundIn(page, 'found'),
        changed: foundIn(page, 'changed'),
        lost: lostIn(page),
      },
      where,
    ),
  )
  if (seen.unreachable !== null) {
    // A page of items ends what was known of being unreachable, so it is said again behind them.
    if (scanned.length === 0 && facts === null && known.unreachable === seen.unreachable) return []
    return [
      ...scanned,
      fact(
        'discovery.vault-unreachable',
        { vault: seen.vault, facts: scanned.length === 0 ? facts : null, why: seen.unreachable },
        where,
      ),
    ]
  }
  if (scanned.length === 0 && (facts !== null || known.unreachable !== null))
    return [
      fact('discovery.vault-scanned', { vault: seen.vault, facts, found: [], changed: [], lost: [] }, where),
    ]
  return scanned
}

/** The facts of a vault that Resource Manager no longer lists: what it held is lost with it. */
export function decideGone(vault: string, known: KnownVault, where: Sighting): Fact[] {
  if (known.unreachable === 'gone') return []
  return [
    ...[...pages(known.items.keys())].map((lost) =>
      fact('discovery.vault-scanned', { vault, facts: null, found: [], changed: [], lost }, where),
    ),
    fact('discovery.vault-unreachable', { vault, facts: null, why: 'gone' }, where),
  ]
}

/**
 * The facts of a vault that is known but whose subscription the identity sees no longer: it may well still be there,
 * so nothing is lost; it cannot be read.
 */
export const decideHidden = (vault: string, known: KnownVault, where: Sighting): Fact[] =>
  known.unreachable === 'gone' || known.unreachable === 'forbidden'
    ? []
    : [fact('discovery.vault-unreachable', { vault, facts: null, why: 'forbidden' }, where)]

/** The facts of a directory's applications. `complete` is false when the listing broke off. */
export const decideApplications = (
  directory: string,
  known: KnownApplications,
  seen: readonly Application[],
  complete: boolean,
  where: Sighting,
): Fact[] =>
  [...pages(differences(known, seen, () => complete))].map((page) =>
    fact(
      'discovery.apps-scanned',
      {
        directory,
        found: foundIn(page, 'found'),
        changed: foundIn(page, 'changed'),
        lost: lostIn(page),
      },
      where,
    ),
  )

/** A resource as a scan saw it. */
export interface SeenResource {
  readonly resource: string
  readonly facts: Resource
  /** Null when the references could not be read: then nothing of them is lost. */
  readonly edges: readonly Edge[] | null
  /** Null when values of settings may not or could not be looked at. */
  readonly hardCoded: readonly HardCoded[] | null
}

/** The facts of one resource and the credentials it uses. */
export function decideResource(known: KnownResource, seen: SeenResource, where: Sighting): Fact[] {
  const facts = known.facts && same(known.facts, seen.facts) ? null : seen.facts
  const settingsRead = seen.hardCoded !== null
  // What a look at the values showed stays true until the next look: guesses by name, and credentials in plain sight.
  const guessed = [...known.edges.values()].filter(({ via }) => via === 'name')
  const edges = seen.edges ? [...seen.edges, ...(settingsRead ? [] : guessed)] : [...known.edges.values()]
  const found = edges.filter((edge) => !same(known.edges.get(edge.edge) ?? null, edge))
  const seenEdges = new Set(edges.map((edge) => edge.edge))
  const lost = [...known.edges.keys()].filter((edge) => !seenEdges.has(edge))
  const hardCoded = seen.hardCoded ?? [...known.hardCoded.values()]
  const hardCodedFound = hardCoded.filter((one) => !same(known.hardCoded.get(one.setting) ?? null, one))
  const seenSettings = new Set(hardCoded.map((one) => one.setting))
  const hardCodedCleared = [...known.hardCoded.keys()].filter((setting) => !seenSettings.has(setting))
  const changes: (() => Partial<ResourceChanges>)[] = [
    ...[...pages(found)].map((page) => () => ({ found: page })),
    ...[...pages(lost)].map((page) => () => ({ lost: page })),
    ...[...pages(hardCodedFound)].map((page) => () => ({ hardCodedFound: page })),
    ...[...pages(hardCodedCleared)].map((page) => () => ({ hardCodedCleared: page })),
  ]
  const anything = facts !== null || known.gone || settingsRead !== known.settingsRead || changes.length > 0
  if (!anything) return []
  const first: ResourceChanges = { found: [], lost: [], hardCodedFound: [], hardCodedCleared: [] }
  const small = [found, lost, hardCodedFound, hardCodedCleared].flat()
  // Nearly always everything fits one event; only a resource with very many settings is split.
  const merged = [...pages(small)].length <= 1
  const parts = merged
    ? [{ found, lost, hardCodedFound, hardCodedCleared }]
    : changes.map((part) => ({ ...first, ...part() }))
  return parts.map((part, index) =>
    fact(
      'discovery.resource-scanned',
      { resource: seen.resource, facts: index === 0 ? facts : null, gone: false, settingsRead, ...part },
      where,
    ),
  )
}

interface ResourceChanges {
  readonly found: Edge[]
  readonly lost: string[]
  readonly hardCodedFound: HardCoded[]
  readonly hardCodedCleared: string[]
}

/** The facts of a resource that is no longer listed. */
export function decideResourceGone(resource: string, known: KnownResource, where: Sighting): Fact[] {
  if (known.gone) return []
  const gone = (part: Partial<ResourceChanges>) =>
    fact(
      'discovery.resource-scanned',
      {
        resource,
        facts: null,
        gone: true,
        settingsRead: known.settingsRead,
        found: [],
        lost: [],
        hardCodedFound: [],
        hardCodedCleared: [],
        ...part,
      },
      where,
    )
  const lost = [...pages(known.edges.keys())]
  const cleared = [...pages(known.hardCoded.keys())]
  if (lost.length <= 1 && cleared.length <= 1)
    return [gone({ lost: lost[0] ?? [], hardCodedCleared: cleared[0] ?? [] })]
  return [
    ...lost.map((page) => gone({ lost: page })),
    ...cleared.map((page) => gone({ hardCodedCleared: page })),
  ]
}
