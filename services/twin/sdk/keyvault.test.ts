import { createHash, createPublicKey, randomBytes, verify, X509Certificate } from 'node:crypto'
import { CertificateClient } from '@azure/keyvault-certificates'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { roles } from '../estate/roles.ts'
import { hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { all, clientSecret, scanner, routedClient } from './routed.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterEach(() => cloud.stop())

const day = 86_400_000
const uri = (name: string) => `https://${name}.vault.azure.net`

/** Clients of an administrator of all vaults. */
function administrator(name: string) {
  const application = cloud.estate.applications.find((one) => one.name === 'attestry-rotation')
  const principal = cloud.estate.servicePrincipals.find((one) => one.appId === application?.appId)
  for (const { id } of cloud.estate.subscriptions)
    cloud.estate.roleAssignments.push({
      id: `admin-${id}`,
      principal: principal?.id ?? '',
      roleDefinition: roles.vaultAdministrator.id,
      scope: `/subscriptions/${id}`,
    })
  const credential = clientSecret(cloud, 'attestry-rotation')
  const options = { httpClient: routedClient(cloud.url) }
  return {
    secrets: new SecretClient(uri(name), credential, options),
    keys: new KeyClient(uri(name), credential, options),
    certificates: new CertificateClient(uri(name), credential, options),
    crypto: (id: string) => new CryptographyClient(id, credential, options),
  }
}

describe('listing', () => {
  test('a vault longer than a page is read through absolute next links, every item once, no value in any', async () => {
    const client = new SecretClient(uri('kv-data-lake'), scanner(cloud), {
      httpClient: routedClient(cloud.url),
    })
    const pages: number[] = []
    const names: string[] = []
    for await (const page of client.listPropertiesOfSecrets().byPage()) {
      pages.push(page.length)
      names.push(...page.map(({ name }) => name))
    }
    const vault = cloud.estate.vaults.find(({ name }) => name === 'kv-data-lake')
    expect(pages).toEqual([25, names.length - 25])
    expect(new Set(names).size).toBe(names.length)
    expect(names.toSorted()).toEqual(
      [...Object.keys(vault?.secrets ?? {}), ...Object.keys(vault?.certificates ?? {})].toSorted(),
    )
    expect(cloud.calls.get('keyvault.secrets.list')).toBe(3) // the challenge, and two pages
  })

  test('next links are on the vault, absolute, with an opaque token; a token of nobody is refused', async () => {
    const { token } = await scanner(cloud).getToken('https://vault.azure.net/.default')
    const get = (path: string) =>
      fetch(`${cloud.url}${path}`, {
        headers: { [hostHeader]: 'kv-data-lake.vault.azure.net', authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(5_000),
      })
    const { nextLink, value } = (await (await get('/secrets?api-version=7.6&maxresults=10')).json()) as {
      nextLink: string
      value: unknown[]
    } // the list shape
    expect(value).toHaveLength(10)
    expect(nextLink).toMatch(/^https:\/\/kv-data-lake\.vault\.azure\.net\/secrets\?.*skiptoken=/)
    expect(nextLink).not.toContain('source-')
    expect((await get('/secrets?api-version=7.6&$skiptoken=bm9wZQ')).status).toBe(400)
    expect((await get('/secrets?api-version=7.6&maxresults=26')).status).toBe(400)
  })

  test('certificates stand among secrets and keys as managed, stored once', async () => {
    const credential = scanner(cloud)
    const options = { httpClient: routedClient(cloud.url) }
    const secrets = await all(
      new SecretClient(uri('kv-checkout-prod'), credential, options).listPropertiesOfSecrets(),
    )
    const keys = await all(new KeyClient(uri('kv-checkout-prod'), credential, options).listPropertiesOfKeys())
    const certificates = await all(
      new CertificateClient(uri('kv-checkout-prod'), credential, options).listPropertiesOfCertificates(),
    )
    const named = (items: { name?: string; managed?: boolean }[]) =>
      items.filter(({ managed }) => managed === true).map(({ name }) => name)
    expect(named(secrets)).toEqual(certificates.map(({ name }) => name))
    expect(named(keys)).toEqual(certificates.map(({ name }) => name))
    expect(secrets.find(({ managed }) => managed)?.contentType).toBe('application/x-pkcs12')
  })

  test('keys show size and curve when asked one by one; a certificate is DER that parses', async () => {
    const credential = scanner(cloud)
    const options = { httpClient: routedClient(cloud.url) }
    const keys = new KeyClient(uri('kv-legacy-erp'), credential, options)
    expect((await keys.getKey('erp-archive')).key?.n).toHaveLength(128)
    expect(
      (await new KeyClient(uri('kv-payments-hsm'), credential, options).getKey('crypto-payout-wallet')).key,
    ).toMatchObject({ kty: 'EC-HSM', crv: 'P-256K' })
    const certificate = await new CertificateClient(
      uri('kv-payments-prod'),
      credential,
      options,
    ).getCertificate('pay-contoso')
    const parsed = new X509Certificate(certificate.cer ?? Buffer.alloc(0))
    expect(parsed.subjectAltName).toBe('DNS:pay.contoso.example, DNS:api.pay.contoso.example')
    expect(Date.parse(parsed.validTo)).toBe(certificate.properties.expiresOn?.getTime())
    expect(parsed.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
    expect(certificate.policy).toMatchObject({
      keyType: 'RSA',
      keySize: 2048,
      issuerName: 'DigiCert',
      validityInMonths: 12,
    })
    const sha1 = createHash('sha1').update(parsed.raw).digest('hex')
    expect(Buffer.from(certificate.properties.x509Thumbprint ?? []).toString('hex')).toBe(sha1)
  })
})

describe('secrets', () => {
  test('set, versions, update, delete, recover, delete, purge', async () => {
    const { secrets } = administrator('kv-payments-stg')
    const first = await secrets.setSecret('new-partner-key', 'one', {
      expiresOn: new Date(Date.now() + 30 * day),
      tags: { owner: 'x' },
    })
    const second = await secrets.setSecret('New-Partner-Key', 'two')
    expect(second.properties.version).not.toBe(first.properties.version)
    expect(await all(secrets.listPropertiesOfSecretVersions('new-partner-key'))).toHaveLength(2)
    expect(
      (await secrets.getSecret('new-partner-key', { version: first.properties.version ?? '' })).value,
    ).toBe('one')
    await secrets.updateSecretProperties('new-partner-key', second.properties.version ?? '', {
      enabled: false,
    })
    await expect(secrets.getSecret('new-partner-key')).rejects.toMatchObject({
      code: 'Forbidden',
      details: { error: { innerError: { code: 'SecretDisabled' } } },
    })

    await (await secrets.beginDeleteSecret('new-partner-key', { intervalInMs: 1 })).pollUntilDone()
    await expect(secrets.getSecret('new-partner-key')).rejects.toMatchObject({
      statusCode: 404,
      code: 'SecretNotFound',
    })
    await expect(secrets.setSecret('new-partner-key', 'three')).rejects.toMatchObject({
      statusCode: 409,
      details: { error: { innerError: { code: 'ObjectIsDeletedButRecoverable' } } },
    })
    expect((await all(secrets.listDeletedSecrets())).map(({ name }) => name)).toEqual(['new-partner-key'])
    await (await secrets.beginRecoverDeletedSecret('new-partner-key', { intervalInMs: 1 })).pollUntilDone()
    expect((await all(secrets.listPropertiesOfSecretVersions('new-partner-key'))).length).toBe(2)
    await (await secrets.beginDeleteSecret('new-partner-key', { intervalInMs: 1 })).pollUntilDone()
    await secrets.purgeDeletedSecret('new-partner-key')
    await expect(secrets.getDeletedSecret('new-partner-key')).rejects.toMatchObject({ statusCode: 404 })
  })

  test('purge protection keeps a deleted secret until its retention ends', async () => {
    const { secrets } = administrator('kv-checkout-prod')
    await (await secrets.beginDeleteSecret('sendgrid-api-key', { intervalInMs: 1 })).pollUntilDone()
    await expect(secrets.purgeDeletedSecret('sendgrid-api-key')).rejects.toMatchObject({ statusCode: 403 })
    // The token would run out on the moved clock, so its lifetime is not what this is about.
    cloud.clock.advance(91 * day)
    const later = administrator('kv-checkout-prod').secrets
    expect(await all(later.listDeletedSecrets())).toEqual([])
  })

  test('certificate-backed secrets cannot be set', async () => {
    const { secrets } = administrator('kv-checkout-prod')
    await expect(secrets.setSecret('checkout-contoso', 'x')).rejects.toMatchObject({ statusCode: 403 })
  })
})

describe('keys', () => {
  test.each([
    ['P-256', 'ES256', 'sha256'],
    ['P-384', 'ES384', 'sha384'],
    ['P-521', 'ES512', 'sha512'],
    ['P-256K', 'ES256K', 'sha256'],
  ] as const)('a %s key signs a digest so that OpenSSL verifies it', async (curve, algorithm, hash) => {
    const { keys, crypto } = administrator('kv-payments-prod')
    const key = await keys.createEcKey('evidence-signing', { curve })
    const message = randomBytes(100)
    const digest = createHash(hash).update(message).digest()
    const { result } = await crypto(key.id ?? '').sign(algorithm, digest)
    const { x, y } = key.key ?? {}
    const publicKey = createPublicKey({
      format: 'jwk',
      key: {
        kty: 'EC',
        crv: curve === 'P-256K' ? 'secp256k1' : curve,
        x: Buffer.from(x ?? []).toString('base64url'),
        y: Buffer.from(y ?? []).toString('base64url'),
      },
    })
    expect(verify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, result)).toBe(true)
    expect(
      verify(
        hash,
        Buffer.concat([message, Buffer.from('!')]),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        result,
      ),
    ).toBe(false)
  })

  test('a key of another curve, a short digest and an RSA key refuse to sign', async () => {
    const { crypto } = administrator('kv-payments-prod')
    const digest = Buffer.alloc(32)
    await expect(
      crypto(`${uri('kv-payments-prod')}/keys/payment-message-signing`).sign('ES384', Buffer.alloc(48)),
    ).rejects.toMatchObject({ code: 'BadParameter' })
    await expect(
      crypto(`${uri('kv-payments-prod')}/keys/payment-message-signing`).sign('ES256', Buffer.alloc(31)),
    ).rejects.toThrow(/invalid length/)
    await expect(
      crypto(`${uri('kv-payments-prod')}/keys/card-data-encryption`).sign('RS256', digest),
    ).rejects.toThrow(/not supported/)
  })

  test('rotation makes a new version under the policy; the policy can be read and set', async () => {
    const { keys } = administrator('kv-payments-prod')
    expect(await keys.getKeyRotationPolicy('payment-message-signing')).toMatchObject({
      expiresIn: 'P1Y',
      lifetimeActions: [{ action: 'Rotate', timeBeforeExpiry: 'P30D' }],
    })
    const before = await keys.getKey('payment-message-signing')
    const after = await keys.rotateKey('payment-message-signing')
    expect(after.properties.version).not.toBe(before.properties.version)
    expect(after.key?.x).not.toEqual(before.key?.x)
    expect(Math.round(((after.properties.expiresOn?.getTime() ?? 0) - Date.now()) / day)).toBe(365)
    await keys.updateKeyRotationPolicy('payment-message-signing', {
      expiresIn: 'P90D',
      lifetimeActions: [{ action: 'Notify', timeBeforeExpiry: 'P10D' }],
    })
    expect((await keys.getKeyRotationPolicy('payment-message-signing')).expiresIn).toBe('P90D')
  })

  test('HSM keys need a Premium vault, and small RSA keys are no longer made', async () => {
    const { keys } = administrator('kv-payments-stg')
    await expect(keys.createEcKey('hsm', { hsm: true })).rejects.toMatchObject({ code: 'BadParameter' })
    await expect(keys.createRsaKey('small', { keySize: 1024 })).rejects.toMatchObject({
      code: 'BadParameter',
    })
  })
})

describe('certificates', () => {
  test('creation is pending until the issuer is done, then completed', async () => {
    cloud.settings.certificateIssuanceMs = 60_000
    const { certificates } = administrator('kv-checkout-prod')
    const poller = await certificates.beginCreateCertificate(
      'promo',
      {
        issuerName: 'DigiCert',
        subject: 'CN=promo.contoso.example',
        keyType: 'EC',
        keyCurveName: 'P-256',
        validityInMonths: 6,
      },
      { intervalInMs: 1 },
    )
    const operation = await certificates.getCertificateOperation('promo', { intervalInMs: 1 })
    expect(operation.getOperationState().certificateOperation?.status).toBe('inProgress')
    expect((await certificates.getCertificate('promo')).cer).toBeUndefined()
    expect(await all(certificates.listPropertiesOfCertificates())).not.toContainEqual(
      expect.objectContaining({ name: 'promo' }),
    )
    cloud.clock.advance(61_000)
    const done = await poller.pollUntilDone()
    expect(done.policy).toMatchObject({ keyCurveName: 'P-256' })
    expect(new X509Certificate(done.cer ?? Buffer.alloc(0)).subject).toBe('CN=promo.contoso.example')
  })
})

describe('what the vault does not know', () => {
  const call = async (path: string, method = 'GET') => {
    const { token } = await scanner(cloud).getToken('https://vault.azure.net/.default')
    const answer = await fetch(`${cloud.url}${path}`, {
      method,
      headers: { [hostHeader]: 'kv-data-lake.vault.azure.net', authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5_000),
    })
    return { status: answer.status, body: await answer.json() }
  }
  test.each([
    ['/storage?api-version=7.6', 'GET', 404, 'NotFound'],
    ['/secrets?api-version=1999-01-01', 'GET', 400, 'BadParameter'],
    ['/secrets', 'GET', 400, 'BadParameter'],
    ['/secrets?api-version=7.6&filter=x', 'GET', 400, 'BadParameter'],
    ['/secrets?api-version=7.6', 'DELETE', 404, 'NotFound'],
    ['/secrets/no_such_name?api-version=7.6', 'GET', 400, 'BadParameter'],
    ['/certificates/absent?api-version=7.6', 'GET', 404, 'CertificateNotFound'],
  ])('%s by %s is refused with %i %s', async (path, method, status, code) => {
    expect(await call(path, method)).toMatchObject({ status, body: { error: { code } } })
  })

  test('a vault that does not exist does not answer at all', async () => {
    const { token } = await scanner(cloud).getToken('https://vault.azure.net/.default')
    await expect(
      fetch(`${cloud.url}/secrets?api-version=7.6`, {
        headers: { [hostHeader]: 'kv-gone.vault.azure.net', authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(5_000),
      }),
    ).rejects.toThrow(/fetch failed/)
  })
})
