import type { Estate } from '../twin/index.ts'

/** Key Vault Secrets Officer, by its published id. */
const SECRETS_OFFICER = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

/** Grants the product's identity what a sync needs in every vault of an estate: to list, read and write secrets. */
export function mayWriteSecrets(estate: Estate): void {
  const product = estate.servicePrincipals.find((one) => one.name === 'attestry')
  if (!product) throw new Error('the estate has no identity of the product')
  for (const { id } of estate.subscriptions)
    estate.roleAssignments.push({
      id: `sync-${id}`,
      roleDefinition: SECRETS_OFFICER,
      principal: product.id,
      scope: `/subscriptions/${id}`,
    })
}
