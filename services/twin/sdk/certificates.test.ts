import { createPublicKey, X509Certificate } from 'node:crypto'
import { CertificateClient } from '@azure/keyvault-certificates'
import * as asn1 from 'asn1js'
import * as pkijs from 'pkijs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { roles } from '../estate/roles.ts'
import { type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { routedClient, scanner } from './routed.ts'

let cloud: RunningCloud
let client: CertificateClient
beforeAll(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now(), 'workshop') })
  cloud.estate.roleAssignments.push({
    id: 'certificates',
    principal: cloud.estate.servicePrincipals[0]?.id ?? '',
    roleDefinition: roles.certificatesOfficer.id,
    scope: `/subscriptions/${cloud.estate.subscriptions[0]?.id}`,
  })
  client = new CertificateClient('https://kv-workshop.vault.azure.net', scanner(cloud), {
    httpClient: routedClient(cloud.url),
    retryOptions: { maxRetries: 0 },
  })
})
afterAll(() => cloud.stop())

/** An authority of the outside: checks the request's own signature and signs a certificate for its key. */
async function signed(request: Uint8Array): Promise<Buffer> {
  const asked = pkijs.CertificationRequest.fromBER(Uint8Array.from(request))
  expect(await asked.verify()).toBe(true)
  const authority = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign'])
  const made = new pkijs.Certificate()
  made.version = 2
  made.serialNumber = new asn1.Integer({ value: 4711 })
  made.subject = asked.subject
  made.issuer.typesAndValues.push(
    new pkijs.AttributeTypeAndValue({
      type: '2.5.4.3',
      value: new asn1.Utf8String({ value: 'Partner Authority' }),
    }),
  )
  made.notBefore.value = new Date(Date.now() - 60_000)
  made.notAfter.value = new Date(Date.now() + 90 * 86_400_000)
  made.subjectPublicKeyInfo = asked.subjectPublicKeyInfo
  await made.sign(authority.privateKey, 'SHA-256')
  return Buffer.from(made.toSchema(true).toBER())
}

describe('a certificate that somebody else signs', () => {
  test.each(['P-256', 'RSA'] as const)('%s: is requested, signed outside and merged', async (kind) => {
    const name = `partner-${kind.toLowerCase()}`
    await client.beginCreateCertificate(
      name,
      {
        issuerName: 'Unknown',
        subject: 'CN=partner.workshop.example',
        subjectAlternativeNames: { dnsNames: ['partner.workshop.example'] },
        ...(kind === 'RSA' ? { keyType: 'RSA', keySize: 2048 } : { keyType: 'EC', keyCurveName: 'P-256' }),
      },
      { tags: { 'attestry-rotation': 'rotation-1' } },
    )
    const poller = await client.getCertificateOperation(name)
    const { csr, status } = poller.getOperationState().certificateOperation ?? {}
    expect(status).toBe('inProgress')
    const certificate = await signed(csr ?? new Uint8Array())
    const merged = await client.mergeCertificate(name, [certificate])
    expect(merged.properties).toMatchObject({ enabled: true, tags: { 'attestry-rotation': 'rotation-1' } })
    const read = await client.getCertificate(name)
    expect(new X509Certificate(read.cer ?? new Uint8Array()).issuer).toBe('CN=Partner Authority')
    // What was merged once cannot be merged again.
    await expect(client.mergeCertificate(name, [certificate])).rejects.toMatchObject({ statusCode: 409 })
  })

  test('a certificate for another key is refused, and the request stays open', async () => {
    const policy = {
      issuerName: 'Unknown',
      subject: 'CN=a.example',
      keyType: 'EC',
      keyCurveName: 'P-256',
    } as const
    const csrOf = async (name: string) => {
      await client.beginCreateCertificate(name, policy)
      const poller = await client.getCertificateOperation(name)
      return poller.getOperationState().certificateOperation?.csr ?? new Uint8Array()
    }
    const first = await csrOf('first')
    const second = await csrOf('second')
    expect(createPublicKeyOf(first)).not.toEqual(createPublicKeyOf(second))
    await expect(client.mergeCertificate('first', [await signed(second)])).rejects.toMatchObject({
      statusCode: 400,
    })
    await expect(client.mergeCertificate('first', [await signed(first)])).resolves.toMatchObject({
      name: 'first',
    })
  })

  test('a pending operation can be cancelled and deleted; one whose issuer refuses says so', async () => {
    cloud.settings.certificateIssuanceMs = 60_000
    await client.beginCreateCertificate('late', { issuerName: 'DigiCert', subject: 'CN=late.example' })
    const poller = await client.getCertificateOperation('late')
    await poller.cancelOperation()
    expect(poller.getOperationState().certificateOperation?.cancellationRequested).toBe(true)
    await client.deleteCertificateOperation('late')
    await expect(client.getCertificateOperation('late')).rejects.toMatchObject({ statusCode: 404 })
    cloud.settings.certificateIssuanceFails = true
    await client.beginCreateCertificate('refused', { issuerName: 'DigiCert', subject: 'CN=refused.example' })
    cloud.clock.advance(61_000)
    await expect(client.getCertificateOperation('refused')).rejects.toThrow(/authority refused the request/)
    cloud.settings.certificateIssuanceFails = false
    cloud.settings.certificateIssuanceMs = 0
  })
})

function createPublicKeyOf(request: Uint8Array): string {
  const info = pkijs.CertificationRequest.fromBER(Uint8Array.from(request)).subjectPublicKeyInfo
  const der = Buffer.from(info.toSchema().toBER())
  return createPublicKey({ key: der, format: 'der', type: 'spki' }).export({ type: 'spki', format: 'pem' })
}
