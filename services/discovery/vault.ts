import type { ItemKind, Unreachable, VaultItem } from '@attestry/contracts'
import { Denied, messageOf, Transient } from '@attestry/kit'
import { type AzureAccess, azureFailure, httpStatusOf, isAbort } from '@attestry/kit/azure'
import { CertificateClient, type CertificateProperties } from '@azure/keyvault-certificates'
import { KeyClient, type KeyProperties } from '@azure/keyvault-keys'
import { SecretClient, type SecretProperties } from '@azure/keyvault-secrets'
import { itemId, type ListedVault, type Opaque, pairsOf, whyOf } from './cloud.ts'
import type { SeenVault } from './difference.ts'
import { type InFlight, inFlight } from './in-flight.ts'
import type { KnownVault } from './inventory.ts'

/*
 * What a vault holds: metadata by listing, and one look at each key and certificate for what a listing leaves out
 * (type, size, curve, issuer). The value of a secret is never asked for: no call of this file can return one.
 */

interface Clients {
  readonly secrets: SecretClient
  readonly keys: KeyClient
  readonly certificates: CertificateClient
}

/** Each new client costs one anonymous request, so they are kept; the oldest go first. */
const KEPT_VAULTS = 2000

/** Requests at once to one vault: it takes 400 a second, and a large one must not hold up all others. */
const CALLS_A_VAULT = 16

/** A listing's page that is not what the API promises. */
class Malformed extends Error {
  override readonly name = 'Malformed'
}

/** The last instant that an ISO text of four digits a year can say; Azure takes later ones. */
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59)

const instant = (date: Date | undefined): string | null => {
  if (date === undefined) return null
  const ms = date.getTime()
  if (Number.isNaN(ms)) throw new Malformed('a date that is none')
  return ms > LAST ? new Date(LAST).toISOString() : date.toISOString()
}

type Listed = SecretProperties | KeyProperties | CertificateProperties

const nameOf = ({ name }: { readonly name?: string }): string => {
  if (typeof name !== 'string' || name === '') throw new Malformed('an item without a name')
  return name
}

/** What all three kinds have in common. */
const basicsOf = (kind: ItemKind, vault: string, listed: Listed, opaque: Opaque): VaultItem => {
  const name = nameOf(listed)
  if (typeof listed.enabled !== 'boolean')
    throw new Malformed('an item that does not say whether it is enabled')
  return {
    asset: itemId(opaque, vault, kind, name),
    kind,
    name,
    enabled: listed.enabled,
    created: instant(listed.createdOn),
    updated: instant(listed.updatedOn),
    notBefore: instant(listed.notBefore),
    expires: instant(listed.expiresOn),
    managed: 'managed' in listed && (listed.managed ?? false),
    contentType: 'contentType' in listed ? (listed.contentType ?? null) : null,
    tags: pairsOf(listed.tags),
    algorithm: null,
    bits: null,
    curve: null,
    thumbprint:
      'x509ThumbprintString' in listed ? (listed.x509ThumbprintString?.toLowerCase() ?? null) : null,
    issuer: null,
  }
}

type Details = Pick<VaultItem, 'algorithm' | 'bits' | 'curve' | 'issuer'>

/** Bits of an RSA modulus as it is sent: big-endian, perhaps with leading zero bytes. */
const bitsOf = (modulus: Uint8Array | undefined): number | null => {
  if (!modulus) return null
  const first = modulus.findIndex((byte) => byte !== 0)
  return first < 0 ? null : (modulus.length - first) * 8 - (Math.clz32(modulus[first] ?? 0) - 24)
}

/**
 * Reads vaults with the real SDKs. `slots` bounds the requests in flight over all vaults. Who began first goes first,
 * so vaults end one after the other and what they hold is compared and recorded while others are asked; in the order
 * of arrival all would end at the same moment, and nothing would be asked meanwhile.
 */
