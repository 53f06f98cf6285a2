import { type EventOf, INSTALL } from '@attestry/contracts'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createGuard, tokenOf } from './guard.ts'
import {
  type Claims,
  createKeyring,
  MAX_TOKEN_MINUTES,
  SIGNING_KEYS,
  type SigningKey,
  signToken,
  verifyToken,
} from './token.ts'

const start = Temporal.Instant.from('2026-11-22T10:00:00Z')
const claims: Claims = {
  tenant: 'acme',
  operator: 'operator-01ab',
  session: 'session-01ab',
  roles: ['viewer', 'auditor'],
  reauthenticatedUntil: '2026-11-22T10:05:00.000Z',
  restricted: false,
}

/** A chain that publishes keys, and counts how often it was read. */
const chain = () => {
  const events: EventOf[] = []
  let now = start
  let reads = 0
  return {
    clock: { now: () => now },
    wait: (duration: Temporal.DurationLike) => {
      now = now.add(duration)
    },
    reads: () => reads,
    stream: async (tenant: string, stream: string, after = 0) => {
      expect([tenant, stream]).toEqual([INSTALL, SIGNING_KEYS])
      reads++
      return events.filter((e) => e.position > after)
    },
    async publish(kid: string): Promise<SigningKey> {
      const { privateKey, publicKey } = await generateKeyPair('ES256')
      const jwk = Object.entries(await exportJWK(publicKey)) as [string, string][]
      const position = events.length + 1
      events.push({
        tenant: INSTALL,
        seq: position,
        stream: SIGNING_KEYS,
        position,
        type: 'gateway.signing-key-published',
        at: now.toString(),
        id: `event-${position}`,
        by: { kind: 'install', id: 'gateway' },
        cause: { correlation: 'c', causation: 'c' },
        data: { kid, jwk },
      })
      return { kid, key: privateKey }
    },
  }
}

describe('verifyToken()', () => {
  test('reads back what was signed, and says when it ends', async () => {
    const c = chain()
    const key = await c.publish('one')
    const token = await signToken(claims, key, start)
    const verified = await verifyToken(token, createKeyring(c), start)
    expect(verified).toEqual({ claims, expired: false, expiresAt: start.add({ minutes: 10 }) })
  })

  test('says of an expired token that it is, and of one from the future nothing', async () => {
    const c = chain()
    const key = await c.publish('one')
    const keys = createKeyring(c)
    const token = await signToken(claims, key, start, 2)
    expect((await verifyToken(token, keys, start.add({ minutes: 1 })))?.expired).toBe(false)
    expect((await verifyToken(token, keys, start.add({ minutes: 3 })))?.expired).toBe(true)
  })

  test('takes no token of another key, algorithm, issuer, audience, shape or length of life', async () => {
    const c = chain()
    const key = await c.publish('one')
    const keys = createKeyring(c)
    const at = start.epochMilliseconds / 1000
    const { operator: sub, ...rest } = claims
    const signed = (change: {
      payload?: object
      issuer?: string
      audience?: string
      minutes?: number
      kid?: string
      by?: CryptoKey
    }) =>
      new SignJWT({ ...rest, roles: [...rest.roles], ...change.payload })
        .setProtectedHeader({ alg: 'ES256', kid: change.kid ?? 'one' })
        .setIssuer(change.issuer ?? 'attestry')
        .setAudience(change.audience ?? 'attestry')
        .setSubject(sub)
        .setIssuedAt(at)
        .setExpirationTime(at + (change.minutes ?? 10) * 60)
        .sign(change.by ?? key.key)
    expect(await verifyToken(await signed({}), keys, start)).not.toBeNull()
    const stranger = (await generateKeyPair('ES256')).privateKey
    for (const change of [
      { by: stranger },
      { kid: 'two' },
      { issuer: 'other' },
      { audience: 'other' },
      { payload: { roles: ['root'] } },
      { payload: { tenant: 7 } },
      { payload: { restricted: undefined } },
      { minutes: MAX_TOKEN_MINUTES + 1 },
    ])
      expect([change, await verifyToken(await signed(change), keys, start)]).toEqual([change, null])
    const hs = await new SignJWT({ ...rest, roles: [...rest.roles] })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .setIssuer('attestry')
      .setAudience('attestry')
      .setSubject(sub)
      .setIssuedAt(at)
      .setExpirationTime(at + 60)
      .sign(new TextEncoder().encode('a shared secret of thirty-two by'))
    expect(await verifyToken(hs, keys, start)).toBeNull()
  })

  test('never lives longer than ten minutes', async () => {
    const c = chain()
    const key = await c.publish('one')
    const verified = await verifyToken(await signToken(claims, key, start, 600), createKeyring(c), start)
    expect(verified?.expiresAt).toEqual(start.add({ minutes: MAX_TOKEN_MINUTES }))
  })
})

