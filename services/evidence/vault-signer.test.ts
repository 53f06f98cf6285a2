import { randomBytes } from 'node:crypto'
import type { AzureAccess } from '@attestry/kit/azure'
import { KeyClient } from '@azure/keyvault-keys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { roles } from '../twin/estate/roles.ts'
import { type RunningCloud, seededEstate, startCloud } from '../twin/index.ts'
import { clientSecret, routedClient, scanner } from '../twin/sdk/routed.ts'
import { createTsa } from '../twin/tsa/index.ts'
import { manifestOf, ledgerOf, now, partsOf, sealInMemory, trustOf } from './bundle.fixture.ts'
import { es256Holds } from './es256.ts'
import { vaultSigner } from './vault-signer.ts'
import { verifyBundle } from './verify.ts'

/* Bundles signed in Key Vault, by Microsoft's own SDK, against the twin: the private half never leaves the vault. */

const VAULT = 'https://kv-payments-prod.vault.azure.net'
const { signal } = new AbortController()
let cloud: RunningCloud
let access: (credential: AzureAccess['credential']) => AzureAccess

beforeAll(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
  const application = cloud.estate.applications.find((one) => one.name === 'attestry-rotation')
  const principal = cloud.estate.servicePrincipals.find((one) => one.appId === application?.appId)
  for (const { id } of cloud.estate.subscriptions)
    cloud.estate.roleAssignments.push({
      id: `admin-${id}`,
      principal: principal?.id ?? '',
      roleDefinition: roles.vaultAdministrator.id,
      scope: `/subscriptions/${id}`,
    })
  access = (credential) => ({
    credential,
    clientOptions: () => ({
      httpClient: routedClient(cloud.url),
      additionalPolicies: [],
      retryOptions: { maxRetries: 0, retryDelayInMs: 1, maxRetryDelayInMs: 1 },
    }),
    calls: () => 0,
    overridden: true,
  })
  const keys = new KeyClient(VAULT, clientSecret(cloud, 'attestry-rotation'), {
    httpClient: routedClient(cloud.url),
  })
  await keys.createEcKey('evidence-signing', { curve: 'P-256' })
  await keys.createEcKey('evidence-large', { curve: 'P-384' })
  await keys.createRsaKey('evidence-rsa', { keySize: 2048 })
}, 60_000)
afterAll(() => cloud.stop())

describe('a signer in Key Vault', () => {
  const signerOf = (address: string) =>
    vaultSigner(address, access(clientSecret(cloud, 'attestry-rotation')), signal)

  test('signs a bundle that verifies with its public key, and names the version of the key', async () => {
    const signer = await signerOf(`${VAULT}/keys/evidence-signing`)
    expect(signer.keyId).toMatch(
      /^https:\/\/kv-payments-prod\.vault\.azure\.net\/keys\/evidence-signing\/[0-9a-f]{32}$/,
    )
    const bytes = new TextEncoder().encode('a list of checksums')
    expect(await es256Holds(signer.publicKeyPem, bytes, await signer.sign(bytes, signal))).toBe(true)
    const tsa = await createTsa({ clock: () => now, random: (n) => Uint8Array.from(randomBytes(n)) })
    const manifest = { ...manifestOf(signer, ledgerOf('contoso')) }
    const { zip } = await sealInMemory({ ...partsOf(signer, tsa), manifest })
    const verdict = await verifyBundle(zip, trustOf(signer, tsa))
    expect(verdict).toMatchObject({
      ok: true,
      manifest: { signing: { kind: 'key-vault', keyId: signer.keyId } },
    })
  })

  test('goes on with the version that was named, when the key has a newer one', async () => {
    const first = await signerOf(`${VAULT}/keys/evidence-signing`)
    const keys = new KeyClient(VAULT, clientSecret(cloud, 'attestry-rotation'), {
      httpClient: routedClient(cloud.url),
    })
    await keys.createEcKey('evidence-signing', { curve: 'P-256' })
    const [pinned, newest] = [await signerOf(first.keyId), await signerOf(`${VAULT}/keys/evidence-signing`)]
    expect(pinned.publicKeyPem).toBe(first.publicKeyPem)
    expect(newest.keyId).not.toBe(first.keyId)
  })

  test.each([
    ['a key on another curve', `${VAULT}/keys/evidence-large`, 'must be an EC key on P-256'],
    ['an RSA key', `${VAULT}/keys/evidence-rsa`, 'must be an EC key on P-256'],
    ['an address that is no key', `${VAULT}/secrets/evidence-signing`, 'is no Key Vault key'],
    ['a key that is not there', `${VAULT}/keys/evidence-nothing`, 'evidence-nothing'],
  ])('refuses %s in words', async (_what, address, says) => {
    await expect(signerOf(address)).rejects.toThrow(says)
  })

  test('needs the right to the key: who may only list the vault cannot sign', async () => {
    await expect(
      vaultSigner(`${VAULT}/keys/evidence-signing`, access(scanner(cloud)), signal),
    ).resolves.toBeDefined()
    const signer = await vaultSigner(`${VAULT}/keys/evidence-signing`, access(scanner(cloud)), signal)
    await expect(signer.sign(Uint8Array.of(1), signal)).rejects.toThrow(/not authorized|Forbidden/i)
  })
})
