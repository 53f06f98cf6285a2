/** What no bundle proves, whatever is in it. Printed in every packet. */
export const LIMITS: readonly string[] = [
  'This is technical evidence, not a certification and not an opinion on compliance. The auditor decides whether a control is met.',
  'The product records what it did and what it saw. Access to secret values, sign-ins to Azure and changes made elsewhere are recorded by Azure, not here.',
  'One identity cannot see what it was never granted. Compare the scope with a listing that another identity made.',
  'An insider with the database and the signing key who rewrites the newest events before anybody else holds a checkpoint is not caught by a bundle alone.',
  'Names and tags are the customer’s own; regulated content in them is the customer’s responsibility.',
]

/** What the customer has to do beside the product for the frameworks that it maps to. */
export const CUSTOMER_ACTIONS: string[] = [
  'Send the AuditEvent logs of every vault to a workspace that the vaults’ administrators cannot change, and keep them for at least a year.',
  'Require multi-factor authentication for everybody who may read or change vaults, and review those grants.',
  'Verify encryption at rest outside Key Vault (storage accounts, databases, disks); it is not looked at here.',
  'Keep the policies, training and incident procedures that your framework asks for.',
]
