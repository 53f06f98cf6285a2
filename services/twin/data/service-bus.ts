import { createHmac } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { AuthorizationRule, ServiceBusNamespace } from '../estate/estate.ts'
import { type Call, type Cloud, operations, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'

const xml = (status: number, body: string, headers: Record<string, string> = {}) =>
  new Response(body, { status, headers: { 'content-type': 'application/xml; charset=utf-8', ...headers } })

/** Service Bus answers `<Error><Code>401</Code><Detail>…</Detail></Error>`, the reason in words. */
const plane: Plane = {
  name: 'servicebus',
  render: ({ status, message, headers }) =>
    xml(status, `<Error><Code>${status}</Code><Detail>${message}</Detail></Error>`, { ...headers }),
  throttled: (retry) =>
    new Refusal(503, 'ServerBusy', 'The request was terminated because the namespace is being throttled.', {
      headers: retry === undefined ? {} : { 'retry-after': String(retry) },
    }),
}

/** The namespace behind `name.servicebus.windows.net`. */
export const namespaceOf = (cloud: Cloud, host: string): ServiceBusNamespace | undefined =>
  cloud.estate.serviceBusNamespaces.find(
    ({ name }) => host === `${name.toLowerCase()}.servicebus.windows.net`,
  )

/**
 * A namespace's HTTPS face, as far as its door: a shared access signature made with a key of one of its rules is let
 * in as far as the rule's rights go.
 * @see https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
 */
export function serviceBusDataRoutes(cloud: Cloud) {
  const operation = operations(cloud, plane)
  const app = new Hono<{ Bindings: HttpBindings }>()

  function checkSignature(call: Call): { namespace: ServiceBusNamespace; rule: AuthorizationRule } {
    const namespace = namespaceOf(cloud, call.host)
    if (namespace === undefined) throw new Refusal(404, 'NotFound', 'There is no such namespace.')
    const token = call.context.req.header('authorization')?.match(/^SharedAccessSignature (.+)$/)?.[1]
    const refused = (why: string) => new Refusal(401, 'Unauthorized', why)
    if (token === undefined) throw refused('MissingToken: The authorization header was not found.')
    if (!namespace.localAuth)
      throw refused('LocalAuthDisabled: Authorization failed because SAS is disabled.')
    const parts = new URLSearchParams(token)
    const [sr, sig, se, skn] = ['sr', 'sig', 'se', 'skn'].map((name) => parts.get(name) ?? '')
    const rule = namespace.rules.find(({ name }) => name === skn)
    const fits = [rule?.primaryKey, rule?.secondaryKey].some(
      (key) =>
        key !== undefined &&
        createHmac('sha256', key)
          .update(`${encodeURIComponent(sr ?? '')}\n${se}`)
          .digest('base64') === sig,
    )
    if (rule === undefined || !fits) throw refused('InvalidSignature: The token has an invalid signature.')
    if (Number(se) * 1000 <= cloud.clock.now()) throw refused('ExpiredToken: The token is expired.')
    return { namespace, rule }
  }
  const needs = (rule: AuthorizationRule, right: 'Manage' | 'Listen' | 'Send') => {
    if (!rule.rights.includes(right))
      throw new Refusal(401, 'Unauthorized', `${right} claims required for this operation.`)
  }

  app.get(
    '/$namespaceinfo',
    operation('service-bus.namespace-info', (call) => {
      const { namespace, rule } = checkSignature(call)
      needs(rule, 'Manage')
      const at = new Date(cloud.estate.seededAt * 1000).toISOString()
      return xml(
        200,
        `<entry xmlns="http://www.w3.org/2005/Atom"><id>https://${call.host}/$namespaceinfo</id><title type="text">${namespace.name}</title><updated>${at}</updated><content type="application/xml"><NamespaceInfo xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"><CreatedTime>${at}</CreatedTime><MessagingSKU>Standard</MessagingSKU><ModifiedTime>${at}</ModifiedTime><Name>${namespace.name}</Name><NamespaceType>Messaging</NamespaceType></NamespaceInfo></content></entry>`,
      )
    }),
  )
  app.notFound(
    operation('unknown', (call) => {
      checkSignature(call)
      throw new Refusal(404, 'NotFound', 'The specified entity does not exist.')
    }),
  )
  return app
}
