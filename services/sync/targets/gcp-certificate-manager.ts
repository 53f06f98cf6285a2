import { X509Certificate } from 'node:crypto'
import { refuse } from '@attestry/kit'
import type { CertificateManagerClient, protos } from '@google-cloud/certificate-manager'
import type { Account, World } from './access.ts'
import { type CertificateParts, certificateParts } from './certificate.ts'
import { gcpCode } from './gcp-failure.ts'
import { GCP_CALL, gcpAccess } from './gcp-sign-in.ts'
import {
  type Capabilities,
  isMarkTag,
  MANAGED_BY,
  MARK_TAGS,
  type Mark,
  markOf,
  type Metadata,
  type RemoteEntry,
  type Target,
  type TargetRefusal,
} from './target.ts'
import { pagesByToken } from './token-pages.ts'

/*
 * Google Certificate Manager, self-managed certificates. There are labels only, too short for a digest, so the mark
 * stands in the description; value, mark and labels change in one request. The listing shows the certificate itself,
 * without its key, so that it tells which issue of it is served.
 */

export const GCP_CERTIFICATE_MANAGER: Capabilities = {
  kind: 'gcp-certificate-manager',
  takes: 'certificates',
  foldsCase: true,
  name: {
    pattern: /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/i,
    says: 'be 1 to 63 letters, digits and dashes, begin with a letter and end with none of the dashes',
  },
  value: { minBytes: 1, maxBytes: 65_536, binary: true },
  // 64 labels, one of them the mark's.
  tags: {
    most: 63,
    key: /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u,
    value: /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u,
    says: 'be at most 63, of lower-case letters, digits, _ and -, at most 63 characters long',
  },
  marks: 'object',
  drift: 'listed',
  disables: false,
  restores: false,
  // 300 requests a minute of all kinds; a change is followed until it is done.
  writesPerMinute: 60,
  writeEveryMs: null,
  inFlight: 2,
}

type Certificate = protos.google.cloud.certificatemanager.v1.ICertificate

const LOCATION = 'global'
const PAGE = 100
/** A change is looked at so often and so far apart: a minute in all. */
const LOOKS = 60
const LOOK_MS = 1_000

const HEAD = 'Copied by Attestry.'
/** One `name=value` a field, so that a person can read it too. */
const describing = (mark: Mark, serial: string): string =>
  [
    HEAD,
    ...(['route', 'secret', 'vault', 'sourceVersion', 'mac'] as const).map(
      (field) => `${MARK_TAGS[field]}=${mark[field]}`,
    ),
    `serial=${serial}`,
  ].join(' ')
function described(text: string | null | undefined): { mark: Mark | null; serial: string | null } {
  if (!text?.startsWith(HEAD)) return { mark: null, serial: null }
  const fields = Object.fromEntries(
    text
      .slice(HEAD.length)
      .trim()
      .split(' ')
      .map((field) => {
        const at = field.indexOf('=')
        return [field.slice(0, at), field.slice(at + 1)]
      }),
  )
  return { mark: markOf({ ...fields, [MARK_TAGS.managedBy]: MANAGED_BY }), serial: fields['serial'] ?? null }
}

const nameOf = (full: string | null | undefined): string => full?.split('/').at(-1) ?? ''
function serialOf(pem: string | null | undefined): string | null {
  try {
    return pem ? new X509Certificate(pem).serialNumber.toLowerCase() : null
  } catch {
    // Somebody else's, of a kind that this machine's library does not read.
    return null
  }
}
const stampOf = ({ updateTime }: Certificate): string =>
  `${String(updateTime?.seconds ?? 0)}.${String(updateTime?.nanos ?? 0)}`

function entryOf(certificate: Certificate): RemoteEntry {
  const { mark, serial } = described(certificate.description)
  const version = serialOf(certificate.pemCertificate)
  return {
    name: nameOf(certificate.name),
    id: certificate.name ?? '',
    state: 'live',
    mark,
    version,
    servedSource: mark && serial === version ? mark.sourceVersion : null,
    stamp: stampOf(certificate),
  }
}

function refusalOf(error: unknown): TargetRefusal {
  const code = gcpCode(error)
  if (code === 'NOT_FOUND') return refuse('gone', 'The certificate is not there any more.')
  if (code === 'ALREADY_EXISTS') return refuse('exists', 'A certificate of this name is there already.')
  if (code === 'INVALID_ARGUMENT')
    return refuse(
      'bad-certificate',
      'Google Cloud does not take the certificate: its key, its chain or its dates.',
    )
  throw error
}

const labelsOf = (before: Certificate | null, { tags }: Metadata): Record<string, string> => {
  const { key, value } = GCP_CERTIFICATE_MANAGER.tags
  const carried = tags.filter(([name, text]) => !isMarkTag(name) && key.test(name) && value.test(text))
  return { ...before?.labels, ...Object.fromEntries(carried), [MARK_TAGS.managedBy]: MANAGED_BY }
}

const material = ({ certificate, chain, privateKey }: CertificateParts) => ({
  selfManaged: { pemCertificate: certificate + chain, pemPrivateKey: privateKey },
})

