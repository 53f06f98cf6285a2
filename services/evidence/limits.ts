import type { FrameworkPacket } from '@attestry/contracts'

/** What no bundle proves, whatever is in it. Printed in every packet. */
const LIMITS: readonly string[] = [
  'This is technical evidence, not a certification, an attestation of compliance or an opinion. Nobody may rely on it as a determination: whether a control is met, the auditor decides.',
  'It covers the life of keys, certificates, secrets and application credentials. What a control asks beyond them is not covered.',
  'The product records what it did and what it saw. Access to secret values, sign-ins to Azure and changes made elsewhere are recorded by Azure, not here.',
  'It reads metadata of Azure resources. It never sees health, cardholder or other business data, and so says nothing of how such data is protected.',
  'One identity cannot see what it was never granted. Compare the scope with a listing that another identity made.',
  'An insider with the database and the signing key who rewrites the newest events before anybody else holds a checkpoint is not caught by a bundle alone.',
  'Names and tags are the customer’s own; regulated content in them is the customer’s responsibility.',
]

/** What the customer has to do beside the product for the frameworks that it maps to. */
const CUSTOMER_ACTIONS: readonly string[] = [
  'Logging: send the diagnostic logs of every vault in scope to a workspace that the vaults’ administrators cannot change, keep them as long as your framework asks (a year, as a rule), alert on unusual access, and bring them together with other logs.',
  'Authentication: require more than one factor of everybody who may read or change vaults, make raised rights time-bound, review them, and write down the way in for emergencies.',
  'Encryption elsewhere: verify encryption at rest outside Key Vault (storage accounts, databases, disks, queues); it is not looked at here. Where it matters most, use keys of your own in a premium vault.',
  'Organisation: keep the security policy, named officers, risk assessments, training records, incident procedures, contracts with processors and acknowledgements of key custodians that your framework asks for.',
]

/** Limits that hold for a bundle: those of every one, and those of the framework that it is for. */
export const limitsOf = (framework: FrameworkPacket | null): string[] => [
  ...LIMITS,
  ...(framework ? [`${framework.title}: ${framework.limits}`] : []),
]

/** Actions that the customer owes: those for every framework, and those that the framework’s controls leave to them. */
export const customerActionsOf = (framework: FrameworkPacket | null): string[] => [
  ...CUSTOMER_ACTIONS,
  ...(framework?.controls ?? []).flatMap(({ control, title, customerAction }) =>
    customerAction === null ? [] : [`${control} ${title}: ${customerAction}`],
  ),
]
