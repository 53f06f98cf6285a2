import { type Endpoint, gatewayHttp, http } from '@attestry/contracts/http'
import { bind, type Handlers, silentLog } from '@attestry/kit'
import { guardOf } from '@attestry/kit/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, cookieIn, testGateway, type TestGateway } from './for-tests.ts'

/* Every endpoint that changes something leaves an event with who, from where and why: found by walking the tables. */

const changes = (table: Readonly<Record<string, Endpoint>>) =>
  Object.entries(table).filter(([, e]) => e.method !== 'GET' && e.roles !== 'open')
const REASON = 'as the ticket says'
const headers = { 'x-attestry-reason': REASON }
const OTHERS = Object.entries(http).filter(([service]) => service !== 'gateway')

let g: TestGateway
let admin: string
let auditor: string

const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString()

/** Every endpoint of a service, which answers yes and records nothing, whatever it is asked. */
const yielding = (table: Readonly<Record<string, Endpoint>>) => {
  const open = Object.fromEntries(
    Object.entries(table).map(([name, { method, path, summary, refusals }]): [string, Endpoint] => [
      name,
      { method, path, summary, refusals, roles: 'anyone', reply: null },
    ]),
  )
  const answers = Object.keys(open).map((name) => [name, async () => undefined])
  return bind(open, Object.fromEntries(answers) as Handlers<typeof open>, guardOf(['viewer']), silentLog)
}

beforeAll(async () => {
  g = await testGateway({
    mounts: Object.fromEntries(OTHERS.map(([service, table]) => [service, yielding(table)])),
  })
  admin = await g.admin()
})
afterAll(() => g[Symbol.asyncDispose]())

const operatorOf = async (cookie: string): Promise<string> => {
  const session = (await (await g.ask('GET', '/auth/session', { cookie })).json()) as { operator: string }
  return session.operator
}

describe('an action of a person that leaves no event of its service', () => {
  test('is recorded by the gateway, whatever service it is of', async () => {
    const operator = await operatorOf(admin)
    const wanted: string[] = []
    for (const [service, table] of OTHERS)
      for (const [name, { method, path }] of changes(table)) {
        const answer = await g.ask(method, path.replaceAll(/\{\w+\}/g, 'some-thing1'), {
          cookie: admin,
          headers,
        })
        expect([service, name, answer.status]).toEqual([service, name, 204])
        wanted.push(`${service}.${name}`)
      }
    const taken = (await g.gateway.stream('acme', operator)).filter((e) => e.type === 'gateway.action-taken')
    expect(taken.map((e) => e.data.action)).toEqual(wanted)
    for (const { by } of taken)
      expect(by).toEqual({ kind: 'operator', id: operator, address: '192.0.2.7', reason: REASON })
  })

  test('is not recorded where it was refused, or only read', async () => {
    const operator = await operatorOf(admin)
    const before = (await g.gateway.stream('acme', operator)).length
    await g.ask('GET', '/api/evidence/bundles', { cookie: admin, headers })
    await g.ask('POST', '/api/discovery/nothing-of-this-name', { cookie: admin, headers })
    expect(await g.gateway.stream('acme', operator)).toHaveLength(before)
  })
})

/** How each of the gateway's own endpoints is asked so that it succeeds: given an operator, and somebody's cookie. */
type Own = { [N in keyof typeof gatewayHttp]: (typeof gatewayHttp)[N]['method'] extends 'GET' ? never : N }
const ASKED: Partial<
  Record<Own[keyof Own], (operator: string) => { path?: Record<string, string>; body?: unknown }>
> = {
  logout: () => ({}),
  reauthenticate: () => ({ body: { password: ADMIN_PASSWORD } }),
  changePassword: () => ({ body: { current: ADMIN_PASSWORD, next: 'another good password' } }),
  addOperator: () => ({ body: { name: 'somebody new', roles: ['viewer'] } }),
  setRoles: (operator) => ({ path: { operator }, body: { roles: ['analyst'] } }),
  disableOperator: (operator) => ({ path: { operator } }),
  enableOperator: (operator) => ({ path: { operator } }),
  resetPassword: (operator) => ({ path: { operator } }),
  verifyLedger: () => ({}),
  inviteAuditor: () => ({ body: { name: 'a firm', until: tomorrow(), bundles: null } }),
  issueAuditorLink: () => ({ path: { auditor } }),
  revokeAuditor: () => ({ path: { auditor } }),
  replayStuck: () => ({ path: { service: 'evidence', id: 'there' } }),
}

describe('each of the gateway’s own actions', () => {
  const own = changes(gatewayHttp)

  test('is asked here', () => {
    expect(own.map(([name]) => name).toSorted()).toEqual(Object.keys(ASKED).toSorted())
  })

  test('leaves an event with who, from where and why', async () => {
    const added = await g.ask('POST', '/api/operators', {
      cookie: admin,
      body: { name: 'the subject', roles: ['viewer'] },
    })
    const { operator: subject } = (await added.json()) as { operator: string }
    const invited = await g.ask('POST', '/api/auditors', {
      cookie: admin,
      body: { name: 'another firm', until: tomorrow(), bundles: null },
    })
    auditor = ((await invited.json()) as { auditor: string }).auditor
    for (const [name, ask] of Object.entries(ASKED)) {
      const endpoint: Endpoint = gatewayHttp[name as keyof typeof ASKED]
      const password = (await g.ask('GET', '/auth/session', { cookie: admin })).ok
      if (!password) admin = await g.cookieOf('admin', ADMIN_PASSWORD)
      const operator = await operatorOf(admin)
      const before = await g.gateway.head('acme')
      const { path = {}, body } = ask(subject)
      const answer = await g.ask(
        endpoint.method,
        endpoint.path.replaceAll(/\{(\w+)\}/g, (_, key: string) => path[key] ?? ''),
        { cookie: admin, headers, ...(body === undefined ? {} : { body }) },
      )
      expect([name, answer.ok]).toEqual([name, true])
      if (name === 'changePassword') {
        admin = cookieIn(answer)
        const back = { current: 'another good password', next: ADMIN_PASSWORD }
        admin = cookieIn(await g.ask('POST', '/auth/password', { cookie: admin, body: back, headers }))
      }
      const by = await since(before.seq)
      expect([name, by]).toContainEqual(
        expect.arrayContaining([{ kind: 'operator', id: operator, address: '192.0.2.7', reason: REASON }]),
      )
    }
  })
})

/** Who made each event after a seq. */
async function since(seq: number) {
  const { seq: upTo } = await g.gateway.head('acme')
  const by: unknown[] = []
  for await (const page of g.gateway.chain('acme', { after: seq, upTo, signal: AbortSignal.timeout(5000) }))
    for (const { event } of page) by.push(event?.by)
  return by
}
