import { createCipheriv, type KeyObject, pbkdf2Sync, X509Certificate } from 'node:crypto'
import type { Certificate, CertificateVersion } from '../estate/estate.ts'
import { bytesFrom, privateKey } from './key-material.ts'
import { issuerOf, node, octets, oid, sequence, x509 } from './x509.ts'

/*
 * What the secret behind a certificate answers: certificate, issuer and key, as PEM or as PKCS #12 (RFC 7292) under the
 * empty password. The file bears no MAC, which under an empty password would prove nothing.
 */

const oids = {
  data: oid('1.2.840.113549.1.7.1'),
  encryptedData: oid('1.2.840.113549.1.7.6'),
  shroudedKeyBag: oid('1.2.840.113549.1.12.10.1.2'),
  certBag: oid('1.2.840.113549.1.12.10.1.3'),
  x509: oid('1.2.840.113549.1.9.22.1'),
  pbes2: oid('1.2.840.113549.1.5.13'),
  pbkdf2: oid('1.2.840.113549.1.5.12'),
  hmacWithSha256: oid('1.2.840.113549.2.9'),
  aes256: oid('2.16.840.1.101.3.4.1.42'),
}
const ROUNDS = 2048
/** Up to 32,767. */
const integer = (value: number) =>
  node(0x02, Buffer.from(value < 0x80 ? [value] : [value >> 8, value & 0xff]))
const explicit = (...parts: Uint8Array[]) => node(0xa0, ...parts)
const bag = (kind: Buffer, value: Uint8Array) => sequence(kind, explicit(value))

/** Salt and vector follow from the seed, so that the same version is the same file each time. */
function encrypted(plain: Uint8Array, seed: string): { algorithm: Buffer; data: Buffer } {
  const salt = bytesFrom(`${seed} salt`, 16)
  const vector = bytesFrom(`${seed} vector`, 16)
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync('', salt, ROUNDS, 32, 'sha256'), vector)
  const derivation = sequence(octets(salt), integer(ROUNDS), sequence(oids.hmacWithSha256, node(0x05)))
  return {
    algorithm: sequence(
      oids.pbes2,
      sequence(sequence(oids.pbkdf2, derivation), sequence(oids.aes256, octets(vector))),
    ),
    data: Buffer.concat([cipher.update(plain), cipher.final()]),
  }
}

function pkcs12(certificates: readonly Buffer[], key: KeyObject, seed: string): Buffer {
  const pkcs8 = encrypted(key.export({ type: 'pkcs8', format: 'der' }), `${seed} key`)
  const keys = sequence(bag(oids.shroudedKeyBag, sequence(pkcs8.algorithm, octets(pkcs8.data))))
  const bags = certificates.map((der) => bag(oids.certBag, sequence(oids.x509, explicit(octets(der)))))
  const certs = encrypted(sequence(...bags), `${seed} certificates`)
  // The content's tag is implicit.
  const content = sequence(oids.data, certs.algorithm, node(0x80, certs.data))
  const safe = sequence(bag(oids.encryptedData, sequence(integer(0), content)), bag(oids.data, octets(keys)))
  return sequence(integer(3), bag(oids.data, octets(safe)))
}

/** The bundle of a version; undefined where the twin knows the public half of its key alone. */
export function certificateSecret(item: Certificate, version: CertificateVersion): string | undefined {
  const key = privateKey(version.shape, version.seed)
  if (key === undefined) return undefined
  const issuer = version.merged === undefined ? issuerOf(item) : undefined
  const chain = [x509(item, version).der, ...(issuer === undefined ? [] : [issuer])]
  if (item.policy.contentType === 'application/x-pkcs12')
    return pkcs12(chain, key, version.seed).toString('base64')
  return [
    key.export({ type: 'pkcs8', format: 'pem' }),
    ...chain.map((der) => new X509Certificate(der).toString()),
  ].join('')
}
