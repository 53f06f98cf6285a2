import { refuse } from '@attestry/kit'
import type { protos } from '@google-cloud/secret-manager'
import type { Account, World } from './access.ts'
import { crc32c } from './crc32c.ts'
import { unfit } from './fit.ts'
import { gcpCode } from './gcp-failure.ts'
import { GCP_CALL, gcpAccess } from './gcp-sign-in.ts'
import {
  type Capabilities,
  isMarkTag,
  MANAGED_BY,
  MARK_TAGS,
  type Mark,
  markOf,
  markTags,
  type Metadata,
  type RemoteEntry,
  type Target,
  type TargetRefusal,
  type Write,
} from './target.ts'
import { pagesByToken } from './token-pages.ts'

/*
 * Google Secret Manager. Marks are annotations, because a digest is too long for a label. A version has no place for
 * whose it is, so before one is added an annotation says which source version the next number will be
 * (`attestry-serves`): after an interruption number and annotation tell together whether the value is there. Every
 * payload goes with its checksum. No call here returns a value.
 */

export const GCP_SECRET_MANAGER: Capabilities = {
  kind: 'gcp-secret-manager',
  takes: 'secrets',
  foldsCase: false,
  name: { pattern: /^[A-Za-z0-9_-]{1,255}$/, says: 'be 1 to 255 letters, digits, _ and -' },
  value: { minBytes: 1, maxBytes: 65_536, binary: true },
  tags: {
    most: 50,
    key: /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/,
    value: /^.{0,256}$/su,
    says: 'be at most 50, of names of up to 63 letters, digits and _ . - and values of up to 256 characters',
  },
  marks: 'object',
  // A listing shows secrets, not their versions.
  drift: 'described',
  disables: true,
  restores: false,
  // 600 writes a minute, four of them a copy: its number, its version, its mark, and the version that retires.
  writesPerMinute: 150,
  writeEveryMs: null,
  inFlight: 4,
}

/** `<source version>@<number>`: which number was, or is about to be, written for a source version. */
const SERVES = 'attestry-serves'
/** How long a destroyed version can be taken back. */
const DESTROY_AFTER_SECONDS = 7 * 86_400
const PAGE = 500

type Secret = protos.google.cloud.secretmanager.v1.ISecret
type Version = protos.google.cloud.secretmanager.v1.ISecretVersion

const nameOf = (full: string | null | undefined): string => full?.split('/').at(-1) ?? ''
const numberOf = (version: Version): number => Number(nameOf(version.name))
const stateOf = (version: Version): string => String(version.state)
const createdOf = (secret: Secret): string =>
  `${String(secret.createTime?.seconds ?? 0)}.${String(secret.createTime?.nanos ?? 0)}`

/** The value is served while its version is enabled; nothing else of a secret's metadata is part of the stamp. */
const stampOf = (secret: Secret, number: number, state: string): string =>
  `${createdOf(secret)} ${number} ${state}`

function entryOf(secret: Secret, latest: Version | null | 'unseen'): RemoteEntry {
  const name = nameOf(secret.name)
  const annotations = secret.annotations ?? {}
  const base = { name, id: secret.name ?? '', mark: markOf(annotations) }
  if (latest === 'unseen') return { ...base, state: 'live', version: null, servedSource: null, stamp: null }
  if (latest === null)
    return { ...base, state: 'live', version: null, servedSource: null, stamp: stampOf(secret, 0, '-') }
  const [source, number] = (annotations[SERVES] ?? '').split('@')
  const live = stateOf(latest) === 'ENABLED'
  return {
    ...base,
    state: live ? 'live' : 'disabled',
    version: String(numberOf(latest)),
    servedSource: live && source && Number(number) === numberOf(latest) ? source : null,
    stamp: stampOf(secret, numberOf(latest), stateOf(latest)),
  }
}

const isLabel = (key: string, text: string): boolean =>
  /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) && /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(text)

