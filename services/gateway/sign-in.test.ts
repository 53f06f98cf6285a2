import { access, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { INSTALL } from '@attestry/contracts'
import { Session } from '@attestry/contracts/http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ADMIN_PASSWORD,
  announcedPassword,
  cookieIn,
  TENANT,
  type TestGateway,
  testGateway,
} from './for-tests.ts'

let g: TestGateway
beforeAll(async () => {
  g = await testGateway()
})
afterAll(async () => {
  await g[Symbol.asyncDispose]()
})

const idOf = async (name: string) => (await g.gateway.opaque(TENANT))('operator', name)
const typesOf = async (name: string) =>
  (await g.gateway.stream(TENANT, await idOf(name))).map((e) => e.type.replace('gateway.', ''))
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code

describe('the first run', () => {
  test('announces a one-time password on the terminal and keeps it in a file for the owner alone', async () => {
    const file = join(g.stateDir, 'first-sign-in.txt')
    expect(g.announced).toHaveLength(1)
    expect(await readFile(file, 'utf8')).toContain(announcedPassword(g.announced))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('a second start gives out no second password, and says where the first one waits', async () => {
    const file = join(g.stateDir, 'first-sign-in.txt')
    const before = await readFile(file, 'utf8')
    await g.host.service('gateway').start?.()
    expect(await readFile(file, 'utf8')).toBe(before)
    expect(g.announced.slice(1)).toEqual([
      `The first sign-in of admin has not been used yet: it waits in ${file}`,
    ])
    expect(await typesOf('admin')).toEqual(['operator-added'])
  })

  test('a one-time password signs in for nothing but choosing a password, and its file goes then', async () => {
    const first = announcedPassword(g.announced)
    const cookie = await g.cookieOf('Admin ', first)
    const refused = await g.ask('GET', '/api/discovery/scans', { cookie })
    expect([refused.status, await codeOf(refused)]).toEqual([403, 'change-password-first'])
    const operators = await g.ask('GET', '/api/operators', { cookie })
    expect(await codeOf(operators)).toBe('change-password-first')
    const session = Session.parse(await (await g.ask('GET', '/auth/session', { cookie })).json())
    expect(session.mustChangePassword).toBe(true)

    const same = await g.ask('POST', '/auth/password', { cookie, body: { current: first, next: first } })
    expect([same.status, await codeOf(same)]).toEqual([400, 'same-password'])
    const changed = await g.ask('POST', '/auth/password', {
      cookie,
      body: { current: first, next: ADMIN_PASSWORD },
    })
    expect(changed.status).toBe(204)
    await expect(access(join(g.stateDir, 'first-sign-in.txt'))).rejects.toThrow('ENOENT')
    const allowed = await g.ask('GET', '/api/discovery/scans', { cookie: cookieIn(changed) })
    expect(await allowed.json()).toEqual({ answered: 'listScans' })
    // The token from before says that a password must be chosen: the session says otherwise.
    expect((await g.ask('GET', '/api/discovery/scans', { cookie })).status).toBe(200)
    expect((await g.ask('POST', '/auth/login', { body: { name: 'admin', password: first } })).status).toBe(
      401,
    )
  })
})

describe('a cookie', () => {
  test('is hidden from scripts, sent to this site alone, and Secure where people come by https', async () => {
    const body = { name: 'admin', password: ADMIN_PASSWORD }
    const plain = await g.ask('POST', '/auth/login', { body })
    expect(plain.headers.get('set-cookie')).toMatch(/^attestry=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict$/)
    const secure = await g.ask('POST', '/auth/login', { body, headers: { 'x-attestry-scheme': 'https' } })
    expect(secure.headers.get('set-cookie')).toMatch(/; SameSite=Strict; Secure$/)
    expect(secure.headers.get('strict-transport-security')).toBe('max-age=31536000')
    const { token } = (await plain.json()) as { token: unknown }
    expect(token).toBeNull()
  })

  test('slides on while it is used, and ends after an hour without use', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    g.clock.advance({ minutes: 40 })
    // Its token is long over; the session is not.
    const slid = await g.ask('GET', '/auth/session', { cookie })
    expect(slid.status).toBe(200)
    expect(cookieIn(slid)).toMatch(/^attestry=./)
    g.clock.advance({ minutes: 40 })
    expect((await g.ask('GET', '/auth/session', { cookie: cookieIn(slid) })).status).toBe(200)
    g.clock.advance({ minutes: 61 })
    const over = await g.ask('GET', '/auth/session', { cookie: cookieIn(slid) })
    expect(over.status).toBe(401)
    expect(over.headers.get('set-cookie')).toContain('Max-Age=0')
  })

  test('does not live on by what a page asks for in the background', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    const headers = { 'x-attestry-background': '1' }
    g.clock.advance({ minutes: 40 })
    expect((await g.ask('GET', '/auth/session', { cookie, headers })).status).toBe(200)
    g.clock.advance({ minutes: 21 })
    expect((await g.ask('GET', '/auth/session', { cookie })).status).toBe(401)
  })

  test('ends after twelve hours whatever happens', async () => {
    let cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    for (let half = 0; half < 23; half++) {
      g.clock.advance({ minutes: 30 })
      const answer = await g.ask('GET', '/auth/session', { cookie })
      expect(answer.status).toBe(200)
      cookie = cookieIn(answer)
    }
    g.clock.advance({ minutes: 31 })
    expect((await g.ask('GET', '/auth/session', { cookie })).status).toBe(401)
  })

  test('is worth nothing as a bearer token, nor after signing out', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    const bearer = cookie.slice('attestry='.length)
    expect((await g.ask('GET', '/auth/session', { bearer })).status).toBe(401)
    const out = await g.ask('POST', '/auth/logout', { cookie })
    expect([out.status, out.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('Max-Age=0')])
    expect((await g.ask('GET', '/auth/session', { cookie })).status).toBe(401)
    expect((await g.ask('GET', '/api/discovery/scans', { cookie })).status).toBe(401)
  })
})

