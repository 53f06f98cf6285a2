import type { Caller } from '../entra/tokens.ts'
import {
  type AccessPolicy,
  type Estate,
  type Item,
  type Vault,
  type Version,
  vaultHost,
  vaultId,
} from '../estate/estate.ts'
import { mayDo } from '../estate/roles.ts'
import { type Call, type Cloud, json, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { type LimitName, subscriptionFactor } from '../throttle.ts'

/** Versions of the data plane that the twin speaks: their shapes agree in all that it implements. */
const dataPlaneVersions = [
  '7.0',
  '7.1',
  '7.2',
  '7.3',
  '7.4',
  '7.5',
  '7.6-preview.2',
  '7.6',
  '2025-07-01',
  '2026-04-01',
]

const resource = 'https://vault.azure.net'

const throttledRefusal = (retryAfterSeconds: number | undefined) =>
  new Refusal(
    429,
    'Throttled',
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(retryAfterSeconds) } },
  )

/** @see https://learn.microsoft.com/azure/key-vault/general/rest-error-codes */
export const keyVaultPlane: Plane = {
  name: 'keyvault',
  render: (refusal) =>
    json(
      {
        error: {
          code: refusal.code,
          message: refusal.message,
          ...(refusal.inner === undefined ? {} : { innererror: { code: refusal.inner } }),
        },
      },
      refusal.status,
      refusal.headers,
    ),
  throttled: throttledRefusal,
}

export type Collection = 'secrets' | 'keys' | 'certificates'

/** What an operation needs: the data action for RBAC vaults, the permission for access-policy vaults. */
export interface Need {
  /** After `Microsoft.KeyVault/vaults/`, such as `secrets/readMetadata/action`. */
  readonly action: string
  readonly permission: string
  readonly collection: Collection
  readonly bucket?: LimitName
}

const describe = (caller: Caller, directory: string) =>
  `appid=${caller.appId};oid=${caller.objectId};iss=https://sts.windows.net/${directory}/`

const toBits = (address: string) =>
  address.split('.').reduce((bits, part) => ((bits << 8) | Number(part)) >>> 0, 0)

/** Whether an IPv4 address lies in a CIDR range or equals a single address. */
export function inRange(address: string, range: string): boolean {
  const [network = '', length = '32'] = range.split('/')
  const shift = 32 - Number(length)
  return shift >= 32 || toBits(address) >>> shift === toBits(network) >>> shift
}

/** Which wall, if any, stands between the caller's address and the vault. */
function wall(vault: Vault, address: string): 'ForbiddenByConnection' | 'ForbiddenByFirewall' | undefined {
  if (vault.privateLink) return undefined
  if (vault.publicNetworkAccess === 'Disabled') return 'ForbiddenByConnection'
  if (vault.network === null || vault.network.defaultAction === 'Allow') return undefined
  return vault.network.ipRules.some((range) => inRange(address, range)) ? undefined : 'ForbiddenByFirewall'
}

function checkWall(estate: Estate, vault: Vault, caller: Caller) {
  const standing = wall(vault, estate.callerAddress)
  if (standing === undefined) return
  const who = `\r\nCaller: ${describe(caller, estate.directory)}\r\nVault: ${vault.name};location=${vault.location}`
  throw new Refusal(
    403,
    'Forbidden',
    standing === 'ForbiddenByConnection'
      ? `Public network access is disabled and request is not from a trusted service nor via an approved private link.${who}`
      : `Client address is not authorized and caller is not a trusted service.\r\nClient address: ${estate.callerAddress}${who}`,
    { inner: standing },
  )
}

const policyGrants = (policy: AccessPolicy, need: Need) =>
  [need.permission, 'all'].some((permission) => policy[need.collection].includes(permission))

function checkRight(estate: Estate, vault: Vault, caller: Caller, need: Need, item: string | undefined) {
  if (vault.rbac === true) {
    const scope = item === undefined ? vaultId(vault) : `${vaultId(vault)}/${need.collection}/${item}`
    const action = `Microsoft.KeyVault/vaults/${need.action}`
    if (mayDo(estate, caller.objectId, action, scope, { data: true })) return
    throw new Refusal(
      403,
      'Forbidden',
      `Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: ${describe(caller, estate.directory)}\r\nAction: '${action}'\r\nResource: '${scope.toLowerCase()}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: ${vault.name};location=${vault.location}\r\n`,
      { inner: 'ForbiddenByRbac' },
    )
  }
  if (
    vault.accessPolicies.some((policy) => policy.principal === caller.objectId && policyGrants(policy, need))
  )
    return
  throw new Refusal(
    403,
    'Forbidden',
    `The user, group or application '${describe(caller, estate.directory)}' does not have ${need.collection} ${need.permission} permission on key vault '${vault.name};location=${vault.location}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`,
    { inner: 'AccessDenied' },
  )
}

