import type { CredentialSubject, PreflightCheck } from '@attestry/contracts'
import { Denied } from '@attestry/kit'
import type { ResourceManager } from '../azure/rights.ts'
import { elsewhere, failed, passed } from './checks.ts'

/** Where a resource is, from its id. */
export interface Place {
  readonly subscription: string
  readonly group: string
  readonly name: string
}

/** @throws Denied when this is not the id of a resource of that type */
export function placeOf(id: string, type: string): Place {
  const pattern = new RegExp(
    `^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/${type.replace('.', '\\.')}/([^/]+)$`,
    'i',
  )
  const [, subscription, group, name] = pattern.exec(id) ?? []
  if (subscription === undefined || group === undefined || name === undefined)
    throw new Denied('BadResourceId', `This is not the id of a resource of type ${type}`)
  return { subscription, group, name }
}

/** Whether our identity has the actions at a resource, and whether code seems to manage it. */
export async function resourceRights(
  manager: ResourceManager,
  { at, name }: CredentialSubject,
  apiVersion: string,
  signal: AbortSignal,
  needs: readonly { readonly action: string; readonly why: string }[],
): Promise<readonly PreflightCheck[]> {
  const rights = await manager.rights(at, signal)
  const missing = needs.filter(({ action }) => !rights.may(action))
  const checks =
    missing.length === 0
      ? [passed('permission', `The identity may change the keys of ${name}.`)]
      : missing.map(({ action, why }) =>
          failed('permission', `The identity lacks the action ${action} at ${name} (${why}).`),
        )
  const type = at.split('/').slice(6, 8).join('/')
  if (!rights.may(`${type}/read`)) return checks
  // Code that manages the resource seldom manages its keys, so this only warns.
  const tags = (await manager.tags(at, apiVersion, signal)) ?? {}
  return [...checks, ...elsewhere({ what: `the keys of ${name}`, tags: {} }, { what: name, tags })]
}
