import { createHash } from 'node:crypto'
import {
  type Application,
  type Certificate,
  type Estate,
  type Key,
  type KeyShape,
  type Owner,
  resourceId,
  type Secret,
  type ServicePrincipal,
  type Subscription,
  type Tags,
  type Vault,
  type Version,
} from './estate.ts'
import { roles } from './roles.ts'
import { workloadBuilder } from './workloads.ts'

const daySeconds = 86_400
/** Where all callers appear to come from (RFC 5737, TEST-NET-2). */
const callerAddress = '198.51.100.24'

export interface ItemOptions {
  /** Days from now until expiry, negative when past, null for none; default 200. */
  readonly expiresIn?: number | null
  /** Days since the newest version was made; default 60. */
  readonly age?: number
  readonly disabled?: true
  /** Default: the vault's own tags; null for an untagged item. */
  readonly tags?: Tags | null
  /** Older versions before the newest one. */
  readonly older?: number
  readonly contentType?: string
  /** Of a secret: its newest value. */
  readonly value?: string
}

export interface CredentialOptions {
  readonly name?: string
  readonly startedDaysAgo?: number
  readonly endsIn: number
  /** Of a password: the value, where a vault keeps it too. */
  readonly secret?: string
}

export interface VaultOptions extends Partial<Omit<Vault, 'name' | 'secrets' | 'keys' | 'certificates'>> {
  readonly subscription: string
  readonly resourceGroup: string
}

const rsa = (bits: number): KeyShape => ({ kty: 'RSA', bits })

/**
 * Builds an estate in which every id, version, canary and key follows from its name and the estate's, so that the
 * same call gives the same estate. Dates are counted in days from `nowMs`.
 */