describe('a bearer token', () => {
  test('lives ten minutes and slides by a header', async () => {
    const body = { name: 'admin', password: ADMIN_PASSWORD, as: 'bearer' }
    const signedIn = await g.ask('POST', '/auth/login', { body })
    expect(signedIn.headers.get('set-cookie')).toBeNull()
    const { token } = (await signedIn.json()) as { token: string }
    g.clock.advance({ minutes: 6 })
    const answer = await g.ask('GET', '/api/discovery/scans', { bearer: token })
    const next = answer.headers.get('x-attestry-token') ?? ''
    expect(answer.status).toBe(200)
    expect(next).not.toBe('')
    g.clock.advance({ minutes: 6 })
    expect((await g.ask('GET', '/api/discovery/scans', { bearer: token })).status).toBe(401)
    expect((await g.ask('GET', '/api/discovery/scans', { bearer: next })).status).toBe(200)
  })

  test('that somebody else signed, changed, or made up is refused', async () => {
    const body = { name: 'admin', password: ADMIN_PASSWORD, as: 'bearer' }
    const { token } = (await (await g.ask('POST', '/auth/login', { body })).json()) as { token: string }
    const [head = '', payload = '', signature = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const other = Buffer.from(JSON.stringify({ ...claims, tenant: 'other' })).toString('base64url')
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
    for (const bearer of [`${head}.${other}.${signature}`, `${none}.${payload}.`, 'x', `${head}.${payload}.`])
      expect((await g.ask('GET', '/auth/session', { bearer })).status).toBe(401)
  })
})

describe('re-authentication', () => {
  test('is needed for guarded actions five minutes after the password was last given', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    const add = (carried: string, name: string) =>
      g.ask('POST', '/api/operators', { cookie: carried, body: { name, roles: ['viewer'] } })
    expect((await add(cookie, 'Vera')).status).toBe(200)
    g.clock.advance({ minutes: 6 })
    const refused = await add(cookie, 'Viktor')
    expect([refused.status, await codeOf(refused)]).toEqual([403, 'reauthenticate'])
    const wrong = await g.ask('POST', '/auth/reauthenticate', { cookie, body: { password: 'not it' } })
    expect(wrong.status).toBe(401)
    const proved = await g.ask('POST', '/auth/reauthenticate', { cookie, body: { password: ADMIN_PASSWORD } })
    expect(proved.status).toBe(200)
    expect((await add(cookieIn(proved), 'Viktor')).status).toBe(200)
  })
})

