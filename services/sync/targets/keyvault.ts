import { Denied, pause, refuse, Secret } from '@attestry/kit'
import { type AzureAccess, azureFailure, httpStatusOf } from '@attestry/kit/azure'
import { SecretClient, type SecretProperties } from '@azure/keyvault-secrets'
import { unfit } from './fit.ts'
import {
  type Capabilities,
  isMarkTag,
  type Mark,
  markOf,
  markTags,
  type Metadata,
  type RemoteEntry,
  type Source,
  type SourceItem,
  type Target,
  type TargetRefusal,
  type Write,
  type Written,
} from './target.ts'

/*
 * Azure Key Vault, as a source and as a target. Listings show metadata alone. Rights: a source needs list and get; a
 * target needs list, set, delete and recover, and never get.
 */

export const KEY_VAULT: Capabilities = {
  kind: 'azure-key-vault',
  takes: 'secrets',
  foldsCase: true,
  name: { pattern: /^[0-9A-Za-z-]{1,127}$/, says: 'be 1 to 127 letters, digits and dashes' },
  value: { minBytes: 0, maxBytes: 25_600, binary: false },
  // 15 tags a version, 6 of them the mark's.
  tags: {
    most: 9,
    key: /^.{1,256}$/s,
    value: /^.{0,256}$/s,
    says: 'be at most 9, of names and values up to 256 characters',
  },
  marks: 'version',
  drift: 'listed',
  disables: true,
  restores: true,
  // 300 new versions a vault every 10 seconds; a margin is left for others.
  writesPerMinute: 1200,
  writeEveryMs: null,
  inFlight: 8,
}

/** Looks at what is being recovered, so often and so far apart: ten seconds in all. */
const RECOVERY_LOOKS = 20
const RECOVERY_PAUSE_MS = 500

const isoOf = (date: Date | undefined): string | null => date?.toISOString() ?? null

const dateOf = (instant: string | null): { date: Date } | null =>
  instant === null ? null : { date: new Date(instant) }

/**
 * Differs with every change of the newest version, an edit of its tags included. Times are to the second; that a
 * version of somebody else bears no mark tells it from ours within the same one.
 */
const stampOf = (p: SecretProperties): string =>
  `${isoOf(p.createdOn)} ${isoOf(p.updatedOn)} ${markOf(p.tags ?? {})?.sourceVersion ?? '-'}`

const entryOf = (p: SecretProperties, version: string | null): RemoteEntry & { mark: Mark | null } => {
  const mark = markOf(p.tags ?? {})
  return {
    name: p.name,
    id: `${p.vaultUrl}/secrets/${p.name.toLowerCase()}`,
    state: p.enabled === false ? 'disabled' : 'live',
    mark,
    version,
    servedSource: mark?.sourceVersion ?? null,
    stamp: stampOf(p),
  }
}

const itemOf = (p: SecretProperties): SourceItem => ({
  name: p.name,
  enabled: p.enabled ?? true,
  managed: p.managed ?? p.certificateKeyId !== undefined,
  created: isoOf(p.createdOn),
  updated: isoOf(p.updatedOn),
  notBefore: isoOf(p.notBefore),
  expires: isoOf(p.expiresOn),
  contentType: p.contentType ?? null,
  tags: Object.entries(p.tags ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)),
})

/** Runs a call to a vault and gives its failures the kit's names. */
async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    throw azureFailure(thrown)
  }
}

/** Pages of a listing, one request each. */
async function* pagesOf<T>(pages: AsyncIterator<T[]>, signal: AbortSignal): AsyncGenerator<T[]> {
  // Ends with the listing: 25 an answer, so a million secrets are 40,000 turns.
  for (let turn = 0; turn < 40_000; turn++) {
    // The SDK hands the signal on to the first page only.
    signal.throwIfAborted()
    const page = await asked(() => pages.next())
    if (page.done) return
    yield page.value
  }
  throw new Error('a listing of a vault does not end')
}

const isMissing = (error: unknown): boolean => error instanceof Denied && httpStatusOf(error) === 404

