import type { AppManagementPolicy } from '../estate/estate.ts'
import { json, type Cloud } from '../operation.ts'
import type { GraphAccess } from './access.ts'
import type { GraphApp } from './routes.ts'

const since = '2019-01-01T00:00:00Z'

/**
 * The directory's default policy on credentials.
 * @see https://learn.microsoft.com/graph/api/tenantappmanagementpolicy-get
 */
export function policyRoutes(app: GraphApp, cloud: Cloud, { operation, admit }: GraphAccess) {
  const restriction = (restrictionType: string, maxDays: number | null) => ({
    restrictionType,
    state: 'enabled',
    maxLifetime: maxDays === null ? null : `P${maxDays}D`,
    restrictForAppsCreatedAfterDateTime: since,
  })
  const restrictions = (policy: AppManagementPolicy) => ({
    passwordCredentials: [
      ...(policy.passwordAddition ? [] : [restriction('passwordAddition', null)]),
      ...(policy.maxPasswordDays === null ? [] : [restriction('passwordLifetime', policy.maxPasswordDays)]),
    ],
    keyCredentials:
      policy.maxKeyDays === null ? [] : [restriction('asymmetricKeyLifetime', policy.maxKeyDays)],
  })
  app.get(
    '/v1.0/policies/defaultAppManagementPolicy',
    operation('policies.default-app-management', async (call) => {
      const policy = cloud.estate.appManagementPolicy
      await admit(call, ['Policy.Read.All', 'Policy.Read.ApplicationConfiguration'])
      return json({
        '@odata.context': `https://${call.host}/v1.0/$metadata#policies/defaultAppManagementPolicy/$entity`,
        id: '00000000-0000-0000-0000-000000000000',
        displayName: 'Default app management tenant policy',
        description: 'Default tenant policy that enforces app management restrictions on applications.',
        isEnabled: policy.enabled,
        applicationRestrictions: restrictions(policy),
        servicePrincipalRestrictions: restrictions(policy),
      })
    }),
  )
}