/** Labels and annotations after a write: what was there stays, what is carried is added, labels where they fit. */
function markedAs(before: Secret | null, mark: Mark, { tags }: Metadata) {
  const carried = tags.filter(([key]) => !isMarkTag(key))
  const labels = carried.filter(([key, text]) => isLabel(key, text))
  const others = carried.filter(([key, text]) => !isLabel(key, text))
  return {
    labels: { ...before?.labels, ...Object.fromEntries(labels), [MARK_TAGS.managedBy]: MANAGED_BY },
    annotations: {
      ...before?.annotations,
      ...Object.fromEntries(others),
      ...Object.fromEntries(markTags(mark)),
    },
  }
}

function refusalOf(error: unknown): TargetRefusal {
  if (gcpCode(error) === 'NOT_FOUND') return refuse('gone', 'The secret is not there any more.')
  throw error
}

/** Writes copies to Google Secret Manager. */
export function gcpSecretManagerTarget(account: Account, world: World): Target {
  const { project, secrets, ask } = gcpAccess(account, world)
  const pathOf = (name: string) => `${project}/secrets/${name}`

  async function readSecret(name: string, signal: AbortSignal): Promise<Secret | null> {
    const client = await ask(signal, secrets)
    try {
      const [secret] = await ask(signal, () => client.getSecret({ name: pathOf(name) }, GCP_CALL))
      return secret
    } catch (error) {
      if (gcpCode(error) === 'NOT_FOUND') return null
      throw error
    }
  }
  async function readLatest(name: string, signal: AbortSignal): Promise<Version | null> {
    const client = await ask(signal, secrets)
    try {
      const [version] = await ask(signal, () =>
        client.getSecretVersion({ name: `${pathOf(name)}/versions/latest` }, GCP_CALL),
      )
      return version
    } catch (error) {
      if (gcpCode(error) === 'NOT_FOUND') return null
      throw error
    }
  }
  /** Sets labels and annotations unless somebody else did meanwhile: the etag tells. */
  async function update(before: Secret, after: Partial<Secret>, signal: AbortSignal): Promise<void> {
    const client = await ask(signal, secrets)
    await ask(signal, () =>
      client.updateSecret(
        {
          secret: { name: before.name ?? '', etag: before.etag ?? '', ...after },
          updateMask: {
            paths: Object.keys(after).map((field) =>
              field === 'versionDestroyTtl' ? 'version_destroy_ttl' : field,
            ),
          },
        },
        GCP_CALL,
      ),
    )
  }
  async function add(name: string, { value }: Write, signal: AbortSignal): Promise<Version> {
    const client = await ask(signal, secrets)
    const data = value.bytes.reveal()
    const [version] = await ask(signal, () =>
      client.addSecretVersion(
        { parent: pathOf(name), payload: { data, dataCrc32c: String(crc32c(data)) } },
        GCP_CALL,
      ),
    )
    if (version.clientSpecifiedPayloadChecksum !== true)
      throw new Error('Secret Manager did not check the payload against its checksum')
    return version
  }

  return {
    can: GCP_SECRET_MANAGER,
    async test(signal) {
      const client = await ask(signal, secrets)
      // The project is part of the path: no other one can answer.
      await ask(signal, () =>
        client.listSecrets({ parent: project, pageSize: 1 }, { ...GCP_CALL, autoPaginate: false }),
      )
      return { account: account.account }
    },
    async *list(signal) {
      const client = await ask(signal, secrets)
      // Two million secrets: beyond any quota.
      yield* pagesByToken(4_000, signal, async (token) => {
        const [found, , answer] = await ask(signal, () =>
          client.listSecrets(
            { parent: project, pageSize: PAGE, ...(token === undefined ? {} : { pageToken: token }) },
            { ...GCP_CALL, autoPaginate: false },
          ),
        )
        return { page: found.map((secret) => entryOf(secret, 'unseen')), next: answer?.nextPageToken }
      })
    },
    async describe(name, signal) {
      const secret = await readSecret(name, signal)
      return secret && entryOf(secret, await readLatest(name, signal))
    },
    async create(name, write, signal) {
      const refusal = unfit(write.value, GCP_SECRET_MANAGER, 'Secret Manager')
      if (refusal) return refusal
      const client = await ask(signal, secrets)
      const { labels, annotations } = markedAs(null, write.mark, write.metadata)
      try {
        const [secret] = await ask(signal, () =>
          client.createSecret(
            {
              parent: project,
              secretId: name,
              secret: {
                replication: { automatic: {} },
                labels,
                annotations: { ...annotations, [SERVES]: `${write.mark.sourceVersion}@1` },
                versionDestroyTtl: { seconds: DESTROY_AFTER_SECONDS },
              },
            },
            GCP_CALL,
          ),
        )
        const version = await add(name, write, signal)
        return {
          id: secret.name ?? '',
          version: String(numberOf(version)),
          stamp: stampOf(secret, numberOf(version), stateOf(version)),
          marked: true,
        }
      } catch (error) {
        if (gcpCode(error) === 'ALREADY_EXISTS')
          return refuse('exists', 'A secret of this name is there already.')
        return refusalOf(error)
      }
    },
    async put(entry, write, signal) {
      const refusal = unfit(write.value, GCP_SECRET_MANAGER, 'Secret Manager')
      if (refusal) return refusal
      const { sourceVersion } = write.mark
      try {
        const secret = await readSecret(entry.name, signal)
        if (!secret) return refuse('gone', 'The secret is not there any more.')
        const latest = await readLatest(entry.name, signal)
        const now = entryOf(secret, latest)
        if (now.servedSource === sourceVersion && now.version !== null)
          return { id: now.id, version: now.version, stamp: now.stamp, marked: false }
        const expected = (latest ? numberOf(latest) : 0) + 1
        const annotations = { ...secret.annotations, [SERVES]: `${sourceVersion}@${expected}` }
        await update(secret, { annotations }, signal)
        const version = await add(entry.name, write, signal)
        return {
          id: now.id,
          version: String(numberOf(version)),
          stamp: stampOf(secret, numberOf(version), stateOf(version)),
          marked: false,
        }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async mark(entry, mark, metadata, signal) {
      try {
        const secret = await readSecret(entry.name, signal)
        if (!secret) return refuse('gone', 'The secret is not there any more.')
        await update(secret, markedAs(secret, mark, metadata), signal)
        return { stamp: entry.stamp }
      } catch (error) {
        return refusalOf(error)
      }
    },
    restore: () => Promise.resolve(refuse('gone', 'A deleted secret of Google Cloud does not come back.')),
    async disable(entry, signal) {
      try {
        const client = await ask(signal, secrets)
        const secret = await readSecret(entry.name, signal)
        const latest = secret && (await readLatest(entry.name, signal))
        if (!latest) return refuse('gone', 'The secret is not there any more.')
        const [version] = await ask(signal, () =>
          client.disableSecretVersion({ name: latest.name ?? '', etag: latest.etag ?? '' }, GCP_CALL),
        )
        return { stamp: stampOf(secret, numberOf(version), stateOf(version)) }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async remove(entry, signal) {
      try {
        const client = await ask(signal, secrets)
        await ask(signal, () => client.deleteSecret({ name: pathOf(entry.name) }, GCP_CALL))
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        return refusal.refused === 'gone' ? null : refusal
      }
    },
    async trim(entry, keep, signal) {
      const client = await ask(signal, secrets)
      const secret = await readSecret(entry.name, signal)
      if (!secret) return
      const [versions] = await ask(signal, () =>
        client.listSecretVersions(
          { parent: pathOf(entry.name), pageSize: PAGE },
          { ...GCP_CALL, autoPaginate: false },
        ),
      )
      const late = versions
        .toSorted((a, b) => numberOf(b) - numberOf(a))
        .slice(keep)
        .filter((version) => stateOf(version) !== 'DESTROYED' && !version.scheduledDestroyTime)
      if (late.length === 0) return
      // What was adopted destroys at once until it is told to wait.
      if (!secret.versionDestroyTtl)
        await update(secret, { versionDestroyTtl: { seconds: DESTROY_AFTER_SECONDS } }, signal)
      for (const version of late)
        await ask(signal, () => client.destroySecretVersion({ name: version.name ?? '' }, GCP_CALL))
    },
  }
}
