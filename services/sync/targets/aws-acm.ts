import {
  AddTagsToCertificateCommand,
  type CertificateSummary,
  DeleteCertificateCommand,
  DescribeCertificateCommand,
  ImportCertificateCommand,
  KeyAlgorithm,
  ListCertificatesCommand,
  ListTagsForCertificateCommand,
} from '@aws-sdk/client-acm'
import { refuse } from '@attestry/kit'
import type { Account, World } from './access.ts'
import { awsCode } from './aws-failure.ts'
import { awsAccess } from './aws-sign-in.ts'
import { AWS_TAGS, tagList, tagsOf } from './aws-tags.ts'
import { type CertificateParts, certificateParts } from './certificate.ts'
import { type Capabilities, markOf, type RemoteEntry, type Target, type TargetRefusal } from './target.ts'
import { pagesByToken } from './token-pages.ts'

/*
 * AWS Certificate Manager, certificates that are imported. They have no names, so the tag `Name` is the name; one that
 * bears none goes by its domain. A renewed certificate is imported to the ARN that is there, so whatever uses it goes
 * on doing so. What is imported is never handed out again by any call here.
 */

const NAME_TAG = 'Name'

export const AWS_ACM: Capabilities = {
  kind: 'aws-acm',
  takes: 'certificates',
  foldsCase: false,
  name: {
    pattern: /^[\p{L}\p{N}_.:/=+\-@]{1,256}$/u,
    says: 'be 1 to 256 letters, digits and _ . : / = + - @',
  },
  value: { minBytes: 1, maxBytes: 65_536, binary: true },
  // The name is a tag too.
  tags: {
    most: AWS_TAGS.most - 1,
    key: /^(?!aws:|Name$)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u,
    value: AWS_TAGS.value,
    says: 'be at most 43, of letters, digits, spaces and _ . : / = + - @, not begin with aws: and not be Name',
  },
  marks: 'object',
  drift: 'listed',
  disables: false,
  restores: false,
  // One import a second.
  writesPerMinute: 30,
  writeEveryMs: null,
  inFlight: 1,
}

const PAGE = 100

interface Held {
  readonly summary: CertificateSummary
  readonly tags: Readonly<Record<string, string | undefined>>
}

const nameOf = ({ summary, tags }: Held): string => tags[NAME_TAG] || summary.DomainName || ''
const stampOf = (summary: {
  readonly ImportedAt?: Date | undefined
  readonly NotAfter?: Date | undefined
}): string => `${summary.ImportedAt?.getTime() ?? 0} ${summary.NotAfter?.getTime() ?? 0}`
/** AWS writes colons between the bytes. */
const serialOf = (text: string | undefined): string => (text ?? '').replaceAll(':', '').toLowerCase()

const entryOf = (held: Held, version: string | null): RemoteEntry => ({
  name: nameOf(held),
  id: held.summary.CertificateArn ?? '',
  state: 'live',
  mark: markOf(held.tags),
  version,
  // Nothing of AWS’s ties a source version to what is served; the serial number is compared where it matters.
  servedSource: null,
  stamp: stampOf(held.summary),
})

function refusalOf(error: unknown): TargetRefusal {
  const code = awsCode(error)
  if (code === 'ResourceNotFoundException') return refuse('gone', 'The certificate is not there any more.')
  if (code === 'LimitExceededException' || code === 'TooManyTagsException')
    return refuse('limit', 'AWS keeps no more: the quota of certificates, imports or tags is reached.')
  if (code === 'ValidationException')
    return refuse('bad-certificate', 'AWS does not take the certificate: its key, its chain or its dates.')
  throw error
}

