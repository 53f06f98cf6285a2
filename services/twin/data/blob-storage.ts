import { createHmac, timingSafeEqual } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { StorageAccount } from '../estate/estate.ts'
import { type Call, type Cloud, operations, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'

const xml = (status: number, body: string, headers: Record<string, string> = {}) =>
  new Response(`<?xml version="1.0" encoding="utf-8"?>${body}`, {
    status,
    headers: { 'content-type': 'application/xml', 'x-ms-version': '2025-01-05', ...headers },
  })

/** @see https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2 */
const plane: Plane = {
  name: 'storage',
  render: ({ status, code, message, headers }) =>
    xml(status, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`, {
      'x-ms-error-code': code,
      ...headers,
    }),
  throttled: (retry) =>
    new Refusal(503, 'ServerBusy', 'The server is currently unable to receive requests.', {
      headers: retry === undefined ? {} : { 'retry-after': String(retry) },
    }),
}

const signedHeaders = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
]

/** @see https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
function stringToSign(call: Call, account: string): string {
  const { req } = call.context
  const header = (name: string) => {
    const value = req.header(name) ?? ''
    return name === 'content-length' && value === '0' ? '' : value
  }
  const own = [...req.raw.headers]
    .filter(([name]) => name.startsWith('x-ms-'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}\n`)
  const query = [...call.url.searchParams]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `\n${name.toLowerCase()}:${value}`)
  return `${req.method}\n${signedHeaders.map((name) => `${header(name)}\n`).join('')}${own.join('')}/${account}${call.url.pathname}${query.join('')}`
}

/** The account behind `name.blob.core.windows.net`. */
export const accountOf = (cloud: Cloud, host: string): StorageAccount | undefined =>
  cloud.estate.storageAccounts.find(({ name }) => host === `${name.toLowerCase()}.blob.core.windows.net`)

/** The Blob service, as far as its door: a request that is signed with a key of the account is let in. */
export function blobRoutes(cloud: Cloud) {
  const operation = operations(cloud, plane)
  const app = new Hono<{ Bindings: HttpBindings }>()

  function checkKey(call: Call) {
    const account = accountOf(cloud, call.host)
    if (account === undefined) throw new Refusal(404, 'ResourceNotFound', 'There is no such account.')
    const [, named, signature] =
      call.context.req.header('authorization')?.match(/^SharedKey ([^:]+):(.+)$/) ?? []
    const refused = new Refusal(
      403,
      'AuthenticationFailed',
      'Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.',
    )
    if (signature === undefined || named !== account.name) throw refused
    if (!account.sharedKey)
      throw new Refusal(
        403,
        'KeyBasedAuthenticationNotPermitted',
        'Key based authentication is not permitted on this storage account.',
      )
    const text = stringToSign(call, account.name)
    const given = Buffer.from(signature, 'base64')
    const fits = account.keys.some(({ value }) => {
      const mac = createHmac('sha256', Buffer.from(value, 'base64')).update(text).digest()
      return mac.length === given.length && timingSafeEqual(mac, given)
    })
    if (!fits) throw refused
  }

  app.get(
    '/',
    operation('blob.service', (call) => {
      checkKey(call)
      const asked = `${call.url.searchParams.get('restype') ?? ''} ${call.url.searchParams.get('comp') ?? ''}`
      if (asked === 'service properties')
        return xml(200, '<StorageServiceProperties><Cors /></StorageServiceProperties>')
      if (asked === ' list')
        return xml(
          200,
          `<EnumerationResults ServiceEndpoint="https://${call.host}/"><Containers /><NextMarker /></EnumerationResults>`,
        )
      throw new Refusal(
        400,
        'InvalidQueryParameterValue',
        'Value for one of the query parameters is invalid.',
      )
    }),
  )
  app.notFound(
    operation('unknown', (call) => {
      checkKey(call)
      throw new Refusal(404, 'ContainerNotFound', 'The specified container does not exist.')
    }),
  )
  return app
}
