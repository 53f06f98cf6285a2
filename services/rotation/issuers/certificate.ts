import type { CredentialSubject, LiveCredential, PreflightCheck } from '@attestry/contracts'
import { Denied, messageOf, Transient } from '@attestry/kit'
import {
  CertificateClient,
  type CertificateOperation,
  type CertificatePolicy,
  type KeyVaultCertificateWithPolicy,
} from '@azure/keyvault-certificates'
import { type Azure, call, readOptions, unlessAbsent, writeOptions } from '../azure/call.ts'
import type { ResourceManager } from '../azure/rights.ts'
import { failed, looked, passed } from './checks.ts'
import {
  type Issued,
  type Issuer,
  markedBy,
  markOf,
  type Order,
  type Pending,
  TAGS,
  type Work,
} from './issuer.ts'
import { instantOf, itemOf, itemPreflight, MOST_VERSIONS } from './vault-item.ts'

/*
 * Certificates of a vault, under their own policy: signed by themselves, by an authority that the vault talks to, or by
 * one that it does not, whose answer a person brings. Whatever the issuer, there is one pending operation, and its end
 * is a new version that carries our tags.
 */

/** Between two looks at an authority's work, and at a request that waits for a person. */
const LOOK_MS = { authority: 30_000, merge: 600_000 } as const

const IN_PROGRESS = /^inProgress$/i

const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/g

/** The certificates in PEM texts, as DER. */
const derOf = (chain: readonly string[]): Uint8Array[] =>
  chain.flatMap((text) => [...text.matchAll(PEM_BLOCK)].map(([, body = '']) => Buffer.from(body, 'base64')))

