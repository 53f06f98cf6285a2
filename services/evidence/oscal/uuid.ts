import { createHash } from 'node:crypto'

/** The namespace of all ids in our OSCAL documents: `urn:attestry:oscal` in the namespace of URLs. */
const NAMESPACE = uuid5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'urn:attestry:oscal')

/** The id of something by its name: the same name gives the same id in every document and every run. */
export const uuidOf = (...name: readonly string[]): string => uuid5(NAMESPACE, name.join('\n'))

/**
 * A UUID version 5.
 * @see RFC 9562 5.5
 */
export function uuid5(namespace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