function unauthorized(cloud: Cloud, message: string): Refusal {
  return new Refusal(401, 'Unauthorized', message, {
    headers: {
      'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${cloud.estate.directory}", resource="${resource}"`,
    },
  })
}

const tokenMessages = {
  missing: 'AKV10000: Request is missing a Bearer or PoP token.',
  malformed:
    'AKV10001: Error validating token: IDX12741: JWT must have three segments (JWS) or five segments (JWE).',
  signature: 'AKV10046: Unable to resolve the key used for signature validation.',
  audience: 'AKV10022: Invalid audience. Expected https://vault.azure.net.',
  expired: 'AKV10001: Error validating token: IDX10223: Lifetime validation failed. The token is expired.',
} as const

const byHost = new WeakMap<Vault[], Map<string, Vault>>()

/** The vault behind a host name; the index is made again when the number of vaults changed. */
export function findVault(vaults: Vault[], host: string): Vault | undefined {
  let index = byHost.get(vaults)
  if (index === undefined || index.size !== vaults.length) {
    index = new Map(vaults.map((vault) => [vaultHost(vault), vault]))
    byHost.set(vaults, index)
  }
  return index.get(host)
}

/** The vault that a call is meant for; `cloud.ts` hangs up on names that no vault has. */
export function vaultOf(cloud: Cloud, host: string): Vault {
  const vault = findVault(cloud.estate.vaults, host)
  if (vault === undefined) throw new Refusal(404, 'VaultNotFound', `No vault answers at ${host}.`)
  return vault
}

/**
 * Lets a call into a vault or refuses it, in the order of the service: version, token, network, throttle, rights.
 * @param item the named secret, key or certificate, because a role may be assigned on it alone
 */
export async function enter(
  cloud: Cloud,
  vault: Vault,
  call: Call,
  need: Need,
  item?: string,
): Promise<Caller> {
  const version = call.url.searchParams.get('api-version')
  if (version === null) throw new Refusal(400, 'BadParameter', 'api-version must be specified')
  if (!dataPlaneVersions.includes(version))
    throw new Refusal(
      400,
      'BadParameter',
      `The specified version (${version}) is not recognized. Consider using the latest supported version (${dataPlaneVersions.at(-1)}).`,
    )
  const caller = await cloud.tokens.check(call.context.req.header('authorization'), [resource])
  if (typeof caller === 'string') throw unauthorized(cloud, tokenMessages[caller])
  if (call.tokenExpired) throw unauthorized(cloud, tokenMessages.expired)
  checkWall(cloud.estate, vault, caller)
  for (const wait of [
    cloud.throttle.take(need.bucket ?? 'keyvault.operation', vault.name),
    cloud.throttle.take('keyvault.operation', `${vault.subscription} ${vault.location}`, {
      factor: subscriptionFactor,
    }),
  ])
    if (wait !== undefined) throw throttledRefusal(cloud.settings.keyVaultRetryAfter ? wait : undefined)
  checkRight(cloud.estate, vault, caller, need, item)
  return caller
}

/** Key Vault's page is 25 items, whatever is asked for above it is refused. */
const pageSize = 25

/**
 * One page of a list in the order of names, with an absolute next link on the vault's own host. The skip token is
 * opaque: it holds the last name given out, so changes between two pages neither repeat nor skip an item.
 */
export function page<T>(
  call: Call,
  sorted: readonly T[],
  keyOf: (entry: T) => string,
  render: (entry: T) => unknown,
): Response {
  const asked = call.url.searchParams.get('maxresults')
  const size = asked === null ? pageSize : Number(asked)
  if (!Number.isInteger(size) || size < 1 || size > pageSize)
    throw new Refusal(400, 'BadParameter', `maxresults must be between 1 and ${pageSize}.`)
  const token = call.url.searchParams.get('$skiptoken')
  const after = token === null ? undefined : Buffer.from(token, 'base64url').toString('utf8')
  if (after !== undefined && !after.startsWith('v1!'))
    throw new Refusal(400, 'BadParameter', 'The skip token is not valid.')
  const from = after === undefined ? 0 : sorted.findIndex((entry) => keyOf(entry) > after.slice(3))
  const slice = from === -1 ? [] : sorted.slice(from, from + size)
  const last = slice.at(-1)
  const more = last !== undefined && from + size < sorted.length
  const next = new URL(`https://${call.host}${call.url.pathname}`)
  if (more) {
    next.searchParams.set('api-version', call.url.searchParams.get('api-version') ?? '')
    next.searchParams.set('$skiptoken', Buffer.from(`v1!${keyOf(last)}`).toString('base64url'))
    if (asked !== null) next.searchParams.set('maxresults', asked)
  }
  return json({ value: slice.map(render), nextLink: more ? next.href : null })
}