/** @see https://learn.microsoft.com/azure/key-vault/certificates/create-certificate-scenarios */
export function certificateIssuer(azure: Azure, manager: ResourceManager): Issuer {
  const { credential } = azure.access
  const clients = new Map<string, { reader: CertificateClient; writer: CertificateClient }>()
  const clientsOf = ({ at }: CredentialSubject) => {
    const found = clients.get(at)
    if (found) return found
    const made = {
      reader: new CertificateClient(at, credential, readOptions(azure)),
      writer: new CertificateClient(at, credential, writeOptions(azure)),
    }
    clients.set(at, made)
    return made
  }

  const current = (subject: CredentialSubject, work: Work): Promise<KeyVaultCertificateWithPolicy> =>
    call(azure, work.signal, (abortSignal) =>
      clientsOf(subject).reader.getCertificate(itemOf(subject), { abortSignal }),
    )
  const versions = (subject: CredentialSubject, work: Work) =>
    call(azure, work.signal, async (abortSignal) => {
      const all: {
        live: LiveCredential
        tags: Record<string, string>
        enabled: boolean
        createdMs: number
      }[] = []
      const listed = clientsOf(subject).reader.listPropertiesOfCertificateVersions(itemOf(subject), {
        abortSignal,
      })
      for await (const one of listed) {
        if (abortSignal.aborted) throw new Transient('The versions were not listed in time')
        if (one.version === undefined) throw new Denied('UnreadableAnswer', 'A version without its id')
        all.push({
          live: {
            keyId: one.version,
            type: 'version',
            name: null,
            startsAt: instantOf(one.notBefore),
            endsAt: instantOf(one.expiresOn),
            mac: null,
          },
          tags: one.tags ?? {},
          enabled: one.enabled ?? true,
          createdMs: one.createdOn?.getTime() ?? 0,
        })
      }
      return all.toSorted((a, b) => b.createdMs - a.createdMs).slice(0, MOST_VERSIONS)
    })

  /** The operation as it stands, or null where there is none. A failed one is refused with what the authority said. */
  const operation = async (subject: CredentialSubject, work: Work): Promise<CertificateOperation | null> => {
    try {
      const poller = await unlessAbsent(
        call(azure, work.signal, (abortSignal) =>
          clientsOf(subject).reader.getCertificateOperation(itemOf(subject), { abortSignal }),
        ),
      )
      return poller?.getOperationState().certificateOperation ?? null
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined
      // The SDK throws a plain error with the authority's words when the operation has failed.
      if (
        !(error instanceof Denied || error instanceof Transient) &&
        cause instanceof Error &&
        cause.name === 'Error'
      )
        throw new Denied(
          'CertificateRequestFailed',
          `The authority refused: ${messageOf(cause).slice(0, 200)}`,
          {
            cause,
          },
        )
      throw error
    }
  }

  /** Versions with this rotation's mark that the snapshot does not know. */
  const marked = async (order: Order, work: Work) =>
    (await versions(order.subject, work)).filter(
      ({ live, tags }) =>
        markedBy(tags[TAGS.rotation]) === order.rotation &&
        !order.snapshot.some(({ keyId }) => keyId === live.keyId),
    )

  const pending = (policy: CertificatePolicy | undefined, found: CertificateOperation | null): Pending => {
    const awaits = (found?.issuerName ?? policy?.issuerName) === 'Unknown' ? 'merge' : 'authority'
    return {
      state: 'pending',
      awaits,
      request: found?.csr && awaits === 'merge' ? pem('CERTIFICATE REQUEST', found.csr) : null,
      afterMs: LOOK_MS[awaits],
    }
  }

  /** Where the making stands: the new version, or what it waits for. */
  async function standing(order: Order, work: Work): Promise<Issued | Pending | null> {
    const [made] = await marked(order, work)
    if (made)
      return { state: 'issued', keyId: made.live.keyId, endsAt: made.live.endsAt, mac: null, stored: [] }
    const found = await operation(order.subject, work)
    if (!found?.status) return null
    const { policy, properties } = await current(order.subject, work)
    if (IN_PROGRESS.test(found.status)) return found.cancellationRequested ? null : pending(policy, found)
    // Merging takes no tags: what the operation ended with is ours though it does not say so yet.
    const { version, expiresOn } = properties
    const fresh = version !== undefined && !order.snapshot.some(({ keyId }) => keyId === version)
    if (!/^completed$/i.test(found.status) || !fresh) return null
    return { state: 'issued', keyId: version, endsAt: instantOf(expiresOn), mac: null, stored: [] }
  }

  async function create(order: Order, work: Work): Promise<void> {
    const { subject } = order
    const { policy, properties } = await current(subject, work)
    if (!policy) throw new Denied('NoPolicy', 'The certificate has no policy to be made anew by')
    const kept = Object.entries(properties.tags ?? {}).filter(([name]) => !name.startsWith('attestry-'))
    const tags = Object.fromEntries([[TAGS.rotation, markOf(order)], ...kept].slice(0, 15))
    await call(azure, work.signal, (abortSignal) =>
      clientsOf(subject).writer.beginCreateCertificate(itemOf(subject), policy, { tags, abortSignal }),
    )
  }

  async function noOperation(order: Order, work: Work): Promise<readonly PreflightCheck[]> {
    const found = await operation(order.subject, work).catch((error: unknown) => {
      // A failed one of earlier times is no obstacle.
      if (error instanceof Denied && error.code === 'CertificateRequestFailed') return null
      throw error
    })
    return found?.status && IN_PROGRESS.test(found.status) && !found.cancellationRequested
      ? [failed('issuer', 'A request for this certificate is pending already: finish it or cancel it first.')]
      : [passed('issuer', 'No request for this certificate is pending.')]
  }

  return {
    kind: 'certificate',
    retirement: 'disable',
    stores: false,
    longestDays: null,

    look: async (subject, _, work) => {
      // In this order: of a list that is refused the SDK does not say which right was missing.
      const now = await current(subject, work)
      const all = await versions(subject, work)
      return {
        live: all.map(({ live }) => live),
        targets: [],
        serves: now.properties.enabled === false ? null : (now.properties.version ?? null),
        slotInUse: null,
      }
    },

    preflight: async (order, work) => [
      ...(await itemPreflight(
        manager,
        'certificates',
        order.subject,
        [
          { action: 'certificates/read', permission: 'get', why: 'to see its versions' },
          { action: 'certificates/create/action', permission: 'create', why: 'to request a new version' },
          { action: 'certificates/update/action', permission: 'update', why: 'to disable the old version' },
        ],
        work,
        async () => ({ tags: (await current(order.subject, work)).properties.tags ?? {}, deleted: false }),
      )),
      ...(await looked('issuer', 'The pending request cannot be looked at', () => noOperation(order, work))),
    ],

    issue: async (order, work) => {
      work.progress('Requesting the certificate.')
      try {
        await create(order, work)
      } catch (error) {
        if (!(error instanceof Transient) || work.signal.aborted) throw error
        // The answer may be lost and the request made: then it stands, or has ended already.
        const stands = await standing(order, work)
        if (!stands) throw error
        return stands
      }
      const stands = await standing(order, work)
      if (!stands) throw new Transient('The vault does not show the request yet')
      return stands
    },

    follow: async (order, chain, work) => {
      const { subject } = order
      if (chain !== null && chain.length > 0) {
        const certificates = derOf(chain)
        if (certificates.length === 0)
          throw new Denied('NoCertificate', 'There is no certificate in PEM between BEGIN and END lines')
        if ((await standing(order, work))?.state !== 'issued')
          try {
            await call(azure, work.signal, (abortSignal) =>
              clientsOf(subject).writer.mergeCertificate(itemOf(subject), certificates, { abortSignal }),
            )
          } catch (error) {
            if (!(error instanceof Transient) || work.signal.aborted) throw error
            if ((await standing(order, work))?.state !== 'issued') throw error
          }
      }
      const stands = await standing(order, work)
      if (stands) return stands
      throw new Denied(
        'CertificateRequestEnded',
        'The request is not pending any more and no certificate came of it',
      )
    },

    probe: async (order, work) => {
      const stands = await standing(order, work)
      return {
        credentials: stands?.state === 'issued' ? [{ keyId: stands.keyId, endsAt: stands.endsAt }] : [],
        versions: [],
        pending: stands?.state === 'pending' ? stands : null,
      }
    },

    // What a vault serves as its newest version cannot be taken back; a request can.
    restore: () => Promise.resolve(0),
    discard: async (order, work) => {
      const stands = await standing(order, work)
      if (stands?.state !== 'pending') return []
      const name = itemOf(order.subject)
      const poller = await unlessAbsent(
        call(azure, work.signal, (abortSignal) =>
          clientsOf(order.subject).reader.getCertificateOperation(name, { abortSignal }),
        ),
      )
      if (poller) {
        await call(azure, work.signal, () => poller.cancelOperation())
        await unlessAbsent(
          call(azure, work.signal, (abortSignal) =>
            clientsOf(order.subject).writer.deleteCertificateOperation(name, { abortSignal }),
          ),
        )
      }
      return []
    },

    verify: async (order, issued, work) => {
      const { properties } = await current(order.subject, work)
      if (properties.version !== issued.keyId)
        throw new Denied('VerificationFailed', 'The vault serves another certificate than was made')
      const now = work.now().epochMilliseconds
      if (properties.enabled === false || (properties.expiresOn?.getTime() ?? now + 1) <= now)
        throw new Denied('VerificationFailed', 'The new certificate is disabled or has ended')
      return { successes: 1, overMs: 0 }
    },

    disable: (order, keyId, work) => setEnabled(order, keyId, false, work),
    enable: (order, keyId, work) => setEnabled(order, keyId, true, work),
    // The old version is disabled and kept.
    retire: () => Promise.resolve(),
  }

  async function setEnabled(order: Order, keyId: string, enabled: boolean, work: Work): Promise<number> {
    const { properties } = await current(order.subject, work)
    if (!order.snapshot.some((one) => one.keyId === keyId))
      throw new Denied('NotInSnapshot', 'This version is not in the snapshot that the plan was made of')
    if (properties.version === keyId && !enabled)
      throw new Denied(
        'StillServed',
        'The vault still serves this version: disabling it would cut off who uses it',
      )
    const held = (await versions(order.subject, work)).find(({ live }) => live.keyId === keyId)
    if (!held) return 0
    if (held.enabled !== enabled)
      await call(azure, work.signal, (abortSignal) =>
        clientsOf(order.subject).writer.updateCertificateProperties(itemOf(order.subject), keyId, {
          enabled,
          abortSignal,
        }),
      )
    return 1
  }
}
