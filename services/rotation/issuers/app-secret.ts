import type { CredentialKind, CredentialSubject, LiveCredential, PreflightCheck } from '@attestry/contracts'
import { Denied, type Secret, Transient } from '@attestry/kit'
import type { Directory, HolderSet } from '../azure/graph.ts'
import { prove, type Tried } from '../azure/sign-in.ts'
import { elsewhere, failed, looked, passed, warned } from './checks.ts'
import { type Issuer, markedBy, markOf, type Order, type Work } from './issuer.ts'
import type { TargetVaults } from './targets.ts'

/*
 * Client secrets of an application, or of its service principal: the same calls on another set of objects. A principal
 * may have many credentials at once, so the new one is added, proved and published while the old one still works.
 */

const DAY_MS = 86_400_000
/** The report of sign-ins is complete up to so long ago at the earliest; Microsoft promises nothing, and days were seen. */
const REPORT_LAG_MS = 48 * 3_600_000

export interface AppSecretParts {
  readonly directory: Directory
  readonly vaults: TargetVaults
  readonly signIn: (appId: string, secret: Secret, signal: AbortSignal) => Promise<Tried>
  /** How far the report of sign-ins is taken to lag behind. */
  readonly reportLagMs?: number
}

const SETS: Readonly<Partial<Record<CredentialKind, HolderSet>>> = {
  'app-secret': 'applications',
  'sp-secret': 'servicePrincipals',
}

const appIdOf = ({ part }: CredentialSubject): string => {
  if (part === null) throw new Denied('NoAppId', 'The plan does not say which application this is')
  return part
}

