import * as z from 'zod'
import type { Reference } from '../cloud.ts'
import type { Setting } from './by-name.ts'

/** Secrets of a container app as Azure lists them: a reference, or a name whose value is not shown. */
export const ContainerSecrets = z
  .array(z.object({ name: z.string(), keyVaultUrl: z.string().nullish() }))
  .nullish()

/** Containers with their environment; asked for only where a look at settings is allowed. */
export const Containers = z
  .array(z.object({ env: z.array(z.object({ name: z.string(), value: z.string().nullish() })).nullish() }))
  .nullish()

/**
 * The Key Vault references of a container app: secrets with `keyVaultUrl`, such as
 * `https://kv-orders.vault.azure.net/secrets/db-password`.
 */
export const containerReferences = (secrets: z.infer<typeof ContainerSecrets>): Reference[] =>
  (secrets ?? []).flatMap(({ name, keyVaultUrl }) => {
    if (!keyVaultUrl || !URL.canParse(keyVaultUrl)) return []
    const url = new URL(keyVaultUrl)
    const [, kind, secretName] = url.pathname.split('/')
    const vaultName = url.hostname.split('.')[0]
    return kind === 'secrets' && secretName && vaultName
      ? [{ setting: name, vaultName, secretName, status: null }]
      : []
  })

/** The plain environment of all containers of an app. */
export const containerSettings = (containers: z.infer<typeof Containers>): Setting[] =>
  (containers ?? []).flatMap(({ env }) =>
    (env ?? []).flatMap(({ name, value }): Setting[] => (typeof value === 'string' ? [[name, value]] : [])),
  )
