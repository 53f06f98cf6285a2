import * as z from 'zod'
import type { Reference } from '../cloud.ts'

/** The part of a container app that names secrets of a vault; values never stand in it. */
const Properties = z.object({
  configuration: z
    .object({
      secrets: z.array(z.object({ name: z.string(), keyVaultUrl: z.string().nullish() })).nullish(),
    })
    .nullish(),
})

/**
 * The Key Vault references of a container app: secrets with `keyVaultUrl`, such as
 * `https://kv-orders.vault.azure.net/secrets/db-password`.
 */
export function containerAppReferences(properties: unknown): Reference[] {
  const { configuration } = Properties.parse(properties ?? {})
  return (configuration?.secrets ?? []).flatMap(({ name, keyVaultUrl }) => {
    if (!keyVaultUrl || !URL.canParse(keyVaultUrl)) return []
    const url = new URL(keyVaultUrl)
    const [, kind, secretName] = url.pathname.split('/')
    const vaultName = url.hostname.split('.')[0]
    return kind === 'secrets' && secretName && vaultName
      ? [{ setting: name, vaultName, secretName, status: null }]
      : []
  })
}
