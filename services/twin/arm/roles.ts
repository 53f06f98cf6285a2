import type { RoleDefinition } from '../estate/estate.ts'
import { rolesAt } from '../estate/roles.ts'
import { bodyOf, type Call, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { authorize } from './access.ts'
import { roleAssignmentResource, roleDefinitionResource } from './resources.ts'
import type { InsideArm } from './inside.ts'

const plain = { query: ['api-version'] }
const top = { query: ['api-version', '$top', '$skiptoken'] }

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
const badRequest = (code: string, message: string) => new Refusal(400, code, message)

/**
 * Role definitions and assignments: lists, custom definitions, assignments at any scope of a subscription.
 * @see https://learn.microsoft.com/rest/api/authorization/role-definitions/create-or-update
 * @see https://learn.microsoft.com/rest/api/authorization/role-assignments/create
 */
export function roleRoutes({ app, cloud, operation, inSubscription, paged }: InsideArm) {
  const { estate } = cloud
  const at = '/subscriptions/:subscription/providers/microsoft.authorization'
  const idIn = (call: Call) => (call.context.req.param('id') ?? '').toLowerCase()

  app.get(
    `${at}/roleassignments`,
    operation(
      'role-assignments.list',
      async (call) => {
        const { caller, subscription } = await inSubscription(call, 'roleAssignments')
        const scope = `/subscriptions/${subscription.id}`
        authorize(cloud, caller, 'Microsoft.Authorization/roleAssignments/read', scope)
        const here = estate.roleAssignments.filter(
          (assignment) =>
            assignment.scope.toLowerCase() === scope.toLowerCase() ||
            assignment.scope.toLowerCase().startsWith(`${scope.toLowerCase()}/`),
        )
        return paged(call, here, (assignment) => roleAssignmentResource(estate, assignment))
      },
      top,
    ),
  )
  // Who asks sees its own rights there.
  app.get(
    '/subscriptions/:subscription/:below{.*}/providers/microsoft.authorization/permissions',
    operation(
      'permissions.list',
      async (call) => {
        const { caller } = await inSubscription(call, 'permissions')
        const scope = decodeURIComponent(call.url.pathname).replace(
          /\/providers\/Microsoft\.Authorization\/permissions\/?$/i,
          '',
        )
        authorize(cloud, caller, 'Microsoft.Authorization/permissions/read', scope)
        return json({
          value: rolesAt(estate, caller.objectId, scope).map(({ actions, notActions, dataActions }) => ({
            actions,
            notActions,
            dataActions,
            notDataActions: [],
          })),
        })
      },
      plain,
    ),
  )
  app.get(
    `${at}/roledefinitions`,
    operation(
      'role-definitions.list',
      async (call) => {
        const { caller, subscription } = await inSubscription(call, 'roleDefinitions')
        authorize(
          cloud,
          caller,
          'Microsoft.Authorization/roleDefinitions/read',
          `/subscriptions/${subscription.id}`,
        )
        return paged(call, estate.roleDefinitions, (definition) =>
          roleDefinitionResource(subscription.id, definition),
        )
      },
      top,
    ),
  )
  app.put(
    `${at}/roledefinitions/:id`,
    operation(
      'role-definitions.create',
      async (call) => {
        const { caller, subscription } = await inSubscription(call, 'roleDefinitions', 'arm.write')
        const scope = `/subscriptions/${subscription.id}`
        authorize(cloud, caller, 'Microsoft.Authorization/roleDefinitions/write', scope)
        const properties = record((await bodyOf(call)).properties)
        const [permission, ...more] = Array.isArray(properties.permissions) ? properties.permissions : []
        if (permission === undefined || more.length > 0)
          throw badRequest('InvalidRoleDefinition', 'A role definition needs exactly one permission.')
        if (typeof properties.roleName !== 'string' || properties.roleName === '')
          throw badRequest('RoleDefinitionNameMissing', 'The role needs a name.')
        if (!texts(properties.assignableScopes).some((one) => one.toLowerCase() === scope.toLowerCase()))
          throw badRequest('InvalidAssignableScopes', 'The assignable scopes must hold this subscription.')
        const { actions, notActions, dataActions } = record(permission)
        const definition: RoleDefinition = {
          id: idIn(call),
          name: properties.roleName,
          custom: true,
          actions: texts(actions),
          notActions: texts(notActions),
          dataActions: texts(dataActions),
        }
        const known = estate.roleDefinitions.findIndex(({ id }) => id === definition.id)
        if (known >= 0 && estate.roleDefinitions[known]?.custom !== true)
          throw badRequest('RoleDefinitionCannotBeModified', 'A built-in role cannot be changed.')
        if (estate.roleDefinitions.some((one) => one.name === definition.name && one.id !== definition.id))
          throw new Refusal(409, 'RoleDefinitionWithSameNameExists', 'Another custom role has this name.')
        estate.roleDefinitions.splice(known < 0 ? estate.roleDefinitions.length : known, 1, definition)
        return json(roleDefinitionResource(subscription.id, definition), 201)
      },
      { ...plain, mutates: true },
    ),
  )
  app.put(
    '/subscriptions/:subscription/:below{.*}/providers/microsoft.authorization/roleassignments/:id',
    operation('role-assignments.create', assign, { ...plain, mutates: true }),
  )
  app.put(
    `${at}/roleassignments/:id`,
    operation('role-assignments.create', assign, { ...plain, mutates: true }),
  )

  async function assign(call: Call): Promise<Response> {
    const { caller } = await inSubscription(call, 'roleAssignments', 'arm.write')
    const scope = decodeURIComponent(call.url.pathname).replace(
      /\/providers\/Microsoft\.Authorization\/roleAssignments\/[^/]+$/i,
      '',
    )
    authorize(cloud, caller, 'Microsoft.Authorization/roleAssignments/write', scope)
    const { roleDefinitionId, principalId } = record((await bodyOf(call)).properties)
    const definition = String(roleDefinitionId).split('/').at(-1)?.toLowerCase()
    if (!estate.roleDefinitions.some(({ id }) => id === definition))
      throw badRequest('RoleDefinitionDoesNotExist', 'The specified role definition does not exist.')
    const principal = estate.servicePrincipals.find(({ id }) => id === principalId)
    if (principal === undefined)
      throw badRequest(
        'PrincipalNotFound',
        `Principal ${String(principalId)} does not exist in the directory.`,
      )
    const assignment = {
      id: idIn(call),
      roleDefinition: String(definition),
      principal: principal.id,
      scope,
    }
    if (
      estate.roleAssignments.some(
        (one) =>
          one.principal === assignment.principal &&
          one.roleDefinition === assignment.roleDefinition &&
          one.scope.toLowerCase() === scope.toLowerCase(),
      )
    )
      throw new Refusal(409, 'RoleAssignmentExists', 'The role assignment already exists.')
    estate.roleAssignments.push(assignment)
    return json(roleAssignmentResource(estate, assignment), 201)
  }
}