describe('wrong passwords', () => {
  const guess = (name: string, password = 'a wrong guess') =>
    g.ask('POST', '/auth/login', { body: { name, password } })

  test('lock an account after five, the right one included, until a quarter of an hour has passed', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    const added = await g.ask('POST', '/api/operators', {
      cookie,
      body: { name: 'Lotte', roles: ['viewer'] },
    })
    const { oneTimePassword } = (await added.json()) as { oneTimePassword: string }
    for (let i = 0; i < 5; i++) expect((await guess('Lotte')).status).toBe(401)
    for (let i = 0; i < 3; i++) expect((await guess('Lotte', oneTimePassword)).status).toBe(423)
    // What came while it was locked is counted, not appended.
    expect(await typesOf('lotte')).toEqual([
      'operator-added',
      ...Array.from({ length: 5 }, () => 'sign-in-refused'),
      'account-locked',
    ])
    g.clock.advance({ minutes: 16 })
    expect((await guess('Lotte', oneTimePassword)).status).toBe(200)
    expect((await typesOf('lotte')).slice(-2)).toEqual(['account-unlocked', 'signed-in'])
  })

  test('sent all at once are judged one after the other', async () => {
    const cookie = await g.cookieOf('admin', ADMIN_PASSWORD)
    await g.ask('POST', '/api/operators', { cookie, body: { name: 'Paula', roles: ['viewer'] } })
    const answers = await Promise.all(Array.from({ length: 12 }, () => guess('Paula')))
    expect(answers.filter((a) => a.status === 401)).toHaveLength(5)
    expect(answers.filter((a) => a.status === 423)).toHaveLength(7)
  })

  test('for a name that nobody has look the same, and are recorded with the install', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push((await guess('nobody')).status)
    expect(statuses).toEqual([401, 401, 401, 401, 401, 423])
    const day = g.clock.now().toString().slice(0, 10)
    const events = await g.gateway.stream(INSTALL, `sign-ins-${day}`)
    expect(events).toHaveLength(5)
    expect(events[0]).toMatchObject({
      type: 'gateway.sign-in-refused',
      by: { kind: 'service', id: 'gateway', address: '192.0.2.7' },
      data: { operator: null, name: 'nobody', reason: 'unknown' },
    })
  })
})

describe('the record', () => {
  test('of a refused action is made once an hour, not once a click', async () => {
    const admin = await g.cookieOf('admin', ADMIN_PASSWORD)
    const added = await g.ask('POST', '/api/operators', {
      cookie: admin,
      body: { name: 'Rita', roles: ['viewer'] },
    })
    const { oneTimePassword } = (await added.json()) as { oneTimePassword: string }
    const first = await g.cookieOf('Rita', oneTimePassword)
    const changed = await g.ask('POST', '/auth/password', {
      cookie: first,
      body: { current: oneTimePassword, next: 'a password of her own' },
    })
    const cookie = cookieIn(changed)
    for (let i = 0; i < 3; i++) {
      const refused = await g.ask('POST', '/api/discovery/scans', { cookie, body: {} })
      expect([refused.status, await codeOf(refused)]).toEqual([403, 'role-missing'])
    }
    const events = await g.gateway.stream(TENANT, await idOf('rita'))
    const recorded = events.filter((e) => e.type === 'gateway.action-refused')
    expect(recorded.map((e) => e.data)).toEqual([
      { operator: await idOf('rita'), action: 'discovery.startScan', reason: 'role' },
    ])
  })

  test('of a sign-in names the operator, and of a refused one nobody but the gateway', async () => {
    await g.ask('POST', '/auth/login', { body: { name: 'admin', password: 'not it at all' } })
    await g.cookieOf('admin', ADMIN_PASSWORD)
    const [refused, signedIn] = (await g.gateway.stream(TENANT, await idOf('admin'))).slice(-2)
    expect(refused).toMatchObject({
      type: 'gateway.sign-in-refused',
      by: { kind: 'service', id: 'gateway', address: '192.0.2.7' },
      data: { reason: 'wrong-password' },
    })
    expect(signedIn).toMatchObject({
      type: 'gateway.signed-in',
      by: { kind: 'operator', id: await idOf('admin'), address: '192.0.2.7' },
    })
  })

  test('holds no password and no hash anywhere in the chain', async () => {
    const events = await g.gateway.stream(TENANT, await idOf('admin'))
    const text = JSON.stringify(events)
    expect(text).toContain('password-changed')
    for (const secret of [ADMIN_PASSWORD, announcedPassword(g.announced), 'argon2id'])
      expect(text).not.toContain(secret)
  })
})