describe('createKeyring()', () => {
  test('reads the ledger once for a key it knows, and once in five seconds for ids that are made up', async () => {
    const c = chain()
    await c.publish('one')
    const keys = createKeyring(c)
    for (let i = 0; i < 10; i++) expect(await keys.keyOf('one')).not.toBeNull()
    expect(c.reads()).toBe(1)
    await Promise.all(Array.from({ length: 50 }, (_, i) => keys.keyOf(`made-up-${i}`)))
    expect(c.reads()).toBe(1)
    c.wait({ seconds: 5 })
    await Promise.all(Array.from({ length: 50 }, (_, i) => keys.keyOf(`made-up-${i}`)))
    expect(c.reads()).toBe(2)
  })

  test('learns of a new key, and lets the one before go once its last token has ended', async () => {
    const c = chain()
    await c.publish('one')
    const keys = createKeyring(c)
    await keys.keyOf('one')
    c.wait({ minutes: 1 })
    await c.publish('two')
    expect(await keys.keyOf('two')).not.toBeNull()
    expect(await keys.keyOf('one')).not.toBeNull()
    c.wait({ minutes: MAX_TOKEN_MINUTES, seconds: 5 })
    expect(await keys.keyOf('one')).toBeNull()
    expect(await keys.keyOf('two')).not.toBeNull()
  })

  test('asks again after a ledger that was away', async () => {
    const c = chain()
    await c.publish('one')
    let away = true
    const keys = createKeyring({
      ...c,
      stream: async (t, s, after) => {
        if (away) throw new Error('the database is away')
        return c.stream(t, s, after)
      },
    })
    await expect(keys.keyOf('one')).rejects.toThrow('the database is away')
    away = false
    c.wait({ seconds: 5 })
    expect(await keys.keyOf('one')).not.toBeNull()
  })
})

describe('createGuard()', () => {
  const ask = async (token: string, path: string, c: ReturnType<typeof chain>) => {
    const guard = createGuard({ keys: createKeyring(c), clock: c.clock, entitled: async () => false })
    return guard.identify(new Request(`http://x${path}`, { headers: { authorization: `Bearer ${token}` } }))
  }

  test('knows the caller by the token, as long as it lives', async () => {
    const c = chain()
    const token = await signToken(claims, await c.publish('one'), start)
    const { restricted: _, ...caller } = claims
    expect(await ask(token, '/api/discovery/scans', c)).toEqual(caller)
    c.wait({ minutes: MAX_TOKEN_MINUTES, seconds: 5 })
    expect(await ask(token, '/api/discovery/scans', c)).toBeNull()
  })

  test('knows somebody with a one-time password under /auth/ alone', async () => {
    const c = chain()
    const token = await signToken({ ...claims, restricted: true }, await c.publish('one'), start)
    expect(await ask(token, '/auth/session', c)).toMatchObject({ operator: claims.operator })
    expect(await ask(token, '/api/discovery/scans', c)).toBeNull()
    expect(await ask(token, '/authority', c)).toBeNull()
  })

  test.each([
    [{ authorization: 'Bearer abc.def' }, { token: 'abc.def', as: 'bearer' }],
    [{ authorization: 'bearer abc' }, { token: 'abc', as: 'bearer' }],
    [{ cookie: 'a=b; attestry=abc; c=d' }, { token: 'abc', as: 'cookie' }],
    [
      { authorization: 'Bearer abc', cookie: 'attestry=def' },
      { token: 'abc', as: 'bearer' },
    ],
    [
      { authorization: 'Basic YTpi', cookie: 'attestry=def' },
      { token: 'def', as: 'cookie' },
    ],
    [{ cookie: 'xattestry=abc; attestry=' }, null],
    [{ authorization: 'Bearer ' }, null],
    [{}, null],
  ] as const)('tokenOf(%j) is %j', (headers, expected) => {
    expect(tokenOf(new Headers(headers))).toEqual(expected)
  })
})
