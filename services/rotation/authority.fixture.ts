import * as asn1 from 'asn1js'
import * as pkijs from 'pkijs'

/**
 * An authority of the outside that a person takes a request to: it checks the request's own signature and signs a
 * certificate for its key.
 * @param request PKCS #10 in PEM
 */
export async function signedOutside(request: string, now: Date): Promise<string> {
  const body = request.replace(/-----[^-]+-----|\s/g, '')
  const asked = pkijs.CertificationRequest.fromBER(Uint8Array.from(Buffer.from(body, 'base64')))
  if (!(await asked.verify())) throw new Error('the request is not signed by its own key')
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
  made.notBefore.value = new Date(now.getTime() - 60_000)
  made.notAfter.value = new Date(now.getTime() + 90 * 86_400_000)
  made.subjectPublicKeyInfo = asked.subjectPublicKeyInfo
  await made.sign(authority.privateKey, 'SHA-256')
  const der = Buffer.from(made.toSchema(true).toBER()).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${der.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`
}
