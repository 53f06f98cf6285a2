import { OperatorRow } from '@attestry/contracts/http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { cookieIn, TENANT, type TestGateway, testGateway } from './for-tests.ts'

let g: TestGateway
let admin: string
/** Operators that the licence admits. */
let userLimit: number | null = null
beforeAll(async () => {
  g = await testGateway({ userLimit: () => Promise.resolve(userLimit) })
  admin = await g.admin()
})
afterAll(async () => {
  await g[Symbol.asyncDispose]()
})

const Added = z.object({ operator: z.string(), oneTimePassword: z.string() })
const Page = z.object({ items: z.array(OperatorRow), next: z.string().nullable(), total: z.number() })
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code
const idOf = async (name: string) => (await g.gateway.opaque(TENANT))('operator', name)

/** Adds somebody who has chosen a password, and signs them in. */
const join = async (name: string, roles: readonly string[]) => {
  const added = Added.parse(
    await (await g.ask('POST', '/api/operators', { cookie: admin, body: { name, roles } })).json(),
  )
  const password = `the password of ${name}`
  const first = await g.cookieOf(name, added.oneTimePassword)
  const body = { current: added.oneTimePassword, next: password }
  const changed = await g.ask('POST', '/auth/password', { cookie: first, body })
  return { operator: added.operator, password, cookie: cookieIn(changed) }
}