export function vaultReader(access: AzureAccess, slots: InFlight, opaque: Opaque) {
  const kept = new Map<string, Clients>()
  let turns = 0
  const clientsOf = (uri: string): Clients => {
    const found = kept.get(uri)
    if (found) {
      kept.delete(uri)
      kept.set(uri, found)
      return found
    }
    const { credential, clientOptions } = access
    const made = {
      secrets: new SecretClient(uri, credential, clientOptions()),
      keys: new KeyClient(uri, credential, clientOptions()),
      certificates: new CertificateClient(uri, credential, clientOptions()),
    }
    kept.set(uri, made)
    const [oldest] = kept.keys()
    if (kept.size > KEPT_VAULTS && oldest !== undefined) kept.delete(oldest)
    return made
  }

  /** All pages of a listing, each through a slot. */
  async function listed<T>(own: InFlight, pages: AsyncIterator<T[]>, signal: AbortSignal): Promise<T[]> {
    const all: T[] = []
    // Ends with the listing: 25 an answer, so a million items are 40,000 turns.
    for (let turn = 0; turn < 40_000; turn++) {
      // The SDK hands the signal on to the first page only.
      signal.throwIfAborted()
      const page = await own(() => pages.next())
      if (page.done) return all
      all.push(...page.value)
    }
    throw new Malformed('a listing that does not end')
  }

  /** Details of one item; null when it vanished since it was listed. */
  async function detailsOf(own: InFlight, get: () => Promise<Details>): Promise<Details | null> {
    try {
      return await own(get)
    } catch (thrown) {
      const failure = azureFailure(thrown)
      if (failure instanceof Denied && httpStatusOf(failure) === 404) return null
      // Listing is allowed and looking is not: the item stays, and what we cannot see of it is unknown.
      if (failure instanceof Denied && httpStatusOf(failure) === 403)
        return { algorithm: null, bits: null, curve: null, issuer: null }
      throw failure
    }
  }

  /** Adds details where the item is new, moved, or was not fully seen before. */
  async function detailed(
    own: InFlight,
    items: readonly VaultItem[],
    known: KnownVault,
    get: (name: string) => Promise<Details>,
  ): Promise<VaultItem[]> {
    const all = await Promise.all(
      items.map(async (item): Promise<VaultItem | null> => {
        if (item.managed) return item
        const before = known.items.get(item.asset)
        if (before && before.algorithm !== null && before.updated === item.updated) {
          const { algorithm, bits, curve, issuer } = before
          return { ...item, algorithm, bits, curve, issuer }
        }
        const details = await detailsOf(own, () => get(item.name))
        return details && { ...item, ...details }
      }),
    )
    return all.filter((item) => item !== null)
  }

  return async function readVault(
    { vault, facts }: ListedVault,
    known: KnownVault,
    abortSignal: AbortSignal,
  ): Promise<SeenVault & { why: string | null }> {
    const clients = clientsOf(facts.uri)
    const turn = ++turns
    const few = inFlight(CALLS_A_VAULT)
    const own: InFlight = (work) => few(() => slots(work, turn))
    const readers: Record<ItemKind, () => Promise<VaultItem[]>> = {
      secret: async () =>
        (
          await listed(own, clients.secrets.listPropertiesOfSecrets({ abortSignal }).byPage(), abortSignal)
        ).map((s) => basicsOf('secret', vault, s, opaque)),
      key: async () =>
        detailed(
          own,
          (await listed(own, clients.keys.listPropertiesOfKeys({ abortSignal }).byPage(), abortSignal)).map(
            (k) => basicsOf('key', vault, k, opaque),
          ),
          known,
          async (name) => {
            const { key, keyType } = await clients.keys.getKey(name, { abortSignal })
            return {
              algorithm: keyType ?? null,
              bits: bitsOf(key?.n),
              curve: key?.crv ?? null,
              issuer: null,
            }
          },
        ),
      certificate: async () =>
        detailed(
          own,
          (
            await listed(
              own,
              clients.certificates.listPropertiesOfCertificates({ abortSignal }).byPage(),
              abortSignal,
            )
          ).map((c) => basicsOf('certificate', vault, c, opaque)),
          known,
          async (name) => {
            const { policy } = await clients.certificates.getCertificate(name, { abortSignal })
            return {
              algorithm: policy?.keyType ?? null,
              bits: policy?.keyCurveName ? null : (policy?.keySize ?? null),
              curve: policy?.keyCurveName ?? null,
              issuer: policy?.issuerName ?? null,
            }
          },
        ),
    }
    const kinds = ['secret', 'key', 'certificate'] as const
    const outcomes = await Promise.allSettled(kinds.map((kind) => readers[kind]()))
    const items: VaultItem[] = []
    const unread = new Set<ItemKind>()
    let unreachable: Exclude<Unreachable, 'gone'> | null = null
    let why: string | null = null
    for (const [index, kind] of kinds.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status === 'fulfilled') {
        items.push(...outcome.value)
        continue
      }
      const failure = outcome?.reason instanceof Malformed ? outcome.reason : azureFailure(outcome?.reason)
      if (isAbort(failure) || abortSignal.aborted) throw failure
      unread.add(kind)
      why = `${kind}s: ${messageOf(failure)}`
      unreachable = whyUnread(failure)
    }
    return { vault, facts, items: backed(items, known), unread, unreachable, why }
  }
}

/** What a failure says of a vault: refused for its address or its rights, throttled, or broken in any other way. */
function whyUnread(failure: Error): Exclude<Unreachable, 'gone'> {
  const status = httpStatusOf(failure)
  if (failure instanceof Denied && (status === null || status === 401 || status === 403))
    return whyOf(failure.code)
  return failure instanceof Transient && status === 429 ? 'throttled' : 'failed'
}

/** A certificate's key half says what its certificate says: looking at it would be a call for nothing. */
function backed(items: readonly VaultItem[], known: KnownVault): VaultItem[] {
  const certificates = new Map<string, VaultItem>()
  for (const item of [...known.items.values(), ...items])
    if (item.kind === 'certificate') certificates.set(item.name.toLowerCase(), item)
  return items.map((item) => {
    const certificate =
      item.kind === 'key' && item.managed ? certificates.get(item.name.toLowerCase()) : undefined
    if (!certificate) return item
    const { algorithm, bits, curve } = certificate
    return { ...item, algorithm, bits, curve }
  })
}