/** Writes copies to AWS Certificate Manager. */
export function awsAcmTarget(account: Account, world: World): Target {
  const { certificates, ask, account: whoAmI } = awsAccess(account, world)

  async function tagsAt(arn: string, abortSignal: AbortSignal): Promise<Held['tags']> {
    const { Tags } = await ask(() =>
      certificates.send(new ListTagsForCertificateCommand({ CertificateArn: arn }), { abortSignal }),
    )
    return tagsOf(Tags)
  }
  /** Imported certificates with their tags, which AWS tells one at a time. */
  const held = (signal: AbortSignal): AsyncGenerator<Held[]> =>
    // 2,500 certificates are what an account holds; quotas reach a few times that.
    pagesByToken(500, signal, async (token) => {
      const answer = await ask(() =>
        certificates.send(
          new ListCertificatesCommand({
            MaxItems: PAGE,
            // Unasked, the listing leaves out all but RSA keys of up to 2,048 bits.
            Includes: { keyTypes: Object.values(KeyAlgorithm) },
            ...(token === undefined ? {} : { NextToken: token }),
          }),
          { abortSignal: signal },
        ),
      )
      const page: Held[] = []
      for (const summary of answer.CertificateSummaryList ?? []) {
        const arn = summary.CertificateArn
        if (summary.Type !== 'IMPORTED' || arn === undefined) continue
        try {
          page.push({ summary, tags: await tagsAt(arn, signal) })
        } catch (error) {
          // Deleted since it was listed.
          if (awsCode(error) !== 'ResourceNotFoundException') throw error
        }
      }
      return { page, next: answer.NextToken }
    })
  async function byName(name: string, signal: AbortSignal): Promise<Held | null> {
    for await (const page of held(signal)) {
      const found = page.find((one) => nameOf(one) === name)
      if (found) return found
    }
    return null
  }
  async function detailOf(arn: string, abortSignal: AbortSignal) {
    const { Certificate } = await ask(() =>
      certificates.send(new DescribeCertificateCommand({ CertificateArn: arn }), { abortSignal }),
    )
    return { version: serialOf(Certificate?.Serial), stamp: stampOf(Certificate ?? {}) }
  }
  const material = ({ certificate, chain, privateKey }: CertificateParts) => ({
    Certificate: Buffer.from(certificate),
    PrivateKey: Buffer.from(privateKey),
    ...(chain === '' ? {} : { CertificateChain: Buffer.from(chain) }),
  })

  return {
    can: AWS_ACM,
    async test(signal) {
      const reached = await whoAmI(signal)
      await ask(() =>
        certificates.send(new ListCertificatesCommand({ MaxItems: 1 }), { abortSignal: signal }),
      )
      return { account: reached }
    },
    async *list(signal) {
      for await (const page of held(signal)) yield page.map((one) => entryOf(one, null))
    },
    async describe(name, signal) {
      const found = await byName(name, signal)
      if (!found) return null
      try {
        return entryOf(found, (await detailOf(found.summary.CertificateArn ?? '', signal)).version)
      } catch (error) {
        if (awsCode(error) === 'ResourceNotFoundException') return null
        throw error
      }
    },
    async create(name, { value, mark, metadata }, abortSignal) {
      const parts = certificateParts(value)
      if ('refused' in parts) return parts
      // AWS would take a second one gladly: names are our affair.
      if (await byName(name, abortSignal))
        return refuse('exists', 'A certificate of this name is there already.')
      try {
        const Tags = [...tagList(mark, metadata, AWS_ACM.tags), { Key: NAME_TAG, Value: name }]
        const { CertificateArn: id = '' } = await ask(() =>
          certificates.send(new ImportCertificateCommand({ ...material(parts), Tags }), { abortSignal }),
        )
        return { id, ...(await detailOf(id, abortSignal)), marked: true }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async put(entry, { value }, abortSignal) {
      const parts = certificateParts(value)
      if ('refused' in parts) return parts
      try {
        const now = await detailOf(entry.id, abortSignal)
        if (now.version === parts.serial) return { id: entry.id, ...now, marked: false }
        await ask(() =>
          certificates.send(new ImportCertificateCommand({ ...material(parts), CertificateArn: entry.id }), {
            abortSignal,
          }),
        )
        return { id: entry.id, ...(await detailOf(entry.id, abortSignal)), marked: false }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async mark(entry, mark, metadata, abortSignal) {
      try {
        const Tags = tagList(mark, metadata, AWS_ACM.tags)
        await ask(() =>
          certificates.send(new AddTagsToCertificateCommand({ CertificateArn: entry.id, Tags }), {
            abortSignal,
          }),
        )
        return { stamp: entry.stamp }
      } catch (error) {
        return refusalOf(error)
      }
    },
    restore: () => Promise.resolve(refuse('gone', 'A deleted certificate does not come back.')),
    disable: () =>
      Promise.resolve(refuse('gone', 'Certificate Manager cannot keep a certificate and not serve it.')),
    async remove(entry, abortSignal) {
      try {
        await ask(() =>
          certificates.send(new DeleteCertificateCommand({ CertificateArn: entry.id }), { abortSignal }),
        )
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        return refusal.refused === 'gone' ? null : refusal
      }
    },
    // An import replaces what was there.
    trim: () => Promise.resolve(),
  }
}
