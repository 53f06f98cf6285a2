import {
  type ContainerApp,
  type Estate,
  type ServiceBusNamespace,
  type ServicePrincipal,
  type Setting,
  type Site,
  type StorageAccount,
  type Tags,
  type Vault,
  vaultHost,
  vaultId,
} from './estate.ts'
import { refetchContainerApp, refetchSite } from './fetched.ts'
import { roles } from './roles.ts'

interface Place {
  readonly subscription: string
  readonly resourceGroup: string
  readonly tags?: Tags
}

/** What a container app's secret is made from: a vault's secret, or the value itself. */
type Source = { vault: Vault; secret: string } | string

/** Builds what runs on the platform and what it talks to with keys of its own. */
export function workloadBuilder({
  estate,
  now,
  servicePrincipal,
  assign,
  canary,
}: {
  readonly estate: Estate
  readonly now: number
  readonly servicePrincipal: (title: string, kind: ServicePrincipal['kind']) => ServicePrincipal
  readonly assign: (
    principal: { readonly id: string },
    definition: { readonly id: string },
    scope: string,
  ) => void
  readonly canary: (text: string) => string
}) {
  const placed = (at: Place) => ({
    subscription: at.subscription,
    resourceGroup: at.resourceGroup,
    location: 'westeurope',
    tags: at.tags ?? { env: 'prod' },
  })
  /** What a workload reads, its identity may read. */
  function allow(identity: ServicePrincipal, vaults: Iterable<Vault>) {
    for (const one of new Set(vaults))
      if (one.rbac === true) assign(identity, roles.secretsUser, vaultId(one))
      else one.accessPolicies.push({ principal: identity.id, secrets: ['get'], keys: [], certificates: [] })
  }
  const vaultsIn = (texts: Iterable<string>): Vault[] => {
    const all = [...texts].join('\n')
    return estate.vaults.filter(
      (one) => all.includes(`${vaultHost(one)}/`) || all.includes(`VaultName=${one.name};`),
    )
  }

  return {
    /** A `@Microsoft.KeyVault(…)` reference; half of the fleet writes it one way, half the other. */
    reference: (to: Vault, item: string, form: 'uri' | 'names' = 'uri'): string =>
      form === 'uri'
        ? `@Microsoft.KeyVault(SecretUri=https://${vaultHost(to)}/secrets/${item})`
        : `@Microsoft.KeyVault(VaultName=${to.name};SecretName=${item})`,

    site(title: string, kind: 'app' | 'functionapp', at: Place, settings: Record<string, string>): Site {
      const identity = servicePrincipal(title, 'ManagedIdentity')
      const list: Setting[] = Object.entries(settings).map(([setting, value]) => ({ name: setting, value }))
      const made: Site = {
        name: title,
        kind: `${kind},linux`,
        ...placed(at),
        identity: identity.id,
        settings: list,
        revision: 1,
        fetched: {},
      }
      estate.sites.push(made)
      allow(identity, vaultsIn(Object.values(settings).filter((value) => value.startsWith('@'))))
      refetchSite(estate, made, now)
      return made
    },

    containerApp(
      title: string,
      at: Place,
      secrets: Record<string, Source>,
      env: Record<string, string> = {},
    ): ContainerApp {
      const identity = servicePrincipal(title, 'ManagedIdentity')
      const list = Object.entries(secrets).map(([secret, source]) =>
        typeof source === 'string'
          ? { name: secret, value: source }
          : { name: secret, keyVaultUrl: `https://${vaultHost(source.vault)}/secrets/${source.secret}` },
      )
      const made: ContainerApp = {
        name: title,
        ...placed(at),
        identity: identity.id,
        secrets: list,
        env: [
          ...list.map((secret) => ({
            name: secret.name.toUpperCase().replaceAll('-', '_'),
            secretRef: secret.name,
          })),
          ...Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
        ],
        fetched: {},
        mode: 'Single',
        revisions: [],
      }
      estate.containerApps.push(made)
      allow(
        identity,
        Object.values(secrets).flatMap((source) => (typeof source === 'string' ? [] : [source.vault])),
      )
      refetchContainerApp(estate, made, now)
      made.revisions.push({
        name: `${title}--0000001`,
        createdAt: now,
        readyAt: now * 1000,
        active: true,
        healthy: true,
        weight: 100,
        holds: Object.fromEntries(
          Object.entries(made.fetched).map(([secret, { version }]) => [secret, version]),
        ),
      })
      return made
    },

    /** A storage account with its two keys; `key1` may be a value that a vault keeps already. */
    storageAccount(title: string, at: Place, key1 = canary(`storage ${title} key1`)): StorageAccount {
      const made: StorageAccount = {
        name: title,
        ...placed(at),
        sharedKey: true,
        keys: [
          { name: 'key1', value: key1, created: now - 60 * 86_400 },
          { name: 'key2', value: canary(`storage ${title} key2`), created: now - 60 * 86_400 },
        ],
      }
      estate.storageAccounts.push(made)
      return made
    },

    /** A namespace with one rule that sends and listens, beside the root rule. */
    serviceBusNamespace(title: string, at: Place, rule: string, primaryKey?: string): ServiceBusNamespace {
      const made: ServiceBusNamespace = {
        name: title,
        ...placed(at),
        localAuth: true,
        rules: [
          {
            name: 'RootManageSharedAccessKey',
            rights: ['Listen', 'Send', 'Manage'],
            primaryKey: canary(`bus ${title} root primary`),
            secondaryKey: canary(`bus ${title} root secondary`),
          },
          {
            name: rule,
            rights: ['Listen', 'Send'],
            primaryKey: primaryKey ?? canary(`bus ${title} ${rule} primary`),
            secondaryKey: canary(`bus ${title} ${rule} secondary`),
          },
        ],
      }
      estate.serviceBusNamespaces.push(made)
      return made
    },
  }
}
