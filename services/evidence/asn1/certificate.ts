import {
  bitString,
  boolean,
  type Bytes,
  children,
  context,
  type Element,
  Fields,
  must,
  objectId,
  octetString,
  onlyElement,
  sameOctets,
  smallInteger,
  tags,
  time,
} from './der.ts'

/** An algorithm and what it is to be used with. */
export interface Algorithm {
  readonly id: string
  readonly parameters: Element | null
}

export interface Extension {
  readonly id: string
  readonly critical: boolean
  readonly value: Bytes
}

/** A certificate as far as paths and signatures need it. Names are compared as they are written. */
export interface Certificate {
  /** The whole, DER, as it was read. */
  readonly der: Bytes
  /** The part that is signed. */
  readonly signed: Bytes
  /** Content of the INTEGER. */
  readonly serial: Bytes
  readonly issuer: Bytes
  readonly subject: Bytes
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes
  readonly algorithm: Algorithm
  readonly signature: Bytes
  readonly extensions: readonly Extension[]
}

export function algorithmOf(element: Element): Algorithm {
  const fields = new Fields(element, 'an algorithm')
  const id = objectId(fields.any())
  const [, parameters = null, more] = children(element)
  must(more === undefined, 'something follows an algorithm')
  return { id, parameters }
}

/**
 * Reads a certificate.
 * @throws Refusal when the bytes are none
 * @see RFC 5280 §4.1
 */
export function readCertificate(der: Bytes): Certificate {
  const outer = new Fields(onlyElement(der, 'the certificate'), 'the certificate')
  const signed = outer.take(tags.sequence)
  const stated = outer.take(tags.sequence)
  const signature = bitString(outer.take(tags.bitString))
  outer.end()

  const fields = new Fields(signed, 'the certificate')
  fields.maybe(context(0))
  const serial = fields.take(tags.integer).content
  // Signed and unsigned must name one algorithm (RFC 5280 §4.1.1.2).
  must(
    sameOctets(fields.take(tags.sequence).whole, stated.whole),
    'the certificate names two algorithms of its signature',
  )
  const issuer = fields.take(tags.sequence).whole
  const validity = new Fields(fields.take(tags.sequence), 'the validity')
  const [notBefore, notAfter] = [time(validity.any()), time(validity.any())]
  validity.end()
  const subject = fields.take(tags.sequence).whole
  const publicKey = fields.take(tags.sequence).whole
  fields.maybe(context(1, false))
  fields.maybe(context(2, false))
  const extensions = fields.maybe(context(3))
  fields.end()
  return {
    der,
    signed: signed.whole,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKey,
    algorithm: algorithmOf(stated),
    signature,
    extensions: extensions === null ? [] : readExtensions(onlyElement(extensions.content, 'the extensions')),
  }
}

/** Extensions, each at most once (RFC 5280 §4.2). */
export function readExtensions(element: Element): Extension[] {
  must(element.tag === tags.sequence, 'the extensions are not of the form they must have')
  const found = children(element).map((each) => {
    const fields = new Fields(each, 'an extension')
    const id = objectId(fields.any())
    const critical = fields.maybe(tags.boolean)
    const value = octetString(fields.any())
    fields.end()
    return { id, critical: critical !== null && boolean(critical), value }
  })
  must(new Set(found.map(({ id }) => id)).size === found.length, 'an extension stands twice')
  return found
}

const extension = ({ extensions }: Certificate, wanted: string): Element | null => {
  const found = extensions.find(({ id }) => id === wanted)
  return found === undefined ? null : onlyElement(found.value, 'the extension')
}

/** The first octet of the key usage, or null when the extension is absent (RFC 5280 §4.2.1.3). */
export function keyUsageBits(certificate: Certificate): number | null {
  const usage = extension(certificate, '2.5.29.15')
  if (usage === null) return null
  must(usage.tag === tags.bitString, 'the key usage is not of the form it must have')
  return usage.content[1] ?? 0
}

/** What the certificate may be used for, and whether that is critical; null when it does not say. */
export function purposesOf(
  certificate: Certificate,
): { readonly ids: readonly string[]; readonly critical: boolean } | null {
  const usage = extension(certificate, '2.5.29.37')
  if (usage === null) return null
  must(usage.tag === tags.sequence, 'the extended key usage is not of the form it must have')
  const critical = certificate.extensions.some((each) => each.id === '2.5.29.37' && each.critical)
  return { ids: children(usage).map(objectId), critical }
}

/** Whether it is of an authority, and how many certificates of authorities may stand below it. */
export function authorityOf(certificate: Certificate): {
  readonly isAuthority: boolean
  readonly below: number
} {
  const constraints = extension(certificate, '2.5.29.19')
  if (constraints === null) return { isAuthority: false, below: 0 }
  const fields = new Fields(constraints, 'the basic constraints')
  const flag = fields.maybe(tags.boolean)
  const limit = fields.maybe(tags.integer)
  fields.end()
  return {
    isAuthority: flag !== null && boolean(flag),
    below: limit === null ? Number.POSITIVE_INFINITY : smallInteger(limit),
  }
}

/** The identifier of its key, where it gives one. */
export function subjectKeyId(certificate: Certificate): Bytes | null {
  const found = extension(certificate, '2.5.29.14')
  return found === null ? null : octetString(found)
}

/** The common name of a certificate's subject, or the whole subject when it has none. */
export function commonName({ subject }: Certificate): string {
  const parts = children(onlyElement(subject, 'the name'))
    .flatMap(children)
    .map((each) => {
      const fields = new Fields(each, 'a name')
      return { type: objectId(fields.any()), text: textOf(fields.any()) }
    })
  return parts.find(({ type }) => type === '2.5.4.3')?.text ?? parts.map(({ text }) => text).join(', ')
}

const encodings: ReadonlyMap<number, string> = new Map([
  [tags.utf8, 'utf-8'],
  // BMPString; the other kinds of text of a name are ASCII, or were meant to be.
  [0x1e, 'utf-16be'],
])

export function textOf({ tag, content }: Element): string {
  return new TextDecoder(encodings.get(tag) ?? 'latin1').decode(content)
}
