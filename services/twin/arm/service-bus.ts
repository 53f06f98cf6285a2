import { type AuthorizationRule, resourceId, type ServiceBusNamespace } from '../estate/estate.ts'
import { bodyOf, type Call, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { authorize } from './access.ts'
import { serviceBusResource } from './resources.ts'
import { groupPath, type InsideArm } from './inside.ts'

const type = 'Microsoft.ServiceBus/namespaces'
const plain = { query: ['api-version'] }

/**
 * Service Bus namespaces and the keys of their authorization rules.
 * @see https://learn.microsoft.com/rest/api/servicebus/controlplane-stable/namespaces-authorization-rules
 */
export function serviceBusRoutes({ app, cloud, operation, inSubscription, named, paged }: InsideArm) {
  const { estate } = cloud
  const namespaceId = (namespace: ServiceBusNamespace) => resourceId(namespace, type, namespace.name)
  const at = `${groupPath}/providers/microsoft.servicebus/namespaces/:name`

  const admitted = async (call: Call, action: string, kind: 'arm.read' | 'arm.write' = 'arm.read') => {
    const { caller } = await inSubscription(call, 'serviceBus', kind)
    const namespace = named(estate.serviceBusNamespaces, call, type)
    authorize(cloud, caller, `${type}/${action}`, namespaceId(namespace))
    return namespace
  }
  function ruleOf(call: Call, namespace: ServiceBusNamespace): AuthorizationRule {
    const name = call.context.req.param('rule') ?? ''
    const rule = namespace.rules.find((one) => one.name.toLowerCase() === name.toLowerCase())
    if (rule === undefined)
      throw new Refusal(404, 'ResourceNotFound', `The authorization rule '${name}' was not found.`)
    return rule
  }
  const ruleResource = (namespace: ServiceBusNamespace, rule: AuthorizationRule) => ({
    id: `${namespaceId(namespace)}/AuthorizationRules/${rule.name}`,
    name: rule.name,
    type: `${type}/AuthorizationRules`,
    location: namespace.location,
    properties: { rights: rule.rights },
  })
  const keys = (namespace: ServiceBusNamespace, rule: AuthorizationRule) => {
    const connection = (key: string) =>
      `Endpoint=sb://${namespace.name}.servicebus.windows.net/;SharedAccessKeyName=${rule.name};SharedAccessKey=${key}`
    return json({
      primaryConnectionString: connection(rule.primaryKey),
      secondaryConnectionString: connection(rule.secondaryKey),
      primaryKey: rule.primaryKey,
      secondaryKey: rule.secondaryKey,
      keyName: rule.name,
    })
  }

  app.get(
    at,
    operation(
      'service-bus.get',
      async (call) => json(serviceBusResource(await admitted(call, 'read'))),
      plain,
    ),
  )
  app.get(
    `${at}/authorizationrules`,
    operation(
      'service-bus.rules',
      async (call) => {
        const namespace = await admitted(call, 'authorizationRules/read')
        return paged(call, namespace.rules, (rule) => ruleResource(namespace, rule))
      },
      { query: ['api-version', '$top', '$skiptoken'] },
    ),
  )
  app.get(
    `${at}/authorizationrules/:rule`,
    operation(
      'service-bus.rule',
      async (call) => {
        const namespace = await admitted(call, 'authorizationRules/read')
        return json(ruleResource(namespace, ruleOf(call, namespace)))
      },
      plain,
    ),
  )
  app.post(
    `${at}/authorizationrules/:rule/listkeys`,
    operation(
      'service-bus.list-keys',
      async (call) => {
        const namespace = await admitted(call, 'authorizationRules/listkeys/action')
        return keys(namespace, ruleOf(call, namespace))
      },
      plain,
    ),
  )
  app.post(
    `${at}/authorizationrules/:rule/regeneratekeys`,
    operation(
      'service-bus.regenerate-keys',
      async (call) => {
        const namespace = await admitted(call, 'authorizationRules/regenerateKeys/action', 'arm.write')
        const rule = ruleOf(call, namespace)
        const { keyType, key } = await bodyOf(call)
        if (keyType !== 'PrimaryKey' && keyType !== 'SecondaryKey')
          throw new Refusal(400, 'BadRequest', 'The key type must be PrimaryKey or SecondaryKey.')
        const value = typeof key === 'string' ? key : `canary-${cloud.randomHex(16)}`
        if (keyType === 'PrimaryKey') rule.primaryKey = value
        else rule.secondaryKey = value
        return keys(namespace, rule)
      },
      { ...plain, mutates: true },
    ),
  )
}
