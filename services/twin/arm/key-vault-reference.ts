import type { Estate } from '../estate/estate.ts'
import { vaultId } from '../estate/estate.ts'
import { mayDo } from '../estate/roles.ts'

/** A parsed `@Microsoft.KeyVault(…)` setting. */
export interface Reference {
  readonly vault: string
  readonly secret: string
  readonly version: string | null
}

/**
 * Both forms: `SecretUri=https://vault.vault.azure.net/secrets/name[/version]` and `VaultName=…;SecretName=…`.
 * @see https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
 */
export function parseReference(value: string): Reference | undefined {
  const inside = value.match(/^@Microsoft\.KeyVault\((.*)\)$/i)?.[1]
  if (inside === undefined) return undefined
  const parts = new Map(
    inside.split(';').map((part): [string, string] => {
      const [key = '', ...rest] = part.split('=')
      return [key.trim().toLowerCase(), rest.join('=').trim()]
    }),
  )
  const uri = parts.get('secreturi')
  if (uri !== undefined) {
    const [, vault, secret, version] =
      uri.match(/^https:\/\/([^./]+)\.vault\.azure\.net\/secrets\/([^/]+)\/?([^/]*)\/?$/i) ?? []
    return vault === undefined || secret === undefined
      ? undefined
      : { vault, secret, version: version || null }
  }
  const vault = parts.get('vaultname')
  const secret = parts.get('secretname')
  return vault === undefined || secret === undefined
    ? undefined
    : { vault, secret, version: parts.get('secretversion') || null }
}

/** How the platform itself fares with a reference: the workload's identity has to reach the secret. */
export function resolve(
  estate: Estate,
  identity: string,
  reference: Reference,
): { status: string; activeVersion: string | null } {
  const vault = estate.vaults.find(({ name }) => name.toLowerCase() === reference.vault.toLowerCase())
  if (vault === undefined) return { status: 'VaultNotFound', activeVersion: null }
  const allowed =
    vault.rbac === true
      ? mayDo(
          estate,
          identity,
          'Microsoft.KeyVault/vaults/secrets/getSecret/action',
          `${vaultId(vault)}/secrets/${reference.secret}`,
          { data: true },
        )
      : vault.accessPolicies.some(
          ({ principal, secrets }) => principal === identity && secrets.includes('get'),
        )
  if (!allowed) return { status: 'AccessToKeyVaultDenied', activeVersion: null }
  const name = reference.secret.toLowerCase()
  const item = vault.secrets[name] ?? vault.certificates[name]
  if (item === undefined || item.deleted !== null) return { status: 'SecretNotFound', activeVersion: null }
  const version =
    reference.version === null
      ? item.versions.at(-1)
      : item.versions.find((one) => one.version === reference.version)
  if (version === undefined) return { status: 'SecretVersionNotFound', activeVersion: null }
  // The newest version is asked for without regard to whether it may be read.
  if (!version.enabled) return { status: 'AccessToKeyVaultDenied', activeVersion: null }
  return { status: 'Resolved', activeVersion: version.version }
}
