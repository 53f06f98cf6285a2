import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'

/*
 * A certificate authority of a few lines (RFC 5280): root, intermediate, and leaves with P-256 keys, so that stores
 * which check chains and keys have something to check.
 */
const node = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: Uint8Array[]) => node(0x30, ...parts)
const oid = (hex: string) => node(0x06, Buffer.from(hex, 'hex'))
const name = (text: string) => sequence(node(0x31, sequence(oid('550403'), node(0x0c, Buffer.from(text)))))
const time = (ms: number) =>
  node(
    0x17,
    Buffer.from(
      new Date(ms)
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2),
    ),
  )
const ecdsaSha256 = sequence(oid('2a8648ce3d040302'))

let serials = 0
function certify(
  subject: string,
  subjectKey: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  ca: boolean,
): string {
  const day = 86_400_000
  const now = Date.now()
  const extensions = [
    ca
      ? sequence(
          oid('551d13'),
          node(0x01, Buffer.from([0xff])),
          node(0x04, sequence(node(0x01, Buffer.from([0xff])))),
        )
      : sequence(oid('551d11'), node(0x04, sequence(node(0x82, Buffer.from(subject))))),
  ]
  const body = sequence(
    node(0xa0, node(0x02, Buffer.from([2]))),
    node(0x02, Buffer.from([1, ...Buffer.from(String(++serials))])),
    ecdsaSha256,
    name(issuer),
    sequence(time(now - day), time(now + 90 * day)),
    name(subject),
    createPublicKey(subjectKey).export({ type: 'spki', format: 'der' }),
    node(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, issuerKey)
  const der = sequence(body, ecdsaSha256, node(0x03, Buffer.from([0]), signature))
  return new X509Certificate(der).toString()
}

const key = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const root = key()
const between = key()
const intermediate = certify('Test Issuing CA', between, 'Test Root CA', root, true)
const rootCertificate = certify('Test Root CA', root, 'Test Root CA', root, true)

/** A new certificate for a host, with its key and its issuers, as PEM texts. */
export function issue(host: string): { certificate: string; chain: string; privateKey: string; pem: string } {
  const own = key()
  const certificate = certify(host, own, 'Test Issuing CA', between, false)
  const privateKey = own.export({ type: 'pkcs8', format: 'pem' })
  const chain = intermediate + rootCertificate
  return { certificate, chain, privateKey, pem: certificate + chain + privateKey }
}
