import type { CredentialSubject, LiveCredential, PreflightCheck } from '@attestry/contracts'
import { Denied, Secret, Transient } from '@attestry/kit'
import { prove, type Tried } from '../azure/sign-in.ts'
import { failed, looked, passed } from './checks.ts'
import type { Issuer, Order, Work } from './issuer.ts'
import type { TargetVaults } from './targets.ts'

/*
 * Things that have exactly two keys, both good at all times: the one that nobody was given is made anew, published, and
 * after the grace the one before it is made anew as well, so that nobody has its value any more.
 */

/** One kind of thing with two keys. */
export interface TwoKeys {
  readonly kind: 'storage-key' | 'servicebus-key'
  readonly slots: readonly [string, string]
  /** How a connection string names the key. */
  readonly inConnection: RegExp
  /** A whole connection string, for a target that has none yet. */
  connection(subject: CredentialSubject, key: string): string
  /** Both keys, by slot; wiped by the caller. */
  list(
    subject: CredentialSubject,
    signal: AbortSignal,
  ): Promise<Map<string, { key: Secret; madeAt: string | null }>>
  /** Makes a slot anew, and answers its key. */
  regenerate(subject: CredentialSubject, slot: string, signal: AbortSignal): Promise<Secret>
  signIn(subject: CredentialSubject, key: Secret, now: Temporal.Instant, signal: AbortSignal): Promise<Tried>
  preflight(subject: CredentialSubject, signal: AbortSignal): Promise<readonly PreflightCheck[]>
}

