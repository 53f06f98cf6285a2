import type { CredentialSubject, PreflightCheck } from '@attestry/contracts'
import { Denied } from '@attestry/kit'
import type { ResourceManager } from '../azure/rights.ts'
import { elsewhere, failed, looked, passed, vaultRights, type VaultNeed } from './checks.ts'
import type { Work } from './issuer.ts'

/** Name of a vault's key or certificate. */
export const itemOf = ({ part }: CredentialSubject): string => {
  if (part === null) throw new Denied('NoItem', 'The plan does not say which item of the vault this is')
  return part
}

/** An end as the contracts write it; Azure takes later ones than an ISO text of four digits a year can say. */
export const instantOf = (date: Date | undefined): string | null =>
  date === undefined
    ? null
    : new Date(Math.min(date.getTime(), Date.UTC(9999, 11, 31, 23, 59, 59))).toISOString()

/** A snapshot holds so many; older versions are of no concern to a rotation. */
export const MOST_VERSIONS = 200

/** What has to hold in the vault before one of its own items is made anew. */
export async function itemPreflight(
  manager: ResourceManager,
  collection: 'keys' | 'certificates',
  subject: CredentialSubject,
  needs: readonly VaultNeed[],
  work: Work,
  look: () => Promise<{ readonly tags: Readonly<Record<string, string>>; readonly deleted: boolean }>,
): Promise<readonly PreflightCheck[]> {
  const name = itemOf(subject)
  const where = `${name} in ${new URL(subject.at).hostname}`
  return looked('vault-reachable', `${where} cannot be looked at`, async () => {
    const facts = await manager.vault(subject.at, work.signal)
    const rights = await vaultRights(manager, facts, `${collection}/${name}`, needs, work.signal)
    if (rights.some(({ state }) => state === 'failed')) return rights
    const { tags, deleted } = await look()
    return [
      ...rights,
      passed('vault-reachable', `${where} can be reached.`),
      deleted
        ? failed('vault-soft-deleted', `${where} is deleted and its name still held: recover it first.`)
        : passed('vault-soft-deleted', `${where} is not deleted.`),
      ...elsewhere(
        { what: where, tags },
        facts ? { what: new URL(subject.at).hostname, tags: facts.tags } : undefined,
      ),
    ]
  })
}
