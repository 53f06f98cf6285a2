import type { EventOf, Vault, VaultItem } from '@attestry/contracts'

/** An asset as the ledger knows it, with when it was seen. */
export interface KnownAsset {
  readonly asset: string
  readonly kind: 'secret' | 'key' | 'certificate' | 'app-secret' | 'app-certificate'
  readonly name: string
  readonly holder: string
  readonly item: VaultItem | null
  readonly startsAt: string | null
  readonly endsAt: string | null
  readonly firstSeen: string
  lostAt: string | null
}

export interface KnownVault {
  readonly facts: Vault | null
  /** Why its contents cannot be read; null: they can. */
  readonly unreachable: string | null
}

/** That a resource uses a credential, with what people said of it. */
export interface KnownEdge {
  readonly edge: string
  readonly resource: string
  readonly via: string
  readonly setting: string
  readonly target: string | null
  readonly targetName: string
  readonly confidence: number
  readonly status: string | null
  readonly reviewed: 'confirmed' | 'rejected' | ''
}

/** What the reports know of the estate, folded from discovery's events. Shared by every report that names assets. */
export class KnownEstate {
  readonly assets = new Map<string, KnownAsset>()
  readonly vaults = new Map<string, KnownVault>()
  readonly applications = new Map<string, { name: string; appId: string; credentials: string[] }>()
  readonly resources = new Map<string, { name: string; type: string; subscription: string }>()
  readonly edges = new Map<string, KnownEdge>()
  /** Settings that hold a credential in plain sight, with their resource. */
  readonly hardCoded = new Map<string, string>()
  readonly #held = new Map<string, Set<string>>()

  /** A name for any subject: asset, vault, application or resource. */
  nameOf(subject: string): { kind: string; name: string; holder: string } {
    const asset = this.assets.get(subject)
    if (asset) return { kind: asset.kind, name: asset.name, holder: this.holderName(asset.holder) }
    const vault = this.vaults.get(subject)
    if (vault)
      return { kind: 'vault', name: vault.facts?.name ?? '', holder: vault.facts?.subscription ?? '' }
    const application = this.applications.get(subject)
    if (application) return { kind: 'application', name: application.name, holder: '' }
    const resource = this.resources.get(subject)
    return { kind: resource?.type ?? '', name: resource?.name ?? '', holder: '' }
  }

  holderName(holder: string): string {
    return this.vaults.get(holder)?.facts?.name ?? this.applications.get(holder)?.name ?? ''
  }

  /** `readable`, or why the vault of an asset cannot be read; empty for what lies in no vault. */
  readable(holder: string): string {
    const vault = this.vaults.get(holder)
    return vault ? (vault.unreachable ?? 'readable') : ''
  }