export function twoKeyIssuer(keys: TwoKeys, vaults: TargetVaults): Issuer {
  /** Both keys, given to `use` and wiped. */
  async function both<T>(
    subject: CredentialSubject,
    work: Work,
    use: (held: ReadonlyMap<string, { key: Secret; madeAt: string | null }>) => Promise<T> | T,
  ): Promise<T> {
    const held = await keys.list(subject, work.signal)
    try {
      return await use(held)
    } finally {
      for (const { key } of held.values()) key.wipe()
    }
  }

  /** The key in a stored content: the content itself, or the part of a connection string. A copy, to be wiped. */
  const keyIn = (content: Secret): Secret =>
    new Secret(keys.inConnection.exec(content.text())?.[1] ?? content.text())

  /** What a target is to hold: its content with the key in it replaced, or the key in the form that the plan says. */
  const contentOf = (
    order: Order,
    content: 'value' | 'connection-string',
    before: Secret | null,
    key: Secret,
  ) => {
    if (content === 'value') return key.copy()
    const text = before?.text()
    if (text !== undefined && keys.inConnection.test(text))
      return new Secret(
        text.replace(keys.inConnection, (whole, old: string) => whole.slice(0, -old.length) + key.text()),
      )
    return new Secret(keys.connection(order.subject, key.text()))
  }

  const slotOf = (order: Order): string => {
    if (order.slot === null || !keys.slots.includes(order.slot))
      throw new Denied('NoSlot', 'The plan does not say which of the two keys is made anew')
    return order.slot
  }

  /** Whether a slot has another key than the plan saw there. */
  const regenerated = (order: Order, slot: string, key: Secret, work: Work): boolean => {
    const before = order.snapshot.find(({ keyId }) => keyId === slot)?.mac
    return before !== undefined && before !== null && before !== work.mac(key.reveal())
  }

  /** Refuses to touch a key that some target hands out. */
  async function refuseServed(order: Order, key: Secret, work: Work): Promise<void> {
    const mac = work.mac(key.reveal())
    for (const place of order.targets)
      await vaults.served(place, work, (served) => {
        if (!served) return
        const held = keyIn(served.value)
        const same = work.mac(held.reveal()) === mac
        held.wipe()
        if (same)
          throw new Denied(
            'KeyInUse',
            `${place.secret} hands out this key: making it anew would cut off who uses it`,
          )
      })
  }

  return {
    kind: keys.kind,
    retirement: 'regenerate',
    stores: true,
    longestDays: null,

    look: (subject, targets, work) =>
      both(subject, work, async (held) => {
        const macs = new Map([...held].map(([slot, { key }]) => [slot, work.mac(key.reveal())]))
        const [first] = targets
        const inUse = first
          ? await vaults.served(first, work, (served) => {
              if (!served) return null
              const key = keyIn(served.value)
              const mac = work.mac(key.reveal())
              key.wipe()
              const fits = [...macs].filter(([, one]) => one === mac)
              return fits.length === 1 ? (fits[0]?.[0] ?? null) : null
            })
          : null
        return {
          live: [...held].map(
            ([slot, { madeAt }]): LiveCredential => ({
              keyId: slot,
              type: 'slot',
              name: null,
              startsAt: madeAt,
              endsAt: null,
              mac: macs.get(slot) ?? null,
            }),
          ),
          targets: await vaults.look(targets, work),
          serves: null,
          slotInUse: inUse,
        }
      }),

    preflight: async (order, work) => [
      ...(await looked('permission', 'The keys cannot be looked at', () =>
        keys.preflight(order.subject, work.signal),
      )),
      ...(await looked('issuer', 'The keys cannot be read', () =>
        both(order.subject, work, async (held) => {
          const slot = slotOf(order)
          const key = held.get(slot)?.key
          if (!key) return [failed('issuer', `There is no ${slot}.`)]
          await refuseServed(order, key, work)
          return [passed('issuer', `No target hands out ${slot}, so it can be made anew.`)]
        }),
      )),
      ...(await vaults.preflight(order, work)),
    ],

    issue: async (order, work) => {
      const slot = slotOf(order)
      await both(order.subject, work, async (held) => {
        const key = held.get(slot)?.key
        if (key) await refuseServed(order, key, work)
      })
      work.progress(`Making ${slot} anew.`)
      const key = await keys.regenerate(order.subject, slot, work.signal)
      try {
        await prove(work, () => keys.signIn(order.subject, key, work.now(), work.signal), work.proof)
        const stored = await vaults.store(order, slot, null, work, ({ content }, before) =>
          contentOf(order, content, before?.value ?? null, key),
        )
        return { state: 'issued', keyId: slot, endsAt: null, mac: work.mac(key.reveal()), stored }
      } finally {
        key.wipe()
      }
    },

    publish: async (order, keyId, work) => {
      const stored = await vaults.publish(order, keyId, work)
      return { state: 'issued', keyId, endsAt: null, mac: null, stored }
    },

    probe: (order, work) =>
      both(order.subject, work, async (held) => {
        const slot = slotOf(order)
        const key = held.get(slot)?.key
        const made = key !== undefined && regenerated(order, slot, key, work)
        return {
          credentials: made ? [{ keyId: slot, endsAt: null }] : [],
          versions: await vaults.marked(order, work),
          pending: null,
        }
      }),

    restore: (order, work) => vaults.restore(order, work),
    // Making the slot anew once more would help nobody: whoever could hold its value gets in with the other one too.
    discard: () => Promise.resolve([]),

    verify: async (order, issued, work) => {
      let successes = 0
      const began = work.now().epochMilliseconds
      for (const { target, version, mac } of issued.stored) {
        const place = order.targets[target]
        if (!place) throw new Denied('VerificationFailed', `The plan has no target ${target}`)
        await vaults.served(place, work, async (served) => {
          if (served?.version !== version)
            throw new Denied(
              'VerificationFailed',
              `${place.secret} does not serve the version that was stored`,
            )
          if (mac !== null && work.mac(served.value.reveal()) !== mac)
            throw new Denied('VerificationFailed', `${place.secret} holds another value than was stored`)
          const key = keyIn(served.value)
          try {
            const once = { successes: 1, overMs: 0, giveUpMs: work.proof.giveUpMs }
            const signIn = () => keys.signIn(order.subject, key, work.now(), work.signal)
            successes += (await prove(work, signIn, once)).successes
          } finally {
            key.wipe()
          }
        })
      }
      return { successes, overMs: Math.max(0, work.now().epochMilliseconds - began) }
    },

    disable: (order, keyId, work) => vaults.setOld(order, keyId, false, work),
    enable: (order, keyId, work) => vaults.setOld(order, keyId, true, work),

    retire: async (order, keyId, work) => {
      if (!order.snapshot.some((one) => one.keyId === keyId))
        throw new Denied('NotInSnapshot', 'This key is not in the snapshot that the plan was made of')
      const gone = () =>
        both(order.subject, work, async (held) => {
          const key = held.get(keyId)?.key
          if (!key) throw new Denied('NotFound', `There is no ${keyId}`)
          if (regenerated(order, keyId, key, work)) return true
          await refuseServed(order, key, work)
          return false
        })
      if (await gone()) return
      try {
        ;(await keys.regenerate(order.subject, keyId, work.signal)).wipe()
      } catch (error) {
        // The answer may be lost and the deed done; making it anew twice would do no harm, but knowing is better.
        if (!(error instanceof Transient) || work.signal.aborted || !(await gone())) throw error
      }
    },
  }
}