export function appSecretIssuer(kind: 'app-secret' | 'sp-secret', parts: AppSecretParts): Issuer {
  const { directory, vaults, signIn, reportLagMs = REPORT_LAG_MS } = parts
  const set = SETS[kind] ?? 'applications'

  const live = async (subject: CredentialSubject, work: Work) =>
    (await directory.credentials(appIdOf(subject), work.signal)).all

  /** Credentials with this rotation's mark that are not in the snapshot: only those were made by it. */
  const marked = async (order: Order, work: Work) => {
    const known = new Set(order.snapshot.map(({ keyId }) => keyId))
    return (await live(order.subject, work)).filter(
      ({ type, name, keyId }) => type === 'secret' && markedBy(name) === order.rotation && !known.has(keyId),
    )
  }

  /** Removes one password by its key id; gone already is done, also when the answer to an earlier try was lost. */
  async function remove(subject: CredentialSubject, keyId: string, work: Work): Promise<void> {
    const held = (await live(subject, work)).find((one) => one.keyId === keyId)
    if (!held) return
    if (held.type === 'certificate')
      throw new Denied(
        'CertificateByHand',
        'This credential is a certificate of the application, which Graph removes only for whoever holds one: a person has to remove it',
      )
    try {
      await directory.removePassword(held.set, held.holder, keyId, work.signal)
    } catch (error) {
      if (!(error instanceof Transient)) throw error
      if ((await live(subject, work)).some((one) => one.keyId === keyId)) throw error
    }
  }

  async function lifetime(order: Order, work: Work): Promise<readonly PreflightCheck[]> {
    const days = order.endsAt
      ? (Temporal.Instant.from(order.endsAt).epochMilliseconds - work.now().epochMilliseconds) / DAY_MS
      : 730
    try {
      const most = await directory.longestPasswordDays(set, work.signal)
      if (most === 0)
        return [failed('lifetime-policy', 'The directory’s policy forbids new passwords on applications.')]
      if (most !== null && days > most)
        return [
          failed(
            'lifetime-policy',
            `The directory’s policy allows ${most} days, and the new secret would live ${Math.ceil(days)}: shorten the cadence or the grace.`,
          ),
        ]
      return [passed('lifetime-policy', 'The directory’s policy allows the new secret’s life.')]
    } catch (error) {
      if (!(error instanceof Denied)) throw error
      return [
        warned(
          'lifetime-policy',
          'The directory’s policy on credentials cannot be read (Policy.Read.All); Entra decides when the secret is made.',
        ),
      ]
    }
  }

  return {
    kind,
    retirement: 'remove',
    stores: true,
    longestDays: 730,

    look: async (subject, targets, work) => {
      const [credentials, served] = await Promise.all([live(subject, work), vaults.look(targets, work)])
      return {
        live: credentials.map(
          ({ keyId, type, name, startsAt, endsAt }): LiveCredential => ({
            keyId,
            type,
            name: name?.slice(0, 300) ?? null,
            startsAt,
            endsAt,
            mac: null,
          }),
        ),
        targets: served,
        serves: null,
        slotInUse: null,
      }
    },

    preflight: async (order, work) => {
      const { subject } = order
      const atDirectory = await looked('permission', 'The application cannot be looked at', async () => {
        const [why, { tags }] = await Promise.all([
          directory.mayChange(set, subject.at, work.signal),
          directory.credentials(appIdOf(subject), work.signal),
        ])
        return [
          why === null
            ? passed('permission', 'The identity may change the application’s credentials.')
            : failed('permission', why),
          ...elsewhere({ what: subject.name, tags }),
        ]
      })
      return [...atDirectory, ...(await lifetime(order, work)), ...(await vaults.preflight(order, work))]
    },

    issue: async (order, work) => {
      work.progress('Adding a credential.')
      const { keyId, value, endsAt } = await directory.addPassword(
        set,
        order.subject.at,
        { name: markOf(order), endsAt: order.endsAt },
        work.signal,
      )
      try {
        const appId = appIdOf(order.subject)
        // A vault must never serve what the directory does not know everywhere yet.
        await prove(work, () => signIn(appId, value, work.signal), work.proof)
        const mac = work.mac(value.reveal())
        const stored = await vaults.store(order, keyId, endsAt, work, () => value.copy())
        return { state: 'issued', keyId, endsAt, mac, stored }
      } finally {
        value.wipe()
      }
    },

    publish: async (order, keyId, work) => {
      const stored = await vaults.publish(order, keyId, work)
      const held = (await live(order.subject, work)).find((one) => one.keyId === keyId)
      return { state: 'issued', keyId, endsAt: held?.endsAt ?? null, mac: stored[0]?.mac ?? null, stored }
    },

    probe: async (order, work) => {
      const [credentials, versions] = await Promise.all([marked(order, work), vaults.marked(order, work)])
      return {
        credentials: credentials.map(({ keyId, endsAt }) => ({ keyId, endsAt })),
        versions,
        pending: null,
      }
    },

    restore: (order, work) => vaults.restore(order, work),

    discard: async (order, work) => {
      const removed: string[] = []
      for (const { keyId } of await marked(order, work)) {
        await remove(order.subject, keyId, work)
        removed.push(keyId)
      }
      return removed
    },

    verify: async (order, issued, work) => {
      const appId = appIdOf(order.subject)
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
          // It was proved over time before anybody was given it; what is served has to work once more.
          const once = { successes: 1, overMs: 0, giveUpMs: work.proof.giveUpMs }
          successes += (await prove(work, () => signIn(appId, served.value, work.signal), once)).successes
        })
      }
      return { successes, overMs: Math.max(0, work.now().epochMilliseconds - began) }
    },

    lastUse: async (order, keyId, work) => {
      const seen = await directory.lastSignIn(appIdOf(order.subject), keyId, work.signal)
      if (!seen) return { lastUsedAt: null, observedUntil: null }
      const observedUntil = work.now().subtract({ milliseconds: reportLagMs })
      return { ...seen, observedUntil: observedUntil.toString({ smallestUnit: 'millisecond' }) }
    },

    disable: (order, keyId, work) => vaults.setOld(order, keyId, false, work),
    enable: (order, keyId, work) => vaults.setOld(order, keyId, true, work),

    retire: async (order, keyId, work) => {
      if (!order.snapshot.some((one) => one.keyId === keyId))
        throw new Denied('NotInSnapshot', 'This credential is not in the snapshot that the plan was made of')
      await remove(order.subject, keyId, work)
    },
  }
}
