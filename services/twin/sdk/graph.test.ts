import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { clientSecret, scanner } from './routed.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterEach(() => cloud.stop())

interface Page {
  readonly value: { readonly id: string; readonly displayName: string; readonly [key: string]: unknown }[]
  readonly '@odata.nextLink'?: string
  readonly '@odata.count'?: number
  readonly error?: { readonly code: string }
}

async function graph(
  path: string,
  init: RequestInit = {},
  as: 'scanner' | 'rotator' | 'stranger' = 'scanner',
) {
  const credential =
    as === 'scanner'
      ? scanner(cloud)
      : clientSecret(cloud, as === 'rotator' ? 'attestry-rotation' : 'contoso-checkout-web')
  const { token } = await credential.getToken('https://graph.microsoft.com/.default')
  const { pathname, search } = new URL(path, 'https://graph.microsoft.com')
  const headers = new Headers(init.headers)
  headers.set(hostHeader, 'graph.microsoft.com')
  headers.set('authorization', `Bearer ${token}`)
  const answer = await fetch(`${cloud.url}${pathname}${search}`, {
    ...init,
    headers,
    signal: AbortSignal.timeout(5_000),
  })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Page } // the shapes of Graph
}

const idOf = (name: string) => cloud.estate.applications.find((one) => one.name === name)?.id ?? ''
const post = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
})

describe('applications', () => {
  test('are read page by page through @odata.nextLink, chosen properties only, every one once', async () => {
    const names: string[] = []
    const links: string[] = []
    let next: string | undefined =
      '/v1.0/applications?$top=10&$select=id,appId,displayName,passwordCredentials,keyCredentials'
    for (let pages = 0; next !== undefined && pages < 10; pages += 1) {
      const { body }: { body: Page } = await graph(next)
      names.push(...body.value.map(({ displayName }) => displayName))
      expect(Object.keys(body.value[0] ?? {})).toEqual([
        'id',
        'appId',
        'displayName',
        'passwordCredentials',
        'keyCredentials',
      ])
      next = body['@odata.nextLink']
      links.push(next ?? 'https://graph.microsoft.com/v1.0/applications?end')
    }
    expect(links.every((link) => link.startsWith('https://graph.microsoft.com/v1.0/applications?'))).toBe(
      true,
    )
    expect(links).toHaveLength(3)
    expect(names.toSorted()).toEqual(cloud.estate.applications.map(({ name }) => name).toSorted())
  })

  test('never show a secret, only when it was made', async () => {
    const { body } = await graph('/v1.0/applications?$top=999&$expand=owners($select=id,displayName)')
    const text = JSON.stringify(body)
    for (const canary of cloud.secretCanaries()) expect(text).not.toContain(canary)
    expect(body.value.find(({ displayName }) => displayName === 'contoso-loyalty')).toMatchObject({
      passwordCredentials: [{ secretText: null }, { secretText: null }],
      owners: [{ displayName: 'Luis Ortega' }],
    })
  })

  test('a count needs eventual consistency; more than 999, unknown properties and filters are refused', async () => {
    expect((await graph('/v1.0/applications?$count=true')).status).toBe(400)
    expect(
      (await graph('/v1.0/applications?$count=true', { headers: { consistencylevel: 'eventual' } })).body[
        '@odata.count'
      ],
    ).toBe(26)
    for (const bad of [
      '$top=1000',
      '$select=secrets',
      '$orderby=displayName',
      "$filter=startswith(displayName,'a')",
      '$skiptoken=bm8',
    ])
      expect((await graph(`/v1.0/applications?${bad}`)).status).toBe(400)
    expect((await graph('/v1.0/users')).body.error?.code).toBe('BadRequest')
  })

  test('need an application role', async () => {
    expect(await graph('/v1.0/applications', {}, 'stranger')).toMatchObject({
      status: 403,
      body: { error: { code: 'Authorization_RequestDenied' } },
    })
  })

  test('can be asked for by app id, with owners; service principals are listed', async () => {
    const application = cloud.estate.applications.find(({ name }) => name === 'contoso-settlement')
    expect((await graph(`/v1.0/applications(appId='${application?.appId}')`)).body).toMatchObject({
      displayName: 'contoso-settlement',
    })
    expect((await graph(`/v1.0/applications/${application?.id}/owners`)).body.value).toHaveLength(2)
    const principals = await graph('/v1.0/servicePrincipals?$top=999&$select=id,appId,servicePrincipalType')
    expect(principals.body.value).toHaveLength(cloud.estate.servicePrincipals.length)
  })
})

describe('password credentials', () => {
  test('a new one is shown once and works only after it was replicated', async () => {
    cloud.settings.credentialReplicationMs = 60_000
    const added = await graph(
      `/v1.0/applications/${idOf('contoso-settlement')}/addPassword`,
      post({ passwordCredential: { displayName: 'rotation-1' } }),
      'rotator',
    )
    const { secretText, keyId } = added.body as unknown as { secretText: string; keyId: string } // passwordCredential
    expect(cloud.secretCanaries()).toContain(secretText)
    const signIn = () =>
      clientSecret(cloud, 'contoso-settlement', secretText).getToken('https://vault.azure.net/.default')
    await expect(signIn()).rejects.toThrow(/AADSTS7000215/)
    cloud.clock.advance(61_000)
    await expect(signIn()).resolves.toMatchObject({ token: expect.any(String) })
    const after = await graph(`/v1.0/applications/${idOf('contoso-settlement')}`)
    expect(JSON.stringify(after.body)).toContain(keyId)
    expect(JSON.stringify(after.body)).not.toContain(secretText)
    expect(
      (
        await graph(
          `/v1.0/applications/${idOf('contoso-settlement')}/removePassword`,
          post({ keyId }),
          'rotator',
        )
      ).status,
    ).toBe(204)
    await expect(signIn()).rejects.toThrow(/AADSTS7000215/)
    expect(
      (
        await graph(
          `/v1.0/applications/${idOf('contoso-settlement')}/removePassword`,
          post({ keyId }),
          'rotator',
        )
      ).status,
    ).toBe(400)
  })

  test('OwnedBy reaches only what the caller owns', async () => {
    expect(
      (await graph(`/v1.0/applications/${idOf('contoso-terraform')}/addPassword`, post({}), 'rotator'))
        .status,
    ).toBe(403)
    expect(
      (await graph(`/v1.0/applications/${idOf('contoso-settlement')}/addPassword`, post({}), 'scanner'))
        .status,
    ).toBe(403)
  })
})