export function estateBuilder(name: string, nowMs: number) {
  const now = Math.floor(nowMs / 1000)
  const hash = (text: string) => createHash('sha256').update(`${name}\u0000${text}`).digest('hex')
  const uuid = (text: string) => {
    const hex = hash(`uuid ${text}`)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  const canary = (text: string) => `canary-${hash(`value ${text}`).slice(0, 32)}`
  const inDays = (days: number) => now + Math.round(days * daySeconds)

  const estate: Estate = {
    name,
    directory: uuid('directory'),
    seededAt: now,
    callerAddress,
    roleDefinitions: Object.values(roles),
    roleAssignments: [],
    servicePrincipals: [],
    applications: [],
    subscriptions: [],
    vaults: [],
    sites: [],
    containerApps: [],
    storageAccounts: [],
    serviceBusNamespaces: [],
    appManagementPolicy: { enabled: false, passwordAddition: true, maxPasswordDays: null, maxKeyDays: null },
    signIns: {},
    aws: [],
    gcp: [],
  }

  function subscription(title: string, groups: readonly string[], location = 'westeurope'): Subscription {
    const made = {
      id: uuid(`subscription ${title}`),
      name: title,
      tags: { 'cost-center': hash(title).slice(0, 4) },
      resourceGroups: groups.map((group) => ({ name: group, location, tags: {} })),
    }
    estate.subscriptions.push(made)
    return made
  }

  function assign(principal: { readonly id: string }, definition: { readonly id: string }, scope: string) {
    estate.roleAssignments.push({
      id: uuid(`assignment ${principal.id} ${definition.id} ${scope}`),
      roleDefinition: definition.id,
      principal: principal.id,
      scope,
    })
  }

  function servicePrincipal(
    title: string,
    kind: ServicePrincipal['kind'],
    graphRoles: readonly string[] = [],
    appId?: string,
  ): ServicePrincipal {
    const made: ServicePrincipal = {
      id: uuid(`principal ${title}`),
      appId: appId ?? uuid(`app id ${title}`),
      name: title,
      kind,
      enabled: true,
      graphRoles: [...graphRoles],
      passwords: [],
      keys: [],
      owners: [],
      createdAt: inDays(-400),
    }
    estate.servicePrincipals.push(made)
    return made
  }

  const user = (person: string): Owner => ({
    id: uuid(`user ${person}`),
    kind: 'user',
    name: person,
    userPrincipalName: `${person.toLowerCase().replace(' ', '.')}@contoso.example`,
  })

  /** An app registration with its service principal. */
  function application(
    title: string,
    options: {
      passwords?: readonly CredentialOptions[]
      certificates?: readonly CredentialOptions[]
      owners?: readonly Owner[]
      federated?: readonly { issuer: string; subject: string }[]
      graphRoles?: readonly string[]
      identifierUris?: readonly string[]
    } = {},
  ): { application: Application; principal: ServicePrincipal } {
    const starts = (credential: CredentialOptions) => inDays(-(credential.startedDaysAgo ?? 90))
    const made: Application = {
      id: uuid(`application ${title}`),
      appId: uuid(`app id ${title}`),
      name: title,
      createdAt: inDays(-500),
      passwords: (options.passwords ?? []).map((credential, index) => ({
        keyId: uuid(`password ${title} ${index}`),
        name: credential.name ?? `${title}-${index + 1}`,
        secret: credential.secret ?? canary(`password ${title} ${index}`),
        startsAt: starts(credential),
        endsAt: inDays(credential.endsIn),
        usableFrom: starts(credential),
      })),
      keys: (options.certificates ?? []).map((credential, index) => ({
        keyId: uuid(`key ${title} ${index}`),
        name: `CN=${title}`,
        thumbprint: hash(`thumbprint ${title} ${index}`).slice(0, 40).toUpperCase(),
        startsAt: starts(credential),
        endsAt: inDays(credential.endsIn),
      })),
      owners: [...(options.owners ?? [])],
      federated: (options.federated ?? []).map((one, index) => ({
        id: uuid(`federated ${title} ${index}`),
        name: `federated-${index + 1}`,
        audience: 'api://AzureADTokenExchange',
        ...one,
      })),
      tags: [],
      ...(options.identifierUris === undefined ? {} : { identifierUris: [...options.identifierUris] }),
    }
    estate.applications.push(made)
    const principal = servicePrincipal(title, 'Application', options.graphRoles, made.appId)
    principal.owners.push(...made.owners)
    return { application: made, principal }
  }

  /** A vault as careful as can be; `options` say where it is not. */
  function vault(title: string, options: VaultOptions) {
    const made: Vault = {
      location: 'westeurope',
      createdAt: inDays(-700),
      tags: { env: 'prod', owner: 'platform' },
      sku: 'premium',
      rbac: true,
      softDelete: true,
      retentionDays: 90,
      purgeProtection: true,
      publicNetworkAccess: 'Enabled',
      network: {
        bypass: 'AzureServices',
        defaultAction: 'Deny',
        ipRules: ['198.51.100.0/24'],
        virtualNetworks: [],
      },
      privateLink: false,
      accessPolicies: [],
      diagnostics: [
        {
          name: 'to-log-analytics',
          workspace: `/subscriptions/${options.subscription}/resourceGroups/rg-observability/providers/Microsoft.OperationalInsights/workspaces/log-central`,
          categories: ['AuditEvent'],
        },
      ],
      ...options,
      name: title,
      secrets: {},
      keys: {},
      certificates: {},
    }
    estate.vaults.push(made)

    const version = (
      kind: string,
      item: string,
      index: number,
      { age = 60, expiresIn = 200, ...rest }: ItemOptions,
    ): Version => {
      const created = inDays(-age - index * 90)
      return {
        version: hash(`${kind} ${title} ${item} ${index}`).slice(0, 32),
        enabled: rest.disabled !== true,
        created,
        updated: created,
        expires: expiresIn === null ? null : inDays(expiresIn - index * 90),
        notBefore: null,
        tags: rest.tags === undefined ? made.tags : rest.tags,
      }
    }
    /** Oldest first; index 0 is the newest. */
    const versions = <T>(options: ItemOptions, one: (index: number) => T): T[] =>
      Array.from({ length: (options.older ?? 0) + 1 }, (_, index) => one(index)).toReversed()

    return {
      vault: made,
      secret(item: string, options: ItemOptions = {}): Secret {
        const secret: Secret = {
          name: item,
          deleted: null,
          versions: versions(options, (index) => ({
            ...version('secret', item, index, options),
            value: (index === 0 ? options.value : undefined) ?? canary(`secret ${title} ${item} ${index}`),
            contentType: options.contentType ?? null,
          })),
        }
        made.secrets[item.toLowerCase()] = secret
        return secret
      },
      key(item: string, shape: KeyShape, options: ItemOptions & { rotates?: true } = {}): Key {
        const key: Key = {
          name: item,
          deleted: null,
          rotation:
            options.rotates === true
              ? {
                  lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: 'Rotate' }],
                  expiryTime: 'P1Y',
                  created: inDays(-60),
                  updated: inDays(-60),
                }
              : null,
          versions: versions(options, (index) => ({
            ...version('key', item, index, options),
            shape,
            seed: hash(`key ${title} ${item} ${index}`),
            operations:
              'curve' in shape ? ['sign', 'verify'] : ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
          })),
        }
        made.keys[item.toLowerCase()] = key
        return key
      },
      certificate(
        item: string,
        options: ItemOptions & {
          shape?: KeyShape
          issuer?: string
          dnsNames?: readonly string[]
          action?: 'AutoRenew' | 'EmailContacts'
        } = {},
      ): Certificate {
        const shape = options.shape ?? rsa(2048)
        const dnsNames = options.dnsNames ?? [`${item}.contoso.example`]
        const certificate: Certificate = {
          name: item,
          deleted: null,
          pending: null,
          policy: {
            subject: `CN=${dnsNames[0] ?? item}`,
            dnsNames: [...dnsNames],
            issuer: options.issuer ?? 'DigiCert',
            validityMonths: 12,
            exportable: true,
            reuseKey: false,
            contentType: 'application/x-pkcs12',
            shape,
            lifetimeAction: { daysBeforeExpiry: 30, action: options.action ?? 'AutoRenew' },
            created: inDays(-400),
            updated: inDays(-400),
          },
          versions: versions(options, (index) => {
            const made = version('certificate', item, index, options)
            return {
              ...made,
              notBefore: made.created,
              shape,
              seed: hash(`certificate ${title} ${item} ${index}`),
              serial: `1${hash(`serial ${title} ${item} ${index}`).slice(0, 31)}`,
              value: canary(`certificate ${title} ${item} ${index}`),
            }
          }),
        }
        made.certificates[item.toLowerCase()] = certificate
        return certificate
      },
    }
  }

  /** What the product's scanner is granted: reading everything, values of nothing. */
  function scanner(): ServicePrincipal {
    const identity = servicePrincipal('attestry', 'ManagedIdentity', ['Application.Read.All'])
    for (const { id } of estate.subscriptions) {
      assign(identity, roles.reader, `/subscriptions/${id}`)
      assign(identity, roles.settingsReader, `/subscriptions/${id}`)
    }
    return identity
  }
  /** Metadata of the vaults in a resource group, through roles or through access policies. */
  function mayScan(identity: ServicePrincipal, subscriptionId: string, group: string) {
    assign(identity, roles.vaultReader, `/subscriptions/${subscriptionId}/resourceGroups/${group}`)
    for (const one of estate.vaults)
      if (one.subscription === subscriptionId && one.resourceGroup === group && one.rbac !== true)
        one.accessPolicies.push({
          principal: identity.id,
          secrets: ['list'],
          keys: ['list', 'get'],
          certificates: ['list', 'get'],
        })
  }

  return {
    estate,
    subscription,
    assign,
    application,
    servicePrincipal,
    user,
    vault,
    ...workloadBuilder({ estate, now, servicePrincipal, assign, canary }),
    canary,
    scanner,
    mayScan,
    resourceId,
  }
}

export type EstateBuilder = ReturnType<typeof estateBuilder>