describe('operators', () => {
  test('are listed by name, page by page', async () => {
    for (const name of ['Berta', 'Anton', 'Cäsar']) await join(name, ['viewer'])
    await g.host.settle()
    const names: string[] = []
    let after: string | null = null
    do {
      const query = new URLSearchParams({ limit: '2', ...(after === null ? {} : { after }) })
      const page = Page.parse(await (await g.ask('GET', `/api/operators?${query}`, { cookie: admin })).json())
      expect(page.total).toBe(4)
      expect(page.items.length).toBeLessThanOrEqual(2)
      names.push(...page.items.map((o) => o.name))
      after = page.next
    } while (after !== null && names.length < 10)
    expect(names.toSorted()).toEqual(['Anton', 'Berta', 'Cäsar', 'admin'])
    const nowhere = await g.ask('GET', '/api/operators?after=nowhere', { cookie: admin })
    expect([nowhere.status, await codeOf(nowhere)]).toEqual([400, 'bad-query'])
  })

  test('have one name each, however it is typed', async () => {
    await join('Dora', ['viewer'])
    for (const name of ['Dora', ' dora ', 'DORA']) {
      const taken = await g.ask('POST', '/api/operators', {
        cookie: admin,
        body: { name, roles: ['viewer'] },
      })
      expect([taken.status, await codeOf(taken)]).toEqual([409, 'name-taken'])
    }
    expect(await g.cookieOf('DORA', 'the password of Dora')).toMatch(/^attestry=/)
  })

  test('are as many as the licence admits: one more is refused, and whoever is there works on', async () => {
    const { operator, cookie } = await join('Ludwig', ['viewer'])
    await g.ask('POST', `/api/operators/${operator}/disable`, { cookie: admin })
    await g.host.settle()
    const { total, items } = Page.parse(
      await (await g.ask('GET', '/api/operators?limit=1000', { cookie: admin })).json(),
    )
    userLimit = items.filter((o) => o.state !== 'disabled').length
    expect(userLimit).toBeLessThan(total)
    const add = () =>
      g.ask('POST', '/api/operators', { cookie: admin, body: { name: 'Martha', roles: ['viewer'] } })
    const refused = await add()
    expect(refused.status).toBe(409)
    expect(await refused.json()).toMatchObject({
      code: 'too-many-users',
      detail: expect.stringMatching(/admits \d+ people and machines and \d+ may sign in\. Disable one/),
    })
    const enable = () => g.ask('POST', `/api/operators/${operator}/enable`, { cookie: admin })
    expect(await codeOf(await enable())).toBe('too-many-users')
    expect((await g.ask('GET', '/api/discovery/scans', { cookie: admin })).status).toBe(200)
    userLimit += 1
    expect((await enable()).status).toBe(204)
    userLimit = null
    expect((await g.ask('GET', '/api/discovery/scans', { cookie })).status).toBe(401)
    expect((await add()).status).toBe(200)
  })

  test('lose their sessions at once when they are disabled, and cannot sign in until enabled', async () => {
    const { operator, cookie, password } = await join('Emil', ['viewer'])
    expect((await g.ask('GET', '/api/discovery/scans', { cookie })).status).toBe(200)
    const path = `/api/operators/${operator}`
    expect((await g.ask('POST', `${path}/disable`, { cookie: admin })).status).toBe(204)
    expect((await g.ask('GET', '/api/discovery/scans', { cookie })).status).toBe(401)
    const refused = await g.ask('POST', '/auth/login', { body: { name: 'Emil', password } })
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'wrong-name-or-password'])
    expect(await codeOf(await g.ask('POST', `${path}/disable`, { cookie: admin }))).toBe('already-disabled')
    expect((await g.ask('POST', `${path}/enable`, { cookie: admin })).status).toBe(204)
    expect((await g.ask('GET', '/api/discovery/scans', { cookie })).status).toBe(401)
    expect(await g.cookieOf('Emil', password)).toMatch(/^attestry=/)
  })

  test('have new roles with their next request', async () => {
    const { operator, cookie } = await join('Frieda', ['viewer'])
    const scan = () =>
      g.ask('POST', '/api/discovery/scans', { cookie, body: { environment: 'environment-0123' } })
    expect((await scan()).status).toBe(403)
    const roles = { roles: ['security-admin'] }
    const path = `/api/operators/${operator}/roles`
    expect((await g.ask('PUT', path, { cookie: admin, body: roles })).status).toBe(204)
    expect((await scan()).status).toBe(200)
    expect((await g.ask('PUT', path, { cookie: admin, body: { roles: ['auditor'] } })).status).toBe(204)
    expect((await scan()).status).toBe(403)
  })

  test('get a one-time password by a reset, which ends their sessions and unlocks them', async () => {
    const { operator, cookie } = await join('Gustav', ['viewer'])
    for (let i = 0; i < 5; i++)
      await g.ask('POST', '/auth/login', { body: { name: 'Gustav', password: 'wrong' } })
    const reset = await g.ask('POST', `/api/operators/${operator}/reset`, { cookie: admin })
    const { oneTimePassword } = z.object({ oneTimePassword: z.string() }).parse(await reset.json())
    expect((await g.ask('GET', '/auth/session', { cookie })).status).toBe(401)
    const again = await g.cookieOf('Gustav', oneTimePassword)
    expect(await codeOf(await g.ask('GET', '/api/discovery/scans', { cookie: again }))).toBe(
      'change-password-first',
    )
  })

  test('keep the session that changed the password, and lose the others', async () => {
    const { cookie, password } = await join('Hanna', ['viewer'])
    const other = await g.cookieOf('Hanna', password)
    const body = { current: password, next: 'another long password' }
    const changed = await g.ask('POST', '/auth/password', { cookie, body })
    expect(changed.status).toBe(204)
    expect((await g.ask('GET', '/auth/session', { cookie: cookieIn(changed) })).status).toBe(200)
    expect((await g.ask('GET', '/auth/session', { cookie: other })).status).toBe(401)
  })

  test('change their password though something else is recorded of them meanwhile', async () => {
    const { cookie, password } = await join('Jutta', ['viewer'])
    const body = { current: password, next: 'the next long password' }
    const refusals = ['scans', 'environments', 'scans/scan-0123/cancel', 'environments/environment-0123/test']
    const [changed, ...refused] = await Promise.all([
      g.ask('POST', '/auth/password', { cookie, body }),
      ...refusals.map((path) => g.ask('POST', `/api/discovery/${path}`, { cookie, body: {} })),
    ])
    expect(changed.status).toBe(204)
    // One that is read only after the change finds its session replaced, as it should; most are read before.
    const recorded = refused.filter((r) => r.status === 403).length
    expect(refused.filter((r) => r.status === 401)).toHaveLength(refusals.length - recorded)
    expect(recorded).toBeGreaterThan(0)
    expect(await g.cookieOf('Jutta', body.next)).toMatch(/^attestry=/)
    const events = await g.gateway.stream(TENANT, await idOf('jutta'))
    // Chosen once at the first sign-in and once now.
    expect(events.filter((e) => e.type === 'gateway.password-changed')).toHaveLength(2)
    expect(events.filter((e) => e.type === 'gateway.action-refused')).toHaveLength(recorded)
    expect(events.filter((e) => e.type === 'gateway.sign-in-refused')).toEqual([])
  })

  test('that do not exist are refused by name', async () => {
    for (const [method, action, body] of [
      ['PUT', 'roles', { roles: ['viewer'] }],
      ['POST', 'disable', undefined],
      ['POST', 'enable', undefined],
      ['POST', 'reset', undefined],
    ] as const) {
      const answer = await g.ask(method, `/api/operators/operator-0000/${action}`, {
        cookie: admin,
        ...(body ? { body } : {}),
      })
      expect([answer.status, await codeOf(answer)]).toEqual([404, 'no-such-operator'])
    }
  })
})

describe('the last administrator', () => {
  test('cannot be disabled or demoted, not even by two who do it to each other at once', async () => {
    const me = await idOf('admin')
    const disable = (id: string, cookie: string) => g.ask('POST', `/api/operators/${id}/disable`, { cookie })
    await g.host.settle()
    expect(await codeOf(await disable(me, admin))).toBe('last-administrator')
    const demoted = await g.ask('PUT', `/api/operators/${me}/roles`, {
      cookie: admin,
      body: { roles: ['viewer'] },
    })
    expect([demoted.status, await codeOf(demoted)]).toEqual([409, 'last-administrator'])

    const second = await join('Ida', ['tenant-admin'])
    await g.host.settle()
    const answers = await Promise.all([disable(second.operator, admin), disable(me, second.cookie)])
    expect(new Set(answers.map((a) => a.status))).toEqual(new Set([204, 409]))
  })
})
