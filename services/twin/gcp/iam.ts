import type { Binding, GcpProject } from './project.ts'

/** The predefined roles that matter here, with the permissions that matter here. */
const predefined: Readonly<Record<string, readonly string[]>> = {
  'roles/secretmanager.admin': ['secretmanager.*'],
  'roles/secretmanager.viewer': [
    'secretmanager.secrets.get',
    'secretmanager.secrets.list',
    'secretmanager.versions.get',
    'secretmanager.versions.list',
  ],
  'roles/secretmanager.secretAccessor': ['secretmanager.versions.access'],
  'roles/secretmanager.secretVersionAdder': ['secretmanager.versions.add'],
  'roles/certificatemanager.editor': ['certificatemanager.*'],
  'roles/iam.workloadIdentityUser': [
    'iam.serviceAccounts.getAccessToken',
    'iam.serviceAccounts.getOpenIdToken',
  ],
  'roles/iam.serviceAccountTokenCreator': [
    'iam.serviceAccounts.getAccessToken',
    'iam.serviceAccounts.signBlob',
  ],
}

const grants = (permissions: readonly string[], permission: string): boolean =>
  permissions.some(
    (one) => one === permission || (one.endsWith('*') && permission.startsWith(one.slice(0, -1))),
  )

/**
 * Whether a binding's condition holds for a resource.
 * @throws Error on an expression other than `resource.name.startsWith("…")`: half a condition proves nothing
 */
function holds(condition: Binding['condition'], resource: string): boolean {
  if (condition === undefined) return true
  const prefix = /^resource\.name\.startsWith\("([^"]*)"\)$/.exec(condition.expression)?.[1]
  if (prefix === undefined) throw new Error(`The condition ${condition.expression} is not known here.`)
  return resource.startsWith(prefix)
}

/** Whether one of the bindings lets the member do what the permission says to a resource. */
export function permits(
  project: GcpProject,
  bindings: readonly Binding[],
  asked: { readonly member: string; readonly permission: string; readonly resource: string },
): boolean {
  return bindings.some(({ role, members, condition }) => {
    const permissions = predefined[role] ?? project.roles.find(({ name }) => name === role)?.permissions
    return (
      members.includes(asked.member) &&
      permissions !== undefined &&
      grants(permissions, asked.permission) &&
      holds(condition, asked.resource)
    )
  })
}
