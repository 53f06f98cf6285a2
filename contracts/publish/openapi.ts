import { type Endpoint, http, Problem, type RefusalKind } from '../http/index.ts'
import { createSchemaBook, type Json, type JsonObject, type SchemaBook } from './schemas.ts'

/** Statuses by kind of refusal, as the endpoint table's own comment has them. */
const STATUS: Readonly<Record<RefusalKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  locked: 423,
  'too-many': 429,
  unavailable: 503,
}

const SAYS: Readonly<Record<number, string>> = {
  400: 'The request is malformed.',
  401: 'Nobody is signed in.',
  403: 'Not allowed.',
  404: 'There is no such thing.',
  409: 'It does not fit the present state.',
  413: 'The body is too large.',
  423: 'The account is locked for a while.',
  429: 'Too many requests.',
  500: 'Something broke on our side.',
  503: 'What this needs is away for a moment.',
}

/** Every code that an endpoint may refuse with, by status: those of its table and those that all share. */
function refusalsOf(service: string, endpoint: Endpoint): Map<number, string[]> {
  const byStatus = new Map<number, string[]>()
  const add = (status: number, ...codes: string[]) =>
    byStatus.set(status, [...(byStatus.get(status) ?? []), ...codes])
  if (endpoint.query) add(400, 'bad-query')
  if (endpoint.body) {
    add(400, 'bad-body', 'not-json')
    add(413, 'body-too-large')
  }
  if (endpoint.roles !== 'open') {
    add(401, 'not-signed-in')
    if (endpoint.path.startsWith('/api/')) add(403, 'change-password-first')
    if (endpoint.roles !== 'anyone') add(403, 'role-missing')
    if (endpoint.entitlement) add(403, 'not-licensed')
    if (endpoint.reauthenticate) add(403, 'reauthenticate')
  }
  if (endpoint.method !== 'GET') add(403, 'cross-site')
  for (const [code, kind] of Object.entries(endpoint.refusals)) add(STATUS[kind], code)
  add(500, 'internal-error')
  add(503, ...(service === 'gateway' ? ['try-again'] : ['service-away', 'try-again']))
  return byStatus
}

const members = (schema: Json): [string, Json][] =>
  typeof schema === 'object' && schema !== null && 'properties' in schema
    ? Object.entries(schema['properties'] as JsonObject)
    : []

const parametersOf = (endpoint: Endpoint, book: SchemaBook): Json[] => {
  const path = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  if (!endpoint.query) return path
  const query = book.of(endpoint.query, 'input')
  const required = new Set(
    typeof query === 'object' && query !== null && 'required' in query ? (query['required'] as string[]) : [],
  )
  return [
    ...path,
    ...members(query).map(([name, schema]) => ({ name, in: 'query', required: required.has(name), schema })),
  ]
}

const answerOf = (endpoint: Endpoint, book: SchemaBook): JsonObject => {
  if (endpoint.reply === null) return { '204': { description: 'Done.' } }
  if (endpoint.reply === 'stream')
    return {
      '200': {
        description: 'Events as they come.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
    }
  if (endpoint.reply === 'file')
    return { '200': { description: 'The file.', content: { 'application/zip': {} } } }
  const schema = book.of(endpoint.reply, 'output')
  return { '200': { description: 'The answer.', content: { 'application/json': { schema } } } }
}

const operationOf = (service: string, name: string, endpoint: Endpoint, book: SchemaBook): Json => {
  const problem = book.of(Problem, 'output')
  const refused = [...refusalsOf(service, endpoint)]
    .toSorted(([a], [b]) => a - b)
    .map(([status, codes]) => [
      String(status),
      {
        description: SAYS[status] ?? '',
        content: {
          'application/problem+json': {
            schema: { allOf: [problem, { properties: { code: { type: 'string', enum: codes } } }] },
          },
        },
      },
    ])
  return {
    operationId: `${service}.${name}`,
    tags: [service],
    summary: endpoint.summary,
    security: endpoint.roles === 'open' ? [] : [{ cookie: [] }, { bearer: [] }],
    'x-roles': endpoint.roles,
    ...(endpoint.entitlement ? { 'x-entitlement': endpoint.entitlement } : {}),
    ...(endpoint.reauthenticate ? { 'x-reauthenticate': true } : {}),
    parameters: parametersOf(endpoint, book),
    ...(endpoint.body ? requestBody(book.of(endpoint.body, 'input')) : {}),
    ...(endpoint.upload ? requestBody({}) : {}),
    responses: { ...answerOf(endpoint, book), ...Object.fromEntries(refused) },
  }
}

const requestBody = (schema: Json): JsonObject => ({
  requestBody: { required: true, content: { 'application/json': { schema } } },
})

/** The HTTP interface as an OpenAPI 3.1 document. */
export function openapi(): JsonObject {
  const book = createSchemaBook()
  const paths: Record<string, Record<string, Json>> = {}
  for (const [service, table] of Object.entries(http))
    for (const [name, endpoint] of Object.entries<Endpoint>(table)) {
      const path = (paths[endpoint.path] ??= {})
      const method = endpoint.method.toLowerCase()
      if (path[method]) throw new Error(`${endpoint.method} ${endpoint.path} stands twice`)
      path[method] = operationOf(service, name, endpoint, book)
    }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Attestry',
      version: '1',
      description:
        'The HTTP interface of an Attestry install. Refusals are RFC 9457 problems whose codes stand at /docs/problems.',
      license: { name: 'FSL-1.1-ALv2', identifier: 'FSL-1.1-ALv2' },
    },
    servers: [{ url: '/' }],
    tags: Object.keys(http).map((name) => ({ name })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(book.components).toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'attestry',
          description: 'Set by /auth/login for a browser.',
        },
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'For machines; ten minutes.',
        },
      },
    },
  }
}
