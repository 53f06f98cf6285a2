import { type Endpoint, http, Problem, Session } from '@attestry/contracts/http'
import { bind, createGuard, createKeyring, type Handlers, silentLog, verifyToken } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Auditor, auditorStanding, enter, evolveAuditor, invite, issueLink, revoke } from './auditor.ts'
import { cookieIn, testGateway, type TestGateway } from './for-tests.ts'
import { createRateLimit } from './rate-limit.ts'

/* The auditor's own door: a link that opens one session, and what lies behind it. */

let g: TestGateway
let admin: string

beforeAll(async () => {
  g = await testGateway()
  admin = await g.admin()
})
afterAll(() => g[Symbol.asyncDispose]())

const inDays = (days: number) =>
  g.clock
    .now()
    .add({ hours: 24 * days })
    .toString()
const invited = async (more: object = {}) => {
  const answer = await g.ask('POST', '/api/auditors', {
    cookie: admin,
    body: { name: 'Ada of Example Assurance', until: inDays(14), bundles: null, ...more },
  })
  expect(answer.status).toBe(200)
  return (await answer.json()) as { auditor: string; secret: string }
}
const enterWith = (secret: string) => g.ask('POST', '/auth/auditor', { body: { secret } })
const codeOf = async (answer: Response) => Problem.parse(await answer.json()).code
const sessionOf = async (cookie: string) => {
  const answer = await g.ask('GET', '/auth/session', { cookie })
  return answer.ok ? Session.parse(await answer.json()) : null
}

const now = Temporal.Instant.from('2026-11-26T10:00:00Z')
const until = '2026-12-10T10:00:00Z'
const state = (more: Partial<Auditor> = {}): Auditor => ({
  auditor: 'auditor-0001',
  name: 'Ada',
  until,
  bundles: null,
  invitedAt: '2026-11-26T09:00:00Z',
  enteredAt: null,
  visits: 0,
  revoked: false,
  link: { link: 'link-0001', used: false },
  ...more,
})

describe('a door', () => {
  const wish = { auditor: 'auditor-0001', name: 'Ada', until, bundles: null, link: 'link-0001' }
  test.each([
    ['in the past', '2026-11-26T10:00:00Z', 'until-past'],
    ['further than ninety days', '2027-02-25T10:00:00Z', 'until-too-far'],
  ])('does not stand open until a time %s', (_what, at, code) => {
    expect(invite({ ...wish, until: at }, now)).toMatchObject({
      refused: code,
      errors: [{ field: 'body.until' }],
    })
  })

  test.each([
    ['open and not used', {}, 'invited', true, null],
    ['entered before, with a new link', { enteredAt: '2026-11-26T09:30:00Z' }, 'entered', true, null],
    ['opened by this link already', { link: { link: 'link-0001', used: true } }, 'invited', false, 'used'],
    ['given another link since', { link: { link: 'link-0002', used: false } }, 'invited', false, 'replaced'],
    ['over', { until: '2026-11-26T10:00:00Z' }, 'expired', false, 'expired'],
    ['revoked', { revoked: true }, 'revoked', false, 'revoked'],
  ] as const)('that is %s', (_what, more, standing, entered, reason) => {
    const auditor = state(more)
    expect(auditorStanding(auditor, now)).toBe(standing)
    const outcome = enter(auditor, 'link-0001', 'session-0001', now)
    expect(outcome.entered).toBe(entered)
    expect(outcome.facts).toMatchObject([
      reason === null
        ? { type: 'gateway.auditor-entered', data: { session: 'session-0001' } }
        : { type: 'gateway.auditor-turned-away', data: { reason } },
    ])
    const closed = standing === 'expired' || standing === 'revoked'
    expect('refused' in issueLink(auditor, 'link-0003', now)).toBe(closed)
    expect('refused' in revoke(auditor, now)).toBe(closed)
  })

  test('does not exist before somebody was invited', () => {
    expect(issueLink(null, 'link-0001', now)).toMatchObject({ refused: 'no-such-auditor' })
    expect(evolveAuditor(null, { type: 'gateway.auditor-revoked' } as never)).toBeNull()
  })
})

