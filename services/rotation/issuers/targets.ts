import type { PlanFacts, PreflightCheck, RotationTarget } from '@attestry/contracts'
import { Denied, type Secret, Transient } from '@attestry/kit'
import type { ResourceManager } from '../azure/rights.ts'
import type { SecretStore, Tags, VersionFacts, VersionValue } from '../azure/vault.ts'
import { elsewhere, failed, looked, passed, vaultRights } from './checks.ts'
import {
  type Found,
  markedBy,
  markOf,
  type Order,
  type ServedVersion,
  stagedName,
  type Stored,
  TAGS,
  type Work,
} from './issuer.ts'

/*
 * The vault secrets that a new value goes to: what they serve, how it is written, given back, disabled. The same for
 * every kind of credential that is stored.
 */

/** Key Vault takes fifteen tags of 256 characters. */
const MOST_TAGS = 15
const WRITE_TRIES = 3
const WRITE_AGAIN_MS = 2_000

type Targets = PlanFacts['targets']

/** Tags for a new version: ours, and those of the version before, except marks of earlier rotations. */
function tagsFor(before: Tags, ours: Tags): Tags {
  const own = Object.values(TAGS) as readonly string[]
  const kept = Object.entries(before).filter(([name]) => !own.includes(name))
  return Object.fromEntries([...Object.entries(ours), ...kept].slice(0, MOST_TAGS))
}

/** Wipes on every way out. */
async function using<T, V extends { readonly value: Secret }>(
  got: Promise<V | null>,
  work: (got: V | null) => Promise<T> | T,
): Promise<T> {
  const value = await got
  try {
    return await work(value)
  } finally {
    value?.value.wipe()
  }
}

export interface TargetParts {
  readonly stores: (uri: string) => SecretStore
  readonly manager: ResourceManager
}