/** Writes copies to Google Certificate Manager. */
export function gcpCertificateManagerTarget(account: Account, world: World): Target {
  const { project, certificates, ask } = gcpAccess(account, world)
  const parent = `${project}/locations/${LOCATION}`
  const pathOf = (name: string) => `${parent}/certificates/${name.toLowerCase()}`

  async function read(name: string, signal: AbortSignal): Promise<Certificate | null> {
    const client = await ask(signal, certificates)
    try {
      const [certificate] = await ask(signal, () => client.getCertificate({ name: pathOf(name) }, GCP_CALL))
      return certificate
    } catch (error) {
      if (gcpCode(error) === 'NOT_FOUND') return null
      throw error
    }
  }
  /** Waits for a change to be done, and reads what is there then. */
  async function done(
    client: CertificateManagerClient,
    operation: string | undefined,
    name: string,
    signal: AbortSignal,
  ): Promise<Certificate | null> {
    for (let look = 0; look < LOOKS; look++) {
      const [state] = await ask(signal, () =>
        // The SDK's type asks for a message object where its code takes a plain one.
        client.operationsClient.getOperation({ name: operation ?? '' } as never, GCP_CALL),
      )
      if (state.done) return read(name, signal)
      await new Promise((resolve) => {
        setTimeout(resolve, LOOK_MS)
      })
      signal.throwIfAborted()
    }
    throw new Error('a change of Certificate Manager did not end within a minute')
  }
  async function update(name: string, after: Certificate, signal: AbortSignal): Promise<Certificate | null> {
    const client = await ask(signal, certificates)
    const paths = Object.keys(after).map((field) => (field === 'selfManaged' ? 'self_managed' : field))
    const [operation] = await ask(signal, () =>
      client.updateCertificate(
        { certificate: { name: pathOf(name), ...after }, updateMask: { paths } },
        GCP_CALL,
      ),
    )
    return done(client, operation.name, name, signal)
  }

  return {
    can: GCP_CERTIFICATE_MANAGER,
    async test(signal) {
      const client = await ask(signal, certificates)
      await ask(signal, () =>
        client.listCertificates({ parent, pageSize: 1 }, { ...GCP_CALL, autoPaginate: false }),
      )
      return { account: account.account }
    },
    async *list(signal) {
      const client = await ask(signal, certificates)
      // A hundred thousand certificates: beyond any quota.
      yield* pagesByToken(1_000, signal, async (token) => {
        const [found, , answer] = await ask(signal, () =>
          client.listCertificates(
            { parent, pageSize: PAGE, ...(token === undefined ? {} : { pageToken: token }) },
            { ...GCP_CALL, autoPaginate: false },
          ),
        )
        // What Google manages itself is nobody's to write.
        const page = found.filter(({ selfManaged }) => selfManaged).map(entryOf)
        return { page, next: answer?.nextPageToken }
      })
    },
    async describe(name, signal) {
      const certificate = await read(name, signal)
      return certificate && entryOf(certificate)
    },
    async create(name, { value, mark, metadata }, signal) {
      const parts = certificateParts(value)
      if ('refused' in parts) return parts
      try {
        const client = await ask(signal, certificates)
        const [operation] = await ask(signal, () =>
          client.createCertificate(
            {
              parent,
              certificateId: name.toLowerCase(),
              certificate: {
                ...material(parts),
                description: describing(mark, parts.serial),
                labels: labelsOf(null, metadata),
              },
            },
            GCP_CALL,
          ),
        )
        const made = await done(client, operation.name, name, signal)
        if (!made) return refuse('gone', 'The certificate is not there any more.')
        return { id: made.name ?? '', version: parts.serial, stamp: stampOf(made), marked: true }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async put(entry, { value, mark, metadata }, signal) {
      const parts = certificateParts(value)
      if ('refused' in parts) return parts
      try {
        const before = await read(entry.name, signal)
        if (!before) return refuse('gone', 'The certificate is not there any more.')
        const now = entryOf(before)
        if (now.servedSource === mark.sourceVersion && now.version === parts.serial)
          return { id: now.id, version: parts.serial, stamp: now.stamp, marked: true }
        const after = await update(
          entry.name,
          {
            ...material(parts),
            description: describing(mark, parts.serial),
            labels: labelsOf(before, metadata),
          },
          signal,
        )
        if (!after) return refuse('gone', 'The certificate is not there any more.')
        return { id: now.id, version: parts.serial, stamp: stampOf(after), marked: true }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async mark(entry, mark, metadata, signal) {
      try {
        const before = await read(entry.name, signal)
        const serial = before && serialOf(before.pemCertificate)
        if (!before || serial === null) return refuse('gone', 'The certificate is not there any more.')
        const after = await update(
          entry.name,
          { description: describing(mark, serial), labels: labelsOf(before, metadata) },
          signal,
        )
        return after ? { stamp: stampOf(after) } : refuse('gone', 'The certificate is not there any more.')
      } catch (error) {
        return refusalOf(error)
      }
    },
    restore: () => Promise.resolve(refuse('gone', 'A deleted certificate does not come back.')),
    disable: () =>
      Promise.resolve(refuse('gone', 'Certificate Manager cannot keep a certificate and not serve it.')),
    async remove(entry, signal) {
      try {
        const client = await ask(signal, certificates)
        const [operation] = await ask(signal, () =>
          client.deleteCertificate({ name: pathOf(entry.name) }, GCP_CALL),
        )
        await done(client, operation.name, entry.name, signal)
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        return refusal.refused === 'gone' ? null : refusal
      }
    },
    // An update replaces what was there.
    trim: () => Promise.resolve(),
  }
}
