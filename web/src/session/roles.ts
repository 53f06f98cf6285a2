import type { Role } from '@attestry/contracts'
import type { Endpoint } from '@attestry/contracts/http'

/** The names of roles as people say them. */
export const ROLE_NAMES: Readonly<Record<Role, string>> = {
  'tenant-admin': 'Tenant administrator',
  'security-admin': 'Security administrator',
  analyst: 'Analyst',
  viewer: 'Viewer',
  auditor: 'Auditor',
  'service-account': 'Service account',
}

/** What a role is for, in one line. */
export const ROLE_PURPOSE: Readonly<Record<Role, string>> = {
  'tenant-admin': 'Everything, including people and connections.',
  'security-admin': 'Scans, environments, evidence and operations; no people.',
  analyst: 'Reads all, and judges supposed dependencies.',
  viewer: 'Reads the estate, its findings and its compliance.',
  auditor: 'Builds and reads evidence, verifies the ledger; sees nothing else.',
  'service-account': 'A machine: scans and reads over the HTTP interface.',
}

/** Whether roles may call an endpoint, by the endpoint's own line of the table: the rule the server applies too. */
export function rolesMay(roles: readonly Role[], endpoint: Endpoint): boolean {
  if (endpoint.roles === 'open' || endpoint.roles === 'anyone') return true
  const allowed = endpoint.roles
  return roles.some((role) => allowed.includes(role))
}

/** The roles that an endpoint needs, in words: "Tenant administrator or Auditor". Machines are left out. */
export function rolesNeeded(endpoint: Endpoint): string {
  if (endpoint.roles === 'open' || endpoint.roles === 'anyone') return 'anybody who is signed in'
  const names = endpoint.roles.filter((r) => r !== 'service-account').map((r) => ROLE_NAMES[r])
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}
