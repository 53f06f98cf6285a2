import type { PreflightCheck } from '@attestry/contracts'
import { Denied, messageOf } from '@attestry/kit'
import { managedByCode, type ResourceManager, type VaultFacts } from '../azure/rights.ts'

/* How preconditions at Azure are told: one sentence each, with what would put it right. */

export const passed = (check: PreflightCheck['check'], says: string): PreflightCheck => ({
  check,
  state: 'passed',
  says: says.slice(0, 500),
})
export const warned = (check: PreflightCheck['check'], says: string): PreflightCheck => ({
  check,
  state: 'warned',
  says: says.slice(0, 500),
})
export const failed = (check: PreflightCheck['check'], says: string): PreflightCheck => ({
  check,
  state: 'failed',
  says: says.slice(0, 500),
})

/** A look that may be refused; what it was refused is the failed check. Failures of the world go on as they are. */
export async function looked(
  check: PreflightCheck['check'],
  what: string,
  look: () => Promise<readonly PreflightCheck[]>,
): Promise<readonly PreflightCheck[]> {
  try {
    return await look()
  } catch (error) {
    if (!(error instanceof Denied)) throw error
    const why =
      error.code === 'ForbiddenByFirewall' || error.code === 'ForbiddenByConnection'
        ? 'its network does not let us in'
        : messageOf(error)
    return [failed(check, `${what}: ${why}.`)]
  }
}

/** What an identity needs in a vault: the data action, and the permission where access policies rule. */
export interface VaultNeed {
  readonly action: string
  readonly permission: string
  readonly why: string
}

/**
 * Whether our identity has what it needs at one item of a vault.
 * @param item `secrets/name`, `keys/name` or `certificates/name`
 */
export async function vaultRights(
  manager: ResourceManager,
  facts: VaultFacts | null,
  item: string,
  needs: readonly VaultNeed[],
  signal: AbortSignal,
): Promise<readonly PreflightCheck[]> {
  if (!facts)
    return [
      warned(
        'permission',
        `Whether the identity may write ${item} cannot be checked beforehand: it may not read the vault (Microsoft.KeyVault/vaults/read).`,
      ),
    ]
  const collection =
    item.split('/')[0] === 'keys' ? 'keys' : item.split('/')[0] === 'secrets' ? 'secrets' : 'certificates'
  const rights = facts.rbac ? await manager.rights(`${facts.id}/${item}`, signal) : null
  const missing = needs.filter(({ action, permission }) =>
    rights
      ? !rights.mayData(`Microsoft.KeyVault/vaults/${action}`)
      : ![permission, 'all'].some((one) =>
          facts.policy[collection].some((held) => held.toLowerCase() === one),
        ),
  )
  if (missing.length === 0) return [passed('permission', `The identity may change ${item}.`)]
  return missing.map(({ action, permission, why }) =>
    failed(
      'permission',
      rights
        ? `The identity lacks the data action Microsoft.KeyVault/vaults/${action} at ${item} (${why}).`
        : `The vault’s access policy lacks the permission ${permission} on ${collection} for the identity (${why}).`,
    ),
  )
}

/** Whether infrastructure code seems to manage a thing: the thing itself stops a rotation, what it lies in only warns. */
export function elsewhere(
  own: { readonly what: string; readonly tags: Readonly<Record<string, string>> | readonly string[] },
  around?: { readonly what: string; readonly tags: Readonly<Record<string, string>> },
): PreflightCheck[] {
  const tag = managedByCode(own.tags)
  if (tag !== null)
    return [
      failed(
        'managed-elsewhere',
        `${own.what} says that code manages it (${tag}): its next run would put the old value back. Take it out of the code, or the tag away.`,
      ),
    ]
  const outer = around && managedByCode(around.tags)
  return outer
    ? [
        warned(
          'managed-elsewhere',
          `${around.what} is managed by code (${outer}); this value seems not to be.`,
        ),
      ]
    : [passed('managed-elsewhere', `Nothing says that code manages ${own.what}.`)]
}
