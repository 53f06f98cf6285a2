import { randomBytes } from 'node:crypto'
import * as pkijs from 'pkijs'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Authority, certificatePem, createAuthority, issueSigner } from '../twin/tsa/authority.ts'
import { type Certificate, commonName } from './asn1/certificate.ts'
import { certificatesFromPem, pathToRoot } from './certificate-path.ts'

const random = (length: number) => Uint8Array.from(randomBytes(length))
const now = new Date('2026-03-01T00:00:00Z')
const shape = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-01-01T00:00:00Z') }

/** The certificate as a verifier gets it: parsed from its bytes. */
const read = (certificate: pkijs.Certificate): Certificate => {
  const [parsed] = certificatesFromPem(certificatePem(certificate))
  if (parsed === undefined) throw new Error('the certificate was just written')
  return parsed
}

let authority: Authority
let other: Authority
beforeAll(async () => {
  authority = await createAuthority('one', 'ecdsa-p256', now, random)
  other = await createAuthority('one', 'ecdsa-p256', now, random)
})

describe('pathToRoot()', () => {
  test('ends at the pinned root', async () => {
    const path = await pathToRoot(
      read(authority.signer.certificate),
      [],
      [read(authority.root.certificate)],
      now,
    )
    if ('problem' in path) throw new Error(path.problem)
    expect(path.map(commonName)).toEqual(['one', 'one root'])
  })

  test('is not fooled by a root of the same name', async () => {
    const path = await pathToRoot(read(authority.signer.certificate), [], [read(other.root.certificate)], now)
    expect(path).toEqual({ problem: 'a certificate is not signed by the issuer it names' })
  })

  test('a root that the token brings along is not pinned by that', async () => {
    const [leaf, root] = [read(other.signer.certificate), read(other.root.certificate)]
    expect(await pathToRoot(leaf, [root], [read(authority.root.certificate)], now)).toHaveProperty('problem')
    expect(await pathToRoot(leaf, [root], [], now)).toHaveProperty('problem')
  })

  test('a certificate that is no authority cannot issue one', async () => {
    const { family, signer, root } = authority
    const below = await issueSigner({ family, root: signer }, 'below', shape, random)
    const path = await pathToRoot(
      read(below.certificate),
      [read(signer.certificate)],
      [read(root.certificate)],
      now,
    )
    expect(path).toEqual({ problem: 'one is not a certificate authority' })
  })

  test('an unknown critical extension refuses a certificate', async () => {
    const { family, root } = authority
    const odd = await issueSigner({ family, root }, 'odd', shape, random)
    odd.certificate.extensions?.push(
      new pkijs.Extension({ extnID: '1.2.3.4', critical: true, extnValue: Uint8Array.of(5, 0).buffer }),
    )
    await odd.certificate.sign(root.privateKey, 'SHA-256')
    const path = await pathToRoot(read(odd.certificate), [], [read(root.certificate)], now)
    expect(path).toEqual({ problem: 'odd has the unknown critical extension 1.2.3.4' })
  })

  test('a certificate signed with SHA-1 counts for nothing', async () => {
    const { family, root } = authority
    const weak = await issueSigner({ family, root }, 'weak', shape, random)
    await weak.certificate.sign(root.privateKey, 'SHA-1')
    const path = await pathToRoot(read(weak.certificate), [], [read(root.certificate)], now)
    expect(path).toEqual({ problem: 'a certificate is signed with SHA-1 or MD5' })
  })

  test('every certificate must have been valid at the time asked', async () => {
    const { family, root } = authority
    const leaf = await issueSigner({ family, root }, 'leaf', shape, random)
    const ask = (at: string) => pathToRoot(read(leaf.certificate), [], [read(root.certificate)], new Date(at))
    expect(await ask('2026-06-01T00:00:00Z')).toHaveLength(2)
    expect(await ask('2027-01-02T00:00:00Z')).toHaveProperty('problem')
    expect(await ask('2026-02-01T00:00:00Z')).toHaveProperty('problem') // before the root's own time
  })
})
