import { createHash, createPublicKey } from 'node:crypto'
import type { AzureAccess } from '@attestry/kit/azure'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import { derSignature } from './es256.ts'
import type { Signer } from './sign.ts'

/** Where a key lives: `https://<vault>/keys/<name>`, with or without a version. */
const keyAddress = (text: string): { vault: string; name: string; version: string | undefined } => {
  const url = URL.parse(text)
  const [kind, name, version, ...rest] = url?.pathname.split('/').slice(1) ?? []
  if (url?.protocol !== 'https:' || kind !== 'keys' || !name || rest.length > 0)
    throw new Error(`"${text}" is no Key Vault key: https://<vault>.vault.azure.net/keys/<name>[/<version>]`)
  return { vault: url.origin, name, version: version === '' ? undefined : version }
}

/**
 * A signer on a key in Key Vault or Managed HSM, which never leaves it. Needs the roles to get the key and to sign.
 * Without a version in the address the newest one is taken, at the time of this call; the manifest names that version.
 * @throws when the key cannot be read or is not an EC key on P-256
 * @see https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign
 */
export async function vaultSigner(
  address: string,
  access: AzureAccess,
  signal: AbortSignal,
): Promise<Signer> {
  const { vault, name, version } = keyAddress(address)
  const client = new KeyClient(vault, access.credential, access.clientOptions())
  const { key, id } = await client.getKey(name, {
    ...(version === undefined ? {} : { version }),
    abortSignal: signal,
  })
  if (!key?.kty?.startsWith('EC') || key.crv !== 'P-256' || !key.x || !key.y || !id)
    throw new Error(`${address} must be an EC key on P-256: ES256 has no other curve`)
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: Buffer.from(key.x).toString('base64url'),
    y: Buffer.from(key.y).toString('base64url'),
  }
  const publicKeyPem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const signing = new CryptographyClient(id, access.credential, access.clientOptions())
  return {
    kind: 'key-vault',
    keyId: id,
    publicKeyPem,
    sign: async (bytes, stop) => {
      const digest = createHash('sha256').update(bytes).digest()
      const { result } = await signing.sign('ES256', digest, { abortSignal: stop })
      return derSignature(result)
    },
  }
}