/** All versions of a secret by metadata; none where there is no such secret. */
async function versionsOf(
  client: SecretClient,
  name: string,
  abortSignal: AbortSignal,
): Promise<SecretProperties[]> {
  const all: SecretProperties[] = []
  try {
    const pages = client.listPropertiesOfSecretVersions(name, { abortSignal }).byPage()
    for await (const page of pagesOf(pages, abortSignal)) all.push(...page)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  return all
}

/** The newest of a secret's versions, and whether another one was made within the same second. */
function newestOf(
  versions: readonly SecretProperties[],
): { readonly properties: SecretProperties; readonly tied: boolean } | null {
  const made = (p: SecretProperties) => p.createdOn?.getTime() ?? 0
  const [first, second] = versions.toSorted((a, b) => made(b) - made(a))
  return first ? { properties: first, tied: second !== undefined && made(second) === made(first) } : null
}

const clientOf = (access: AzureAccess, uri: string) =>
  new SecretClient(uri, access.credential, access.clientOptions())

/** Reads what is copied from a vault. */
export function keyVaultSource(access: AzureAccess, uri: string): Source {
  const client = clientOf(access, uri)
  return {
    async *list(signal) {
      const pages = client.listPropertiesOfSecrets({ abortSignal: signal }).byPage()
      for await (const page of pagesOf(pages, signal)) yield page.map(itemOf)
    },
    look: async (name, signal) => {
      const newest = newestOf(await versionsOf(client, name, signal))
      if (!newest) return null
      const { properties, tied } = newest
      return { item: itemOf(properties), version: tied ? null : (properties.version ?? null) }
    },
    async read(name, signal) {
      try {
        const { value, properties } = await asked(() => client.getSecret(name, { abortSignal: signal }))
        if (properties.version === undefined) throw new Error('Key Vault answered a value without a version')
        return { version: properties.version, value: new Secret(value ?? ''), item: itemOf(properties) }
      } catch (error) {
        if (isMissing(error)) return refuse('gone', 'The source is not there any more.')
        if (error instanceof Denied && error.code === 'SecretDisabled')
          return refuse('disabled', 'The source is disabled.')
        throw error
      }
    },
  }
}

const refusalOf = (error: unknown): TargetRefusal => {
  if (error instanceof Denied) {
    if (/^ObjectIs(DeletedButRecoverable|BeingDeleted|BeingRecovered)$/.test(error.code))
      return refuse('pending-deletion', 'A secret of this name was deleted and can be recovered.')
    if (httpStatusOf(error) === 404) return refuse('gone', 'The secret is not there any more.')
  }
  throw error
}

/** Long enough for the vault's clock to show another second. */
const NEXT_SECOND_MS = 1100

/** Writes copies to a vault. The vault has no compare-and-swap: who writes at the same moment is seen afterwards. */
export function keyVaultTarget(access: AzureAccess, uri: string): Target {
  const client = clientOf(access, uri)

  const deleted = async (name: string, abortSignal: AbortSignal): Promise<SecretProperties | null> => {
    try {
      return (await asked(() => client.getDeletedSecret(name, { abortSignal }))).properties
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  const pending = (p: SecretProperties): RemoteEntry => ({ ...entryOf(p, null), state: 'pending-deletion' })

  async function describe(name: string, signal: AbortSignal): Promise<RemoteEntry | null> {
    const newest = newestOf(await versionsOf(client, name, signal))
    if (newest) return entryOf(newest.properties, newest.properties.version ?? null)
    const waiting = await deleted(name, signal)
    return waiting && pending(waiting)
  }

  /** Tags that stay, those that are carried, and the mark; what is absent clears nothing. */
  const tagsOf = (before: SecretProperties | null, mark: Mark, metadata: Metadata) => {
    const kept = Object.entries(before?.tags ?? {}).filter(([key]) => !isMarkTag(key))
    const carried = new Map([...kept, ...metadata.tags])
    return Object.fromEntries([...[...carried].slice(0, KEY_VAULT.tags.most), ...markTags(mark)])
  }

  const attributesOf = ({ contentType, expires, notBefore }: Metadata) => {
    const until = dateOf(expires)
    const from = dateOf(notBefore)
    return {
      ...(contentType === null ? {} : { contentType }),
      ...(until ? { expiresOn: until.date } : {}),
      ...(from ? { notBefore: from.date } : {}),
    }
  }

  async function set(
    name: string,
    write: Write,
    before: SecretProperties | null,
    abortSignal: AbortSignal,
  ): Promise<Written | TargetRefusal> {
    const once = () =>
      asked(() =>
        client.setSecret(name, write.value.bytes.text(), {
          ...attributesOf(write.metadata),
          tags: tagsOf(before, write.mark, write.metadata),
          enabled: true,
          abortSignal,
        }),
      )
    try {
      let { properties } = await once()
      if (before?.createdOn && before.createdOn.getTime() === properties.createdOn?.getTime()) {
        // Times are to the second: of two versions of one second nobody could tell which is served.
        await pause(NEXT_SECOND_MS, abortSignal)
        ;({ properties } = await once())
      }
      const { id, version, stamp } = entryOf(properties, properties.version ?? null)
      if (version === null) throw new Error('Key Vault answered a write without a version')
      return { id, version, stamp, marked: true }
    } catch (error) {
      return refusalOf(error)
    }
  }

  return {
    can: KEY_VAULT,
    async test(signal) {
      const pages = client.listPropertiesOfSecrets({ abortSignal: signal }).byPage()
      await asked(() => pages.next())
      return { account: uri }
    },
    async *list(signal) {
      const live = client.listPropertiesOfSecrets({ abortSignal: signal }).byPage()
      for await (const page of pagesOf(live, signal)) yield page.map((p) => entryOf(p, null))
      const gone = client.listDeletedSecrets({ abortSignal: signal }).byPage()
      for await (const page of pagesOf(gone, signal)) yield page.map((d) => pending(d.properties))
    },
    describe,
    async create(name, write, signal) {
      const refusal = unfit(write.value, KEY_VAULT, 'Key Vault')
      if (refusal) return refusal
      const there = await describe(name, signal)
      if (there?.state === 'pending-deletion')
        return refuse('pending-deletion', 'A secret of this name was deleted and can be recovered.')
      if (there) return refuse('exists', 'A secret of this name is there already.')
      return set(name, write, null, signal)
    },
    async put(entry, write, signal) {
      const refusal = unfit(write.value, KEY_VAULT, 'Key Vault')
      if (refusal) return refusal
      const newest = newestOf(await versionsOf(client, entry.name, signal))?.properties
      if (!newest) {
        const waiting = await deleted(entry.name, signal)
        return waiting
          ? refuse('pending-deletion', 'The secret was deleted and can be recovered.')
          : refuse('gone', 'The secret is not there any more.')
      }
      const now = entryOf(newest, newest.version ?? null)
      // Written before, and nothing came after it: a mark is part of a version.
      if (
        now.mark?.sourceVersion === write.mark.sourceVersion &&
        now.state === 'live' &&
        now.version !== null
      )
        return { id: now.id, version: now.version, stamp: now.stamp, marked: true }
      return set(entry.name, write, newest, signal)
    },
    async mark(entry, mark, metadata, abortSignal) {
      const newest = newestOf(await versionsOf(client, entry.name, abortSignal))?.properties
      if (!newest?.version) return refuse('gone', 'The secret is not there any more.')
      const { version } = newest
      try {
        const properties = await asked(() =>
          client.updateSecretProperties(entry.name, version, {
            ...attributesOf(metadata),
            tags: tagsOf(newest, mark, metadata),
            abortSignal,
          }),
        )
        return { stamp: stampOf(properties) }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async restore(entry, signal) {
      try {
        // The poller's own waiting has no bound: what it waits for is looked at here.
        await asked(() =>
          client.beginRecoverDeletedSecret(entry.name, { abortSignal: signal, intervalInMs: 250 }),
        )
      } catch (error) {
        const refusal = error instanceof Denied && httpStatusOf(error) === 404 ? null : refusalOf(error)
        if (refusal) return refusal
      }
      for (let look = 0; look < RECOVERY_LOOKS; look++) {
        if ((await versionsOf(client, entry.name, signal)).length > 0) return null
        await pause(RECOVERY_PAUSE_MS, signal)
        signal.throwIfAborted()
      }
      return refuse('pending-deletion', 'The secret is still being recovered.')
    },
    async disable(entry, abortSignal) {
      const newest = newestOf(await versionsOf(client, entry.name, abortSignal))?.properties
      if (!newest?.version) return refuse('gone', 'The secret is not there any more.')
      const { version } = newest
      try {
        const properties = await asked(() =>
          client.updateSecretProperties(entry.name, version, { enabled: false, abortSignal }),
        )
        return { stamp: stampOf(properties) }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async remove(entry, abortSignal) {
      try {
        await asked(() => client.beginDeleteSecret(entry.name, { abortSignal, intervalInMs: 250 }))
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        return refusal.refused === 'gone' || refusal.refused === 'pending-deletion' ? null : refusal
      }
    },
    // A vault keeps every version and bills none of them.
    trim: () => Promise.resolve(),
  }
}