  /** Assets that a vault or an application holds or held. */
  held(holder: string): readonly string[] {
    return [...(this.#held.get(holder) ?? [])]
  }

  /** Takes an event in. @returns the assets, vaults and edges that it told something of */
  apply(event: EventOf): readonly string[] {
    switch (event.type) {
      case 'discovery.vault-scanned':
        return this.#vaultScanned(event)
      case 'discovery.vault-unreachable':
        return this.#vaultUnreachable(event)
      case 'discovery.apps-scanned':
        return this.#appsScanned(event)
      case 'discovery.resource-scanned':
        return this.#resourceScanned(event)
      case 'discovery.edge-confirmed':
        return this.#review(event.data.edge, 'confirmed')
      case 'discovery.edge-rejected':
        return this.#review(event.data.edge, 'rejected')
      default:
        return []
    }
  }

  #put(asset: KnownAsset): void {
    this.assets.set(asset.asset, asset)
    const held = this.#held.get(asset.holder)
    if (held) held.add(asset.asset)
    else this.#held.set(asset.holder, new Set([asset.asset]))
  }

  #vaultScanned(event: EventOf<'discovery.vault-scanned'>): readonly string[] {
    const { vault, facts, found, changed, lost } = event.data
    const before = this.vaults.get(vault)
    this.vaults.set(vault, { facts: facts ?? before?.facts ?? null, unreachable: null })
    for (const item of [...found, ...changed])
      this.#put({
        asset: item.asset,
        kind: item.kind,
        name: item.name,
        holder: vault,
        item,
        startsAt: item.notBefore,
        endsAt: item.expires,
        firstSeen: this.assets.get(item.asset)?.firstSeen ?? event.at,
        lostAt: null,
      })
    this.#lose(lost, event.at)
    // That it can be read again is told of everything in it.
    const readAgain = before?.unreachable ? this.held(vault) : []
    return [vault, ...found.map((i) => i.asset), ...changed.map((i) => i.asset), ...lost, ...readAgain]
  }

  #vaultUnreachable(event: EventOf<'discovery.vault-unreachable'>): readonly string[] {
    const { vault, facts, why } = event.data
    this.vaults.set(vault, { facts: facts ?? this.vaults.get(vault)?.facts ?? null, unreachable: why })
    const held = this.held(vault)
    if (why === 'gone')
      this.#lose(
        held.filter((id) => this.assets.get(id)?.lostAt === null),
        event.at,
      )
    return [vault, ...held]
  }

  #appsScanned(event: EventOf<'discovery.apps-scanned'>): readonly string[] {
    const touched: string[] = []
    for (const application of [...event.data.found, ...event.data.changed]) {
      const before = this.applications.get(application.asset)?.credentials ?? []
      const now = application.credentials.map((c) => c.asset)
      const gone = before.filter((id) => !now.includes(id))
      this.#lose(gone, event.at)
      touched.push(...gone, ...now)
      this.applications.set(application.asset, {
        name: application.name,
        appId: application.appId,
        credentials: now,
      })
      for (const credential of application.credentials)
        this.#put({
          asset: credential.asset,
          kind: credential.kind === 'secret' ? 'app-secret' : 'app-certificate',
          name: credential.name ?? credential.keyId,
          holder: application.asset,
          item: null,
          startsAt: credential.startsAt,
          endsAt: credential.endsAt,
          firstSeen: this.assets.get(credential.asset)?.firstSeen ?? event.at,
          lostAt: null,
        })
    }
    for (const id of event.data.lost) {
      const gone = this.applications.get(id)?.credentials ?? []
      this.#lose(gone, event.at)
      touched.push(...gone)
    }
    return touched
  }

  #resourceScanned(event: EventOf<'discovery.resource-scanned'>): readonly string[] {
    const { resource, facts, gone, found, lost, hardCodedFound, hardCodedCleared } = event.data
    if (facts)
      this.resources.set(resource, {
        name: facts.name,
        type: facts.type,
        subscription: facts.subscription,
      })
    for (const { edge, via, setting, target, targetName, confidence, status } of found) {
      const reviewed = this.edges.get(edge)?.reviewed ?? ''
      this.edges.set(edge, {
        edge,
        resource,
        via,
        setting,
        target,
        targetName,
        confidence,
        status,
        reviewed,
      })
    }
    for (const { setting } of hardCodedFound) this.hardCoded.set(setting, resource)
    for (const setting of hardCodedCleared) this.hardCoded.delete(setting)
    const ended = gone
      ? [...this.edges.values()].filter((e) => e.resource === resource).map((e) => e.edge)
      : lost
    for (const edge of ended) this.edges.delete(edge)
    if (gone) for (const [setting, of] of this.hardCoded) if (of === resource) this.hardCoded.delete(setting)
    return [...found.map((e) => e.edge), ...ended]
  }

  #review(edge: string, reviewed: 'confirmed' | 'rejected'): readonly string[] {
    const known = this.edges.get(edge)
    if (!known) return []
    this.edges.set(edge, { ...known, reviewed })
    return [edge]
  }

  #lose(assets: readonly string[], at: string): void {
    for (const id of assets) {
      const asset = this.assets.get(id)
      if (asset) asset.lostAt = at
    }
  }
}
