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
  lastChanged: string
  lostAt: string | null
}

/** What the reports know of the estate, folded from discovery's events. Shared by every report that names assets. */
export class KnownEstate {
  readonly assets = new Map<string, KnownAsset>()
  readonly vaults = new Map<string, { facts: Vault | null; unreachable: string | null; lastSeen: string }>()
  readonly applications = new Map<string, { name: string; appId: string; credentials: string[] }>()
  readonly resources = new Map<string, { name: string; type: string }>()
  scans = 0
  lastScanAt: string | null = null

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

  apply(event: EventOf): void {
    switch (event.type) {
      case 'discovery.scan-completed':
        this.scans++
        this.lastScanAt = event.at
        return
      case 'discovery.vault-scanned':
        return this.#vaultScanned(event)
      case 'discovery.vault-unreachable': {
        const { vault, facts, why } = event.data
        this.vaults.set(vault, {
          facts: facts ?? this.vaults.get(vault)?.facts ?? null,
          unreachable: why,
          lastSeen: event.at,
        })
        if (why === 'gone')
          for (const asset of this.assets.values()) if (asset.holder === vault) asset.lostAt ??= event.at
        return
      }
      case 'discovery.apps-scanned':
        return this.#appsScanned(event)
      case 'discovery.resource-scanned': {
        const { resource, facts } = event.data
        if (facts) this.resources.set(resource, { name: facts.name, type: facts.type })
        return
      }
      default:
    }
  }

  #vaultScanned(event: EventOf<'discovery.vault-scanned'>): void {
    const { vault, facts, found, changed, lost } = event.data
    this.vaults.set(vault, {
      facts: facts ?? this.vaults.get(vault)?.facts ?? null,
      unreachable: null,
      lastSeen: event.at,
    })
    for (const item of [...found, ...changed]) {
      const known = this.assets.get(item.asset)
      this.assets.set(item.asset, {
        asset: item.asset,
        kind: item.kind,
        name: item.name,
        holder: vault,
        item,
        startsAt: item.notBefore,
        endsAt: item.expires,
        firstSeen: known?.firstSeen ?? event.at,
        lastChanged: event.at,
        lostAt: null,
      })
    }
    this.#lose(lost, event.at)
  }

  #appsScanned(event: EventOf<'discovery.apps-scanned'>): void {
    for (const application of [...event.data.found, ...event.data.changed]) {
      const before = this.applications.get(application.asset)?.credentials ?? []
      const now = application.credentials.map((c) => c.asset)
      this.#lose(
        before.filter((id) => !now.includes(id)),
        event.at,
      )
      this.applications.set(application.asset, {
        name: application.name,
        appId: application.appId,
        credentials: now,
      })
      for (const credential of application.credentials) {
        const known = this.assets.get(credential.asset)
        this.assets.set(credential.asset, {
          asset: credential.asset,
          kind: credential.kind === 'secret' ? 'app-secret' : 'app-certificate',
          name: credential.name ?? credential.keyId,
          holder: application.asset,
          item: null,
          startsAt: credential.startsAt,
          endsAt: credential.endsAt,
          firstSeen: known?.firstSeen ?? event.at,
          lastChanged: event.at,
          lostAt: null,
        })
      }
    }
    for (const id of event.data.lost) this.#lose(this.applications.get(id)?.credentials ?? [], event.at)
  }

  #lose(assets: readonly string[], at: string): void {
    for (const id of assets) {
      const asset = this.assets.get(id)
      if (asset) {
        asset.lostAt = at
        asset.lastChanged = at
      }
    }
  }
}
