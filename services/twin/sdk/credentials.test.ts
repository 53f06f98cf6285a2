import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { clientSecret } from './routed.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now(), 'workshop') })
})
afterEach(() => cloud.stop())

async function graph(path: string, body?: unknown, as = 'attestry-rotation') {
  const answer = await fetch(`${cloud.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      [hostHeader]: 'graph.microsoft.com',
      authorization: `Bearer ${await cloud.token(as, 'https://graph.microsoft.com')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) } // Graph's shapes
}

const principal = (name: string) => {
  const found = cloud.estate.servicePrincipals.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}
const application = (name: string) => {
  const found = cloud.estate.applications.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}
const grant = (...roles: string[]) => {
  principal('attestry-rotation').graphRoles.splice(0, 9, ...roles)
}
const refusal = (code: string, status = 400) => ({ status, body: { error: { code } } })

describe('credentials of a service principal', () => {
  test('are added and removed like those of its application, and sign in', async () => {
    const { id } = principal('workshop-reporting')
    const added = await graph(`/v1.0/servicePrincipals/${id}/addPassword`, {
      passwordCredential: { displayName: 'attestry rotation-1 1' },
    })
    expect(added.status).toBe(200)
    const { secretText, keyId } = added.body as { secretText: string; keyId: string } // passwordCredential
    const signIn = () =>
      clientSecret(cloud, 'workshop-reporting', secretText).getToken('https://vault.azure.net/.default')
    await expect(signIn()).resolves.toMatchObject({ token: expect.any(String) })
    expect((await graph(`/v1.0/servicePrincipals/${id}/removePassword`, { keyId })).status).toBe(204)
    await expect(signIn()).rejects.toThrow(/AADSTS7000215/)
  })

  test('OwnedBy reaches what the caller owns, ReadWrite.All everything, and reading alone changes nothing', async () => {
    const add = (name: string) =>
      graph(`/v1.0/applications/${application(name).id}/addPassword`, {}).then(({ status }) => status)
    expect([await add('workshop-shop'), await add('workshop-foreign')]).toEqual([200, 403])
    grant('Application.Read.All')
    expect(await add('workshop-shop')).toBe(403)
    grant('Application.ReadWrite.All')
    expect(await add('workshop-foreign')).toBe(200)
    grant()
    expect(
      await graph(`/v1.0/applications/${application('workshop-shop').id}/addPassword`, {}),
    ).toMatchObject(refusal('Authorization_RequestDenied', 403))
  })
})

describe("the directory's policy on credentials", () => {
  test('caps how long a secret may live, and is there to be read beforehand', async () => {
    const { appManagementPolicy: policy } = cloud.estate
    policy.enabled = true
    policy.maxPasswordDays = 90
    const { id } = application('workshop-shop')
    const add = (days: number) =>
      graph(`/v1.0/applications/${id}/addPassword`, {
        passwordCredential: { endDateTime: new Date(cloud.clock.now() + days * 86_400_000).toISOString() },
      })
    expect(await add(120)).toMatchObject(refusal('CredentialInvalidLifetimeAsPerAppPolicy'))
    expect((await add(80)).status).toBe(200)
    policy.passwordAddition = false
    expect(await add(80)).toMatchObject(refusal('CredentialTypeNotAllowedAsPerAppPolicy'))

    const read = () => graph('/v1.0/policies/defaultAppManagementPolicy')
    expect((await read()).status).toBe(403)
    grant('Policy.Read.ApplicationConfiguration')
    expect((await read()).body).toMatchObject({
      isEnabled: true,
      applicationRestrictions: {
        passwordCredentials: [
          { restrictionType: 'passwordAddition' },
          { restrictionType: 'passwordLifetime', maxLifetime: 'P90D' },
        ],
      },
    })
  })
})

describe('the report of sign-ins', () => {
  test('says when each credential was used, as of a while ago', async () => {
    cloud.settings.signInReportLagMs = 3_600_000
    const { appId, passwords } = application('workshop-shop')
    const report = async () => {
      const { body } = await graph(
        `/beta/reports/appCredentialSignInActivities?$filter=appId%20eq%20'${appId}'`,
      )
      return body.value as { keyId: string; signInActivity: { lastSignInDateTime: string } }[] // Graph's shape
    }
    expect((await graph('/beta/reports/appCredentialSignInActivities')).status).toBe(403)
    grant('AuditLog.Read.All')
    cloud.clock.freeze()
    await clientSecret(cloud, 'workshop-shop').getToken('https://vault.azure.net/.default')
    expect(await report()).toEqual([])
    cloud.clock.advance(3_600_000)
    expect(await report()).toMatchObject([
      {
        keyId: passwords[0]?.keyId,
        signInActivity: {
          lastSignInDateTime: new Date((Math.floor(cloud.clock.now() / 1000) - 3_600) * 1000)
            .toISOString()
            .replace('.000Z', 'Z'),
        },
      },
    ])
    expect(JSON.stringify(await report())).not.toContain('canary-')
  })
})

describe('certificates of an application', () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = selfSigned(pair)
  const proof = (issuer: string, key = pair.privateKey) => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(cloud.clock.now() / 1000)
    const x5t = createHash('sha1').update(der).digest('base64url')
    const claims = {
      aud: '00000002-0000-0000-c000-000000000000',
      iss: issuer,
      nbf: now,
      iat: now,
      exp: now + 600,
    }
    const text = `${encode({ alg: 'RS256', typ: 'JWT', x5t })}.${encode(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }
  const keyCredential = { type: 'AsymmetricX509Cert', usage: 'Verify', key: der.toString('base64') }

  test('are added with the proof that the caller holds one that is there already', async () => {
    const target = application('workshop-shop')
    const add = (given: string) =>
      graph(`/v1.0/applications/${target.id}/addKey`, {
        keyCredential,
        passwordCredential: null,
        proof: given,
      })
    expect((await add(proof(target.id))).status).toBe(401)
    target.keys.push({
      keyId: '11111111-1111-4111-a111-111111111111',
      name: 'CN=first',
      thumbprint: createHash('sha1').update(der).digest('hex').toUpperCase(),
      certificate: der.toString('base64'),
      startsAt: 0,
      endsAt: Math.floor(cloud.clock.now() / 1000) + 86_400,
    })
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    expect((await add(proof(target.id, stranger))).status).toBe(401)
    expect((await add(proof('someone-else'))).status).toBe(401)
    const added = await add(proof(target.id))
    expect(added).toMatchObject({ status: 200, body: { type: 'AsymmetricX509Cert', key: null } })
    const { keyId } = added.body
    const remove = () =>
      graph(`/v1.0/applications/${target.id}/removeKey`, { keyId, proof: proof(target.id) })
    expect((await remove()).status).toBe(204)
    expect((await remove()).status).toBe(400)
  })
})

/** The smallest X.509 certificate that OpenSSL reads: one RSA key that says it is itself. */
function selfSigned({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Buffer {
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
  const algorithm = node(0x30, Buffer.from('06092a864886f70d01010b0500', 'hex'))
  const name = node(
    0x30,
    node(0x31, node(0x30, Buffer.from('0603550403', 'hex'), node(0x0c, Buffer.from('first')))),
  )
  const body = node(
    0x30,
    node(0x02, Buffer.from([1])),
    algorithm,
    name,
    node(0x30, node(0x17, Buffer.from('200101000000Z')), node(0x17, Buffer.from('491231235959Z'))),
    name,
    Buffer.from(publicKey.export({ type: 'spki', format: 'der' })),
  )
  return node(0x30, body, algorithm, node(0x03, Buffer.from([0]), sign('sha256', body, privateKey)))
}
