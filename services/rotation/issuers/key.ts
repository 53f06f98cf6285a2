import type { CredentialSubject, LiveCredential } from '@attestry/contracts'
import { Denied, Transient } from '@attestry/kit'
import { KeyClient } from '@azure/keyvault-keys'
import { type Azure, call, readOptions, unlessAbsent, writeOptions } from '../azure/call.ts'
import type { ResourceManager } from '../azure/rights.ts'
import { passed, warned } from './checks.ts'
import type { Issuer, Order, Work } from './issuer.ts'
import { instantOf, itemOf, itemPreflight, MOST_VERSIONS } from './vault-item.ts'

/*
 * Keys of a vault: a new version after the key's own rotation policy. Old versions stay, because what was encrypted
 * under them has to be read. Rotating takes no tags, so a version is not marked: one that is newer than the snapshot
 * is the new one, whoever made it.
 */

/** @see https://learn.microsoft.com/rest/api/keyvault/keys/rotate-key */
export function keyIssuer(azure: Azure, manager: ResourceManager): Issuer {
  const { credential } = azure.access
  const clients = new Map<string, { reader: KeyClient; writer: KeyClient }>()
  const clientsOf = ({ at }: CredentialSubject) => {
    const found = clients.get(at)
    if (found) return found
    const made = {
      reader: new KeyClient(at, credential, readOptions(azure)),
      writer: new KeyClient(at, credential, writeOptions(azure)),
    }
    clients.set(at, made)
    return made
  }

  const versions = (subject: CredentialSubject, work: Work) =>
    call(azure, work.signal, async (abortSignal) => {
      const all: { version: string; enabled: boolean; createdMs: number; expires: Date | undefined }[] = []
      for await (const one of clientsOf(subject).reader.listPropertiesOfKeyVersions(itemOf(subject), {
        abortSignal,
      })) {
        if (abortSignal.aborted) throw new Transient('The versions were not listed in time')
        if (one.version === undefined) throw new Denied('UnreadableAnswer', 'A version without its id')
        all.push({
          version: one.version,
          enabled: one.enabled ?? true,
          createdMs: one.createdOn?.getTime() ?? 0,
          expires: one.expiresOn,
        })
      }
      return all.toSorted((a, b) => b.createdMs - a.createdMs).slice(0, MOST_VERSIONS)
    })
  const current = (subject: CredentialSubject, work: Work) =>
    call(azure, work.signal, async (abortSignal) => {
      const { properties } = await clientsOf(subject).reader.getKey(itemOf(subject), { abortSignal })
      if (properties.version === undefined) throw new Denied('UnreadableAnswer', 'A key without its version')
      return { ...properties, version: properties.version }
    })

  /** The current version, where the snapshot does not know it. */
  const newer = async (order: Order, work: Work) => {
    const { version, expiresOn } = await current(order.subject, work)
    return order.snapshot.some(({ keyId }) => keyId === version)
      ? null
      : { keyId: version, endsAt: instantOf(expiresOn) }
  }

  return {
    kind: 'key',
    retirement: 'keep',
    stores: false,
    longestDays: null,

    look: async (subject, _, work) => {
      // In this order: of a list that is refused the SDK does not say which right was missing.
      const now = await current(subject, work)
      const all = await versions(subject, work)
      return {
        live: all.map(
          ({ version, createdMs, expires }): LiveCredential => ({
            keyId: version,
            type: 'version',
            name: null,
            startsAt: new Date(createdMs).toISOString(),
            endsAt: instantOf(expires),
            mac: null,
          }),
        ),
        targets: [],
        serves: now.enabled === false ? null : now.version,
        slotInUse: null,
      }
    },

    preflight: async (order, work) => {
      const { subject } = order
      const checks = await itemPreflight(
        manager,
        'keys',
        subject,
        [
          { action: 'keys/read', permission: 'get', why: 'to see its versions' },
          { action: 'keys/rotate/action', permission: 'rotate', why: 'to make a new version' },
        ],
        work,
        async () => ({ tags: (await current(subject, work)).tags ?? {}, deleted: false }),
      )
      if (checks.some(({ state }) => state === 'failed')) return checks
      try {
        const policy = await call(azure, work.signal, (abortSignal) =>
          clientsOf(subject).reader.getKeyRotationPolicy(itemOf(subject), { abortSignal }),
        )
        return [
          ...checks,
          policy.expiresIn === undefined
            ? warned(
                'lifetime-policy',
                'The key’s own policy names no life, so its new version will have no end.',
              )
            : passed('lifetime-policy', `The key’s own policy gives a new version ${policy.expiresIn}.`),
        ]
      } catch (error) {
        if (!(error instanceof Denied)) throw error
        return [
          ...checks,
          warned('lifetime-policy', 'The key’s rotation policy cannot be read (keyrotationpolicies/read).'),
        ]
      }
    },

    issue: async (order, work) => {
      const there = await newer(order, work)
      if (!there) {
        work.progress('Rotating the key.')
        try {
          await call(azure, work.signal, (abortSignal) =>
            clientsOf(order.subject).writer.rotateKey(itemOf(order.subject), { abortSignal }),
          )
        } catch (error) {
          // The answer may be lost and the version made: then it is there.
          if (!(error instanceof Transient) || work.signal.aborted || !(await newer(order, work))) throw error
        }
      }
      const made = await newer(order, work)
      if (!made) throw new Transient('The vault does not show the new version yet')
      return { state: 'issued', ...made, mac: null, stored: [] }
    },

    probe: async (order, work) => {
      const made = await newer(order, work)
      return { credentials: made ? [made] : [], versions: [], pending: null }
    },
    restore: () => Promise.resolve(0),
    discard: () => Promise.resolve([]),

    verify: async (order, issued, work) => {
      const now = await unlessAbsent(current(order.subject, work))
      if (now?.version !== issued.keyId)
        throw new Denied('VerificationFailed', 'The vault serves another version of the key than was made')
      if (now.enabled === false)
        throw new Denied('VerificationFailed', 'The new version of the key is disabled')
      return { successes: 1, overMs: 0 }
    },

    // What was made under an old version still needs it.
    disable: () => Promise.resolve(0),
    enable: () => Promise.resolve(0),
    retire: () => Promise.resolve(),
  }
}