describe('a link', () => {
  test('opens one session as an auditor, until the door closes, and nothing more', async () => {
    const { auditor, secret } = await invited({ until: g.clock.now().add({ minutes: 50 }).toString() })
    const first = await enterWith(secret)
    expect(first.status).toBe(200)
    const cookie = cookieIn(first)
    const session = await sessionOf(cookie)
    expect(session).toMatchObject({ operator: auditor, roles: ['auditor'], door: { bundles: null } })
    // The door closes before an hour without a request would end the session.
    expect(session?.expiresAt).toBe(session?.door?.until)
    const again = await enterWith(secret)
    expect([again.status, await codeOf(again)]).toEqual([401, 'link-opens-nothing'])
    const told = (await g.gateway.stream('acme', auditor)).map((e) => e.type)
    expect(told).toEqual([
      'gateway.auditor-invited',
      'gateway.auditor-link-issued',
      'gateway.auditor-entered',
      'gateway.auditor-turned-away',
    ])
    g.clock.advance({ minutes: 51 })
    expect(await sessionOf(cookie)).toBeNull()
    admin = await g.cookieOf('admin', 'a long enough password')
  })

  test('is kept as a hash alone, and neither a guess nor a part of it opens anything', async () => {
    const { secret } = await invited()
    const rows = await g.gateway.tx('acme', (tx) =>
      tx.rows('select row_to_json(l)::text as t from auditor_link l'),
    )
    expect(JSON.stringify(rows)).not.toContain(secret.split('.')[1])
    for (const wrong of [secret.slice(0, -1), `${secret.split('.')[0]}.AAAA`, 'link-none.AAAA', 'nothing'])
      expect([wrong, (await enterWith(wrong)).status]).toEqual([wrong, 401])
    expect((await enterWith(secret)).status).toBe(200)
  })

  test('is void once another was given; withdrawing the door ends open sessions', async () => {
    const { auditor, secret } = await invited()
    const issued = await g.ask('POST', `/api/auditors/${auditor}/link`, { cookie: admin })
    const { secret: second } = (await issued.json()) as { secret: string }
    expect((await enterWith(secret)).status).toBe(401)
    const entered = await enterWith(second)
    const cookie = cookieIn(entered)
    expect(await sessionOf(cookie)).not.toBeNull()
    expect((await g.ask('POST', `/api/auditors/${auditor}/revoke`, { cookie: admin })).status).toBe(204)
    g.clock.advance({ seconds: 2 })
    expect(await sessionOf(cookie)).toBeNull()
    const refused = await g.ask('POST', `/api/auditors/${auditor}/revoke`, { cookie: admin })
    expect([refused.status, await codeOf(refused)]).toEqual([409, 'door-closed'])
    await g.host.settle()
    const list = await (await g.ask('GET', '/api/auditors?limit=1', { cookie: admin })).json()
    expect(list).toMatchObject({ items: [{ auditor, state: 'revoked', visits: 1 }] })
  })
})