export function targetsOf({ stores, manager }: TargetParts) {
  const at = ({ uri }: RotationTarget) => stores(uri)
  const nameIn = (order: Order, { secret }: RotationTarget) =>
    order.prestageMs === null ? secret : stagedName(secret)
  const placesOf = (order: Order) =>
    order.targets.map((target, index) => ({ target, index, store: at(target) }))
  const markedHere = (order: Order, tags: Tags) => markedBy(tags[TAGS.rotation]) === order.rotation

  /**
   * Writes one target. An answer that was lost is looked for: a version with this very mark that is served is the one
   * that was written, and is not written twice.
   */
  async function writeOnce(
    order: Order,
    { store, name, keyId, mac }: { store: SecretStore; name: string; keyId: string; mac: string },
    content: Secret,
    before: Pick<VersionValue, 'tags' | 'contentType'> | null,
    endsAt: string | null,
    work: Work,
  ): Promise<string> {
    const tags = tagsFor(before?.tags ?? {}, {
      [TAGS.rotation]: markOf(order),
      [TAGS.keyId]: keyId,
      [TAGS.mac]: mac,
    })
    const facts = {
      tags,
      contentType: before?.contentType,
      expiresOn: endsAt === null ? undefined : new Date(endsAt),
    }
    for (let tried = 1; ; tried++) {
      try {
        return await store.write(name, content, facts, work.signal)
      } catch (error) {
        if (!(error instanceof Transient) || work.signal.aborted) throw error
        const written = await using(store.served(name, work.signal), (served) =>
          served?.tags[TAGS.rotation] === markOf(order) && served.tags[TAGS.mac] === mac
            ? served.version
            : null,
        )
        if (written !== null) return written
        if (tried >= WRITE_TRIES) throw error
        await work.pause(error.retryAfterMs ?? WRITE_AGAIN_MS * tried)
      }
    }
  }

  return {
    placesOf,

    /** What every target serves. `valueMac`: the MAC of what in a content is the credential, where that is a part of it. */
    async look(targets: Targets, work: Work): Promise<ServedVersion[]> {
      return Promise.all(
        targets.map((target, index) =>
          using(at(target).served(target.secret, work.signal), (served) => ({
            target: index,
            version: served?.version ?? null,
            keyId: served?.tags[TAGS.keyId] ?? null,
            rotation: markedBy(served?.tags[TAGS.rotation]),
            mac: served ? work.mac(served.value.reveal()) : null,
          })),
        ),
      )
    },

    /** The value that a target serves, given to `use` and wiped. */
    served: <T>(
      target: RotationTarget,
      work: Work,
      use: (served: VersionValue | null) => Promise<T> | T,
    ): Promise<T> => using(at(target).served(target.secret, work.signal), use),

    /** The value that a plan found in a target, given to `use` and wiped. */
    async previous<T>(
      target: RotationTarget,
      work: Work,
      use: (previous: VersionValue | null) => Promise<T> | T,
    ): Promise<T> {
      const { previous, secret } = target
      return previous === null ? use(null) : using(at(target).read(secret, previous, work.signal), use)
    },

    /**
     * Stores a credential in every target, in order. `content` makes what is stored from the content before it.
     * What `content` makes is wiped here.
     */
    async store(
      order: Order,
      keyId: string,
      endsAt: string | null,
      work: Work,
      content: (target: RotationTarget, before: VersionValue | null) => Secret,
    ): Promise<Stored[]> {
      const stored: Stored[] = []
      for (const { target, index, store } of placesOf(order)) {
        const done = await this.previous(target, work, async (before) => {
          const made = content(target, before)
          try {
            const mac = work.mac(made.reveal())
            work.progress(`Writing target ${index + 1} of ${order.targets.length}.`)
            const name = nameIn(order, target)
            const place = { store, name, keyId, mac }
            return { version: await writeOnce(order, place, made, before, endsAt, work), mac }
          } finally {
            made.wipe()
          }
        })
        stored.push({ target: index, ...done })
      }
      return stored
    },

    /** Publishes staged values under their own names, and disables the staged versions. */
    async publish(order: Order, keyId: string, work: Work): Promise<Stored[]> {
      const stored: Stored[] = []
      for (const { target, index, store } of placesOf(order)) {
        const name = stagedName(target.secret)
        const done = await using(store.served(name, work.signal), async (staged) => {
          if (!staged || !markedHere(order, staged.tags)) {
            // Published before, and the staged version disabled: what is served now is ours.
            return using(store.served(target.secret, work.signal), (served) => {
              if (!served || !markedHere(order, served.tags))
                throw new Denied('StagedValueGone', `${name} does not hold the value that was staged there`)
              return { version: served.version, mac: work.mac(served.value.reveal()), staged: null }
            })
          }
          const mac = work.mac(staged.value.reveal())
          const already = await using(store.served(target.secret, work.signal), (served) =>
            served && markedHere(order, served.tags) && work.mac(served.value.reveal()) === mac
              ? served.version
              : null,
          )
          const place = { store, name: target.secret, keyId, mac }
          const version =
            already ??
            (await this.previous(target, work, (before) =>
              writeOnce(order, place, staged.value, before, staged.expiresOn?.toISOString() ?? null, work),
            ))
          return { version, mac, staged: staged.version }
        })
        if (done.staged !== null) await store.setEnabled(name, done.staged, false, work.signal)
        stored.push({ target: index, version: done.version, mac: done.mac })
      }
      return stored
    },

    /** Every version that carries this rotation's mark, staged ones included. */
    async marked(order: Order, work: Work): Promise<Found['versions']> {
      const found = await Promise.all(
        placesOf(order).map(async ({ target, index, store }) => {
          const names =
            order.prestageMs === null ? [target.secret] : [target.secret, stagedName(target.secret)]
          const each = await Promise.all(
            names.map(async (name) => {
              const versions = (await store.versions(name, work.signal)).filter(({ tags }) =>
                markedHere(order, tags),
              )
              if (versions.length === 0) return []
              const current = await using(
                store.served(name, work.signal),
                (served) => served?.version ?? null,
              )
              return versions.map((one) => ({
                target: index,
                version: one.version,
                enabled: one.enabled,
                served: one.version === current,
                keyId: one.tags[TAGS.keyId] ?? '',
                mac: one.tags[TAGS.mac] ?? null,
              }))
            }),
          )
          return each.flat()
        }),
      )
      return found.flat()
    },

    /** The first half of taking back, as the port says it. */
    async restore(order: Order, work: Work): Promise<number> {
      let restored = 0
      for (const { target, store } of placesOf(order)) {
        const { secret } = target
        const versions = await store.versions(secret, work.signal)
        const ours = versions.filter(({ tags }) => markedHere(order, tags))
        const givenBack = versions.some(({ tags }) => tags[TAGS.restored] === order.rotation)
        if (ours.length > 0 || givenBack) restored += 1
        const servesOurs = await using(
          store.served(secret, work.signal),
          (served) => served !== null && markedHere(order, served.tags),
        )
        if (servesOurs && target.previous !== null)
          await this.previous(target, work, async (before) => {
            if (!before) return
            const tags = tagsFor(before.tags, { [TAGS.restored]: order.rotation })
            const { contentType, expiresOn } = before
            await store.write(secret, before.value, { tags, contentType, expiresOn }, work.signal)
          })
        for (const { version, enabled } of ours)
          if (enabled) await store.setEnabled(secret, version, false, work.signal)
        if (order.prestageMs === null) continue
        const staged = stagedName(secret)
        for (const { version, enabled, tags } of await store.versions(staged, work.signal))
          if (enabled && markedHere(order, tags)) await store.setEnabled(staged, version, false, work.signal)
      }
      return restored
    },

    /** Versions that held an old credential, never the one that is served. */
    async old(order: Order, keyId: string, work: Work) {
      const each = await Promise.all(
        placesOf(order).map(async ({ target, store }) => {
          const versions = await store.versions(target.secret, work.signal)
          const current = await using(
            store.served(target.secret, work.signal),
            (served) => served?.version ?? null,
          )
          const held = ({ version, tags }: VersionFacts) =>
            version !== current &&
            !markedHere(order, tags) &&
            (version === target.previous ||
              tags[TAGS.keyId] === keyId ||
              // An attempt that was taken back gave the old value back under a version of its own.
              tags[TAGS.restored] === order.rotation)
          return versions.filter(held).map((one) => ({ ...one, store, secret: target.secret }))
        }),
      )
      return each.flat()
    },

    async setOld(order: Order, keyId: string, enabled: boolean, work: Work): Promise<number> {
      const versions = await this.old(order, keyId, work)
      for (const one of versions)
        if (one.enabled !== enabled) await one.store.setEnabled(one.secret, one.version, enabled, work.signal)
      return versions.length
    },

    /** Preconditions in every vault. */
    async preflight(order: Order, work: Work): Promise<readonly PreflightCheck[]> {
      const each = await Promise.all(
        placesOf(order).map(({ target, store }) => {
          const { uri, secret } = target
          const where = `${secret} in ${new URL(uri).hostname}`
          return looked('vault-reachable', `${where} cannot be looked at`, async () => {
            const facts = await manager.vault(uri, work.signal)
            const rights = await vaultRights(
              manager,
              facts,
              `secrets/${secret}`,
              [
                { action: 'secrets/readMetadata/action', permission: 'list', why: 'to see its versions' },
                { action: 'secrets/setSecret/action', permission: 'set', why: 'to write the new value' },
                { action: 'secrets/update/action', permission: 'set', why: 'to disable old versions' },
                { action: 'secrets/getSecret/action', permission: 'get', why: 'to read back what is served' },
              ],
              work.signal,
            )
            if (rights.some(({ state }) => state === 'failed')) return rights
            const names = order.prestageMs === null ? [secret] : [secret, stagedName(secret)]
            const deleted = await Promise.all(names.map((name) => store.isDeleted(name, work.signal)))
            const gone = names.filter((_, index) => deleted[index])
            const served = await using(store.served(secret, work.signal), (got) =>
              got ? { tags: got.tags } : null,
            )
            return [
              ...rights,
              passed('vault-reachable', `${where} can be reached.`),
              gone.length > 0
                ? failed(
                    'vault-soft-deleted',
                    `${gone.join(' and ')} is deleted and its name still held: recover it, or purge it, or choose another name.`,
                  )
                : passed('vault-soft-deleted', `No deleted secret holds the name of ${where}.`),
              ...elsewhere(
                { what: where, tags: served?.tags ?? {} },
                facts ? { what: new URL(uri).hostname, tags: facts.tags } : undefined,
              ),
            ]
          })
        }),
      )
      const names = order.targets.map(({ uri, secret }) => `${uri} ${secret}`.toLowerCase())
      return [
        ...each.flat(),
        new Set(names).size === names.length
          ? passed('name-conflict', 'Every target is another secret.')
          : failed('name-conflict', 'Two targets are the same secret.'),
      ]
    },
  }
}

export type TargetVaults = ReturnType<typeof targetsOf>