export const listQuery = ['api-version', 'maxresults', '$skiptoken']

export const byName = <T extends { readonly name: string }>(items: Iterable<T>): T[] =>
  [...items].sort((a, b) => (a.name < b.name ? -1 : 1))

export const softDeletes = (vault: Vault): boolean => vault.softDelete !== false

/** Attributes as they stand on every item and version. */
export function attributes(vault: Vault, version: Version): Record<string, unknown> {
  return {
    enabled: version.enabled,
    ...(version.notBefore === null ? {} : { nbf: version.notBefore }),
    ...(version.expires === null ? {} : { exp: version.expires }),
    created: version.created,
    updated: version.updated,
    recoveryLevel: !softDeletes(vault)
      ? 'Purgeable'
      : vault.purgeProtection === true
        ? 'Recoverable'
        : 'Recoverable+Purgeable',
    ...(softDeletes(vault) ? { recoverableDays: vault.retentionDays } : {}),
  }
}

export const tagsOf = (version: Version): { tags?: Record<string, string> } =>
  version.tags === null ? {} : { tags: version.tags }

/** Name from the path; what cannot be a name is refused before it is looked up. */
export function nameOf(call: Call): string {
  const name = call.context.req.param('name') ?? ''
  if (!/^[0-9a-zA-Z-]{1,127}$/.test(name))
    throw new Refusal(400, 'BadParameter', `The request URI contains an invalid name: ${name}`)
  return name
}

export const newest = <V extends Version>(item: Item<V>): V => {
  const version = item.versions.at(-1)
  if (version === undefined) throw new Error(`${item.name} has no version`)
  return version
}

const kinds: Record<Collection, { readonly article: string; readonly code: string }> = {
  secrets: { article: 'A secret', code: 'SecretNotFound' },
  keys: { article: 'A key', code: 'KeyNotFound' },
  certificates: { article: 'A certificate', code: 'CertificateNotFound' },
}

export const notFound = (collection: Collection, name: string): Refusal =>
  new Refusal(
    404,
    kinds[collection].code,
    `${kinds[collection].article} with (name/id) ${name} was not found in this key vault. If you recently deleted this ${collection.slice(0, -1)} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  )

/** The live item, or NotFound. */
export function live<T extends Item<Version>>(
  items: Record<string, T>,
  collection: Collection,
  name: string,
): T {
  const item = items[name.toLowerCase()]
  if (item === undefined || item.deleted !== null) throw notFound(collection, name)
  return item
}

/** The version named in the path, the newest when none is named. */
export function versionOf<V extends Version>(item: Item<V>, collection: Collection, call: Call): V {
  const named = call.context.req.param('version') ?? ''
  if (named === '') return newest(item)
  const version = item.versions.find((candidate) => candidate.version === named)
  if (version === undefined) throw notFound(collection, `${item.name}/${named}`)
  return version
}

/** A name that soft delete still holds cannot be used again. */
export function refuseDeletedName(item: Item<Version> | undefined, collection: Collection, name: string) {
  if (item?.deleted != null)
    throw new Refusal(
      409,
      'Conflict',
      `${kinds[collection].article.slice(2)} ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${collection.slice(0, -1)} can only be recovered or purged.`,
      { inner: 'ObjectIsDeletedButRecoverable' },
    )
}

/** `attributes` and `tags` of a request, with what is absent left alone. */
export function applyAttributes(version: Version, body: Record<string, unknown>, now: number) {
  const given = (
    typeof body.attributes === 'object' && body.attributes !== null ? body.attributes : {}
  ) as Record<string, unknown> // narrowed on this line
  if (typeof given.enabled === 'boolean') version.enabled = given.enabled
  if (typeof given.exp === 'number') version.expires = given.exp
  if (typeof given.nbf === 'number') version.notBefore = given.nbf
  if (version.notBefore !== null && version.expires !== null && version.notBefore >= version.expires)
    throw new Refusal(400, 'BadParameter', 'The expiry must be later than the activation date.')
  const tags = tagsIn(body)
  if (tags !== undefined) version.tags = tags
  version.updated = now
}

export function tagsIn(body: Record<string, unknown>): Record<string, string> | undefined {
  if (body.tags === undefined || body.tags === null) return undefined
  const entries = typeof body.tags === 'object' ? Object.entries(body.tags) : []
  if (
    entries.length > 15 ||
    entries.some(([key, value]) => typeof value !== 'string' || key.length > 256 || value.length > 256)
  )
    throw new Refusal(400, 'BadParameter', 'Tags must be at most 15 strings of at most 256 characters.')
  return Object.fromEntries(entries)
}