describe('behind the door', () => {
  test('an auditor sees evidence, the ledger and verification, and nothing else of any table', async () => {
    const cookie = cookieIn(await enterWith((await invited()).secret))
    const open: string[] = []
    for (const [service, table] of Object.entries(http))
      for (const [name, endpoint] of Object.entries<Endpoint>(table)) {
        if (endpoint.roles === 'open' || endpoint.roles === 'anyone') continue
        const path = endpoint.path.replaceAll(/\{\w+\}/g, 'some-thing1')
        if (endpoint.reply === 'stream') continue
        const answer = await g.ask(endpoint.method, path, { cookie })
        if (answer.status !== 403) open.push(`${service}.${name}`)
      }
    const ofEvidence = open.filter((name) => /^(evidence|audit)\./.test(name))
    expect(open.filter((name) => !ofEvidence.includes(name)).toSorted()).toEqual([
      'gateway.listActivity',
      'gateway.verifyLedger',
    ])
  })

  test('nothing can be changed: not evidence either, and no password can be proved', async () => {
    const cookie = cookieIn(await enterWith((await invited()).secret))
    for (const table of Object.values(http))
      for (const { method, path, roles } of Object.values<Endpoint>(table)) {
        if (
          method === 'GET' ||
          path === '/api/ledger/verify' ||
          !path.startsWith('/api/') ||
          roles === 'open'
        )
          continue
        const answer = await g.ask(method, path.replaceAll(/\{\w+\}/g, 'some-thing1'), { cookie })
        expect([path, answer.status]).toEqual([path, 403])
      }
    const proof = await g.ask('POST', '/auth/reauthenticate', { cookie, body: { password: 'anything' } })
    expect(proof.status).toBe(401)
  })

  test('single bundles are told to the services in the token, and hide the ledger', async () => {
    const bundles = ['bundle-0001', 'bundle-0002']
    const cookie = cookieIn(await enterWith((await invited({ bundles })).secret))
    for (const [method, path] of [
      ['GET', '/api/activity'],
      ['POST', '/api/ledger/verify'],
    ] as const) {
      const answer = await g.ask(method, path, { cookie })
      expect([path, answer.status, await codeOf(answer)]).toEqual([path, 403, 'outside-your-scope'])
    }
    const keys = createKeyring({ stream: (t, s, after) => g.gateway.stream(t, s, after), clock: g.clock })
    const verified = await verifyToken(cookie.slice(cookie.indexOf('=') + 1), keys, g.clock.now())
    expect(verified?.claims.bundles).toEqual(bundles)
    const guard = createGuard({ keys, clock: g.clock, entitled: () => Promise.resolve(true) })
    let seen: unknown = null
    const table = {
      look: { method: 'GET', path: '/look', summary: '', roles: 'anyone', reply: null, refusals: {} },
    } as const
    const face = bind(
      table,
      {
        look: async ({ who }) => {
          seen = who.bundles
          return undefined
        },
      } satisfies Handlers<typeof table>,
      guard,
      silentLog,
    )
    await face(new Request('http://x/look', { headers: { cookie } }))
    expect(seen).toEqual(bundles)
  })
})

describe('a one-time password', () => {
  test('opens nothing once it is too old, and says so to whoever knows it', async () => {
    const added = await g.ask('POST', '/api/operators', {
      cookie: admin,
      body: { name: 'late', roles: ['viewer'] },
    })
    const { operator, oneTimePassword } = (await added.json()) as Record<
      'operator' | 'oneTimePassword',
      string
    >
    g.clock.advance({ hours: 73 })
    const login = (password: string) => g.ask('POST', '/auth/login', { body: { name: 'late', password } })
    const answer = await login(oneTimePassword)
    expect([answer.status, await codeOf(answer)]).toEqual([401, 'one-time-password-expired'])
    expect(await codeOf(await login('another password'))).toBe('wrong-name-or-password')
    const refusals = (await g.gateway.stream('acme', operator)).filter(
      (e) => e.type === 'gateway.sign-in-refused',
    )
    expect(refusals.map((e) => e.data.reason)).toEqual(['expired', 'wrong-password'])
    admin = await g.cookieOf('admin', 'a long enough password')
    const reset = await g.ask('POST', `/api/operators/${operator}/reset`, { cookie: admin })
    const { oneTimePassword: second } = (await reset.json()) as { oneTimePassword: string }
    expect((await login(second)).status).toBe(200)
  })
})

describe('two gateways', () => {
  test('let one address through as often as one would', async () => {
    const one = createRateLimit({ host: g.gateway, tenant: 'acme', perMinute: 3 })
    const other = createRateLimit({ host: g.gateway, tenant: 'acme', perMinute: 3 })
    const waits = await Promise.all([one, other, one, other, one].map((l) => l.take('198.51.100.4')))
    expect(waits.filter((w) => w === 0)).toHaveLength(3)
    expect(await other.take('198.51.100.5')).toBe(0)
  })
})
