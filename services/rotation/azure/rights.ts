import { Denied } from '@attestry/kit'
import * as z from 'zod'
import { type Azure, ourClaims, type Rest, restClient, unlessAbsent } from './call.ts'
import { together } from './together.ts'

/*
 * What our identity may do somewhere, asked beforehand: no call that changes anything is made to find out.
 */

export const ARM = 'https://management.azure.com'

const Texts = z.array(z.string()).nullish()
const Permissions = z.object({
  value: z.array(z.object({ actions: Texts, notActions: Texts, dataActions: Texts, notDataActions: Texts })),
})
type Permission = z.infer<typeof Permissions>['value'][number]

const matches = (pattern: string, action: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 'i').test(action)
const covers = (allowed: Permission['actions'], denied: Permission['actions'], action: string): boolean =>
  (allowed ?? []).some((pattern) => matches(pattern, action)) &&
  !(denied ?? []).some((pattern) => matches(pattern, action))

export interface Rights {
  may(action: string): boolean
  mayData(action: string): boolean
}

const VaultRow = z.object({
  id: z.string(),
  name: z.string(),
  tags: z.record(z.string(), z.string()).nullish(),
  properties: z.object({
    enableRbacAuthorization: z.boolean().nullish(),
    accessPolicies: z
      .array(
        z.object({
          objectId: z.string(),
          permissions: z.object({ secrets: Texts, keys: Texts, certificates: Texts }),
        }),
      )
      .nullish(),
  }),
})
const Rows = z.object({ data: z.array(VaultRow) })

/** A vault as Resource Manager knows it. */
export interface VaultFacts {
  readonly id: string
  readonly tags: Readonly<Record<string, string>>
  readonly rbac: boolean
  /** Ours, of a vault with access policies. */
  readonly policy: {
    readonly secrets: readonly string[]
    readonly keys: readonly string[]
    readonly certificates: readonly string[]
  }
}

/** The one right without which nothing can be said about the others. */
async function asked<T>(work: Promise<T>, scope: string): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof Denied) || !/^(AuthorizationFailed|SubscriptionNotFound)$/.test(error.code))
      throw error
    throw new Denied(
      error.code,
      `The identity lacks the action Microsoft.Authorization/permissions/read at ${scope}, so what it may do cannot be asked`,
      { cause: error },
    )
  }
}

export function resourceManager(azure: Azure) {
  const arm: Rest = restClient(azure, ARM)
  // Resource Graph takes fifteen queries in five seconds: many vaults are asked for in one.
  const vaultNamed = together(async (names: readonly string[]): Promise<ReadonlyMap<string, VaultFacts>> => {
    const query = `resources | where type =~ 'microsoft.keyvault/vaults' and name in~ (${names.map((name) => `'${name}'`).join(', ')}) | project id, name, tags, properties`
    const { body } = await arm(
      'POST',
      '/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01',
      // The call has its own deadline; no single asker's end ends it for the others.
      new AbortController().signal,
      { query, options: { resultFormat: 'objectArray' } },
      true,
    )
    const { oid } = await ourClaims(azure, ARM)
    return new Map(
      Rows.parse(body).data.map((row) => {
        const ours = row.properties.accessPolicies?.find(({ objectId }) => objectId === oid)?.permissions
        return [
          row.name.toLowerCase(),
          {
            id: row.id,
            tags: row.tags ?? {},
            rbac: row.properties.enableRbacAuthorization === true,
            policy: {
              secrets: ours?.secrets ?? [],
              keys: ours?.keys ?? [],
              certificates: ours?.certificates ?? [],
            },
          },
        ]
      }),
    )
  })
  return {
    arm,
    /**
     * The rights at a scope: a resource's id, or one below it.
     * @see https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource
     */
    async rights(scope: string, signal: AbortSignal): Promise<Rights> {
      const path = `${scope}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01`
      const { value } = Permissions.parse((await asked(arm('GET', path, signal), scope)).body)
      return {
        may: (action) => value.some((one) => covers(one.actions, one.notActions, action)),
        mayData: (action) => value.some((one) => covers(one.dataActions, one.notDataActions, action)),
      }
    },
    /** The vault behind an address; null where our identity may not see it. */
    async vault(uri: string, signal: AbortSignal): Promise<VaultFacts | null> {
      const name = new URL(uri).hostname.split('.')[0] ?? ''
      if (!/^[0-9a-zA-Z-]{3,24}$/.test(name))
        throw new Denied('BadVaultAddress', 'This is no address of a vault')
      return vaultNamed(name.toLowerCase(), signal)
    },
    /** Tags of a resource; null where it is not there. */
    async tags(id: string, apiVersion: string, signal: AbortSignal): Promise<Record<string, string> | null> {
      const answer = await unlessAbsent(arm('GET', `${id}?api-version=${apiVersion}`, signal), /NotFound$/)
      if (!answer) return null
      return z.object({ tags: z.record(z.string(), z.string()).nullish() }).parse(answer.body).tags ?? {}
    },
  }
}

export type ResourceManager = ReturnType<typeof resourceManager>

/** Tags that tools of infrastructure code leave; what they manage they would change back. */
const TOOLS =
  /terraform|opentofu|pulumi|bicep|crossplane|azure-?dev(eloper)?-?cli|\bazd\b|ansible|cloudformation/i
const TOOL_KEYS = /^(managed[-_ ]?by|provisioned[-_ ]?by|created[-_ ]?by|iac|azd-env-name|aks-managed.*)$/i

/** The tag that says so, or null. Our own marks do not count. */
export function managedByCode(tags: Readonly<Record<string, string>> | readonly string[]): string | null {
  const pairs = Array.isArray(tags)
    ? tags.map((tag: string): [string, string] => ['', tag])
    : Object.entries(tags).filter(([key]) => !key.startsWith('attestry-'))
  const found = pairs.find(
    ([key, value]) =>
      TOOLS.test(key) ||
      (TOOLS.test(value) && (key === '' || TOOL_KEYS.test(key))) ||
      /^azd-env-name$/i.test(key),
  )
  return found ? found.filter((part) => part !== '').join('=') : null
}
