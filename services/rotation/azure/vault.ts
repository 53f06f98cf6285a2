import { Denied, Secret, Transient } from '@attestry/kit'
import { SecretClient } from '@azure/keyvault-secrets'
import { type Azure, call, readOptions, unlessAbsent, writeOptions } from './call.ts'

export type Tags = Readonly<Record<string, string>>

/** A version without its value. */
export interface VersionFacts {
  readonly version: string
  readonly enabled: boolean
  readonly createdMs: number
  readonly tags: Tags
}
/** A version with its value, which whoever asked wipes. */
export interface VersionValue extends VersionFacts {
  readonly value: Secret
  readonly contentType: string | undefined
  readonly expiresOn: Date | undefined
}

export interface Written {
  readonly tags: Tags
  readonly contentType: string | undefined
  readonly expiresOn: Date | undefined
}

/** Key Vault's secrets, as much as rotation needs: the served version, a version, all versions, write, enable. */
export interface SecretStore {
  /** What consumers get who name no version; null: there is none, or the newest is disabled. The value is wiped by the caller. */
  served(name: string, signal: AbortSignal): Promise<VersionValue | null>
  read(name: string, version: string, signal: AbortSignal): Promise<VersionValue>
  /** Every version, in no order. Empty where there is no such secret. */
  versions(name: string, signal: AbortSignal): Promise<VersionFacts[]>
  /** Never tried again by itself: whoever gets Transient looks whether it was done. */
  write(name: string, value: Secret, facts: Written, signal: AbortSignal): Promise<string>
  setEnabled(name: string, version: string, enabled: boolean, signal: AbortSignal): Promise<void>
  /** Whether the name is held by a deleted secret. */
  isDeleted(name: string, signal: AbortSignal): Promise<boolean>
}

/** Key Vault shows 25 a page: so many versions at most are looked at. */
const MOST_VERSIONS = 10_000

/** The vaults that rotation writes to, each with its clients: a new client costs one anonymous request. */
export function secretStores(azure: Azure): (uri: string) => SecretStore {
  const kept = new Map<string, SecretStore>()
  return (uri) => {
    const found = kept.get(uri)
    if (found) return found
    const made = secretStore(azure, uri)
    kept.set(uri, made)
    return made
  }
}

function secretStore(azure: Azure, uri: string): SecretStore {
  const { credential } = azure.access
  const reader = new SecretClient(uri, credential, readOptions(azure))
  const writer = new SecretClient(uri, credential, writeOptions(azure))

  const get = (name: string, version: string | undefined, signal: AbortSignal): Promise<VersionValue> =>
    call(azure, signal, async (abortSignal) => {
      const { value, properties } = await reader.getSecret(name, {
        abortSignal,
        ...(version === undefined ? {} : { version }),
      })
      if (value === undefined || properties.version === undefined)
        throw new Denied('UnreadableAnswer', 'Key Vault sent a secret without value or version')
      return {
        value: new Secret(value),
        version: properties.version,
        enabled: properties.enabled ?? true,
        createdMs: properties.createdOn?.getTime() ?? 0,
        tags: properties.tags ?? {},
        contentType: properties.contentType,
        expiresOn: properties.expiresOn,
      }
    })

  return {
    // A newest version that is disabled is refused, whatever older ones there are.
    served: (name, signal) => unlessAbsent(get(name, undefined, signal), /^(SecretNotFound|SecretDisabled)$/),
    read: (name, version, signal) => get(name, version, signal),
    versions: (name, signal) =>
      call(azure, signal, async (abortSignal) => {
        const all: VersionFacts[] = []
        for await (const one of reader.listPropertiesOfSecretVersions(name, { abortSignal })) {
          // The SDK hands the signal on to the first page only.
          if (abortSignal.aborted) throw new Transient('The versions were not listed in time')
          if (all.length >= MOST_VERSIONS)
            throw new Denied('TooManyVersions', `${name} has more than ${MOST_VERSIONS} versions`)
          if (one.version === undefined) throw new Denied('UnreadableAnswer', 'A version without its id')
          all.push({
            version: one.version,
            enabled: one.enabled ?? true,
            createdMs: one.createdOn?.getTime() ?? 0,
            tags: one.tags ?? {},
          })
        }
        return all
      }).catch((error: unknown) => {
        if (error instanceof Denied && error.code === 'SecretNotFound') return []
        throw error
      }),
    write: (name, value, { tags, contentType, expiresOn }, signal) =>
      call(azure, signal, async (abortSignal) => {
        const { properties } = await writer.setSecret(name, value.text(), {
          abortSignal,
          enabled: true,
          tags: { ...tags },
          ...(contentType === undefined ? {} : { contentType }),
          ...(expiresOn === undefined ? {} : { expiresOn }),
        })
        if (properties.version === undefined)
          throw new Transient('Key Vault stored a version and did not say which')
        return properties.version
      }),
    setEnabled: (name, version, enabled, signal) =>
      call(azure, signal, async (abortSignal) => {
        await writer.updateSecretProperties(name, version, { enabled, abortSignal })
      }),
    isDeleted: async (name, signal) =>
      (await unlessAbsent(
        call(azure, signal, (abortSignal) => reader.getDeletedSecret(name, { abortSignal })),
      )) !== null,
  }
}
