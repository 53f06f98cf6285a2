import { randomBytes } from 'node:crypto'
import { createKeyring, Secret, signToken, verifyToken } from '@attestry/kit'
import { testHost } from '@attestry/kit/testing'
import { describe, expect, test } from 'vitest'
import { openSigningKey, seal, unseal } from './signing.ts'

const secret = new Secret('a secret key of thirty-two bytes')
const other = new Secret('another key of thirty-two bytes!')

describe('seal()', () => {
  test('is opened by the same secret and label alone', () => {
    const sealed = seal('a private key', 'kid-1', secret, randomBytes)
    expect(sealed).not.toContain('private')
    expect(unseal(sealed, 'kid-1', secret)).toBe('a private key')
    expect(() => unseal(sealed, 'kid-2', secret)).toThrow('SECRET_KEY is not the one')
    expect(() => unseal(sealed, 'kid-1', other)).toThrow('SECRET_KEY is not the one')
  })

  test('shows any change of a bit', () => {
    const bytes = Buffer.from(seal('a private key', 'kid-1', secret, randomBytes), 'base64')
    for (const at of [0, 12, 28, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => unseal(changed.toString('base64'), 'kid-1', secret)).toThrow('SECRET_KEY is not the one')
    }
  })
})

test('the signing key is made once, survives a restart, and verifies by what the chain publishes', async () => {
  await using running = await testHost({
    services: [
      {
        name: 'gateway',
        make: () => ({
          name: 'gateway',
          schema: new URL('./schema/', import.meta.url),
          fetch: () => new Response(),
          commands: [],
          reactions: [],
          views: [],
          schedules: [],
        }),
      },
    ],
  })
  const host = running.host('gateway')
  const [first, beside] = await Promise.all([
    openSigningKey(host, secret, randomBytes),
    openSigningKey(host, secret, randomBytes),
  ])
  const again = await openSigningKey(host, secret, randomBytes)
  expect(new Set([first.kid, beside.kid, again.kid]).size).toBe(1)
  await expect(openSigningKey(host, other, randomBytes)).rejects.toThrow('SECRET_KEY is not the one')

  const published = await host.stream('install', 'signing-keys')
  expect(published).toHaveLength(1)
  // The private half of a P-256 key is `d`.
  expect(JSON.stringify(published)).not.toContain('"d"')
  const now = host.clock.now()
  const claims = {
    tenant: 'acme',
    operator: 'operator-01ab',
    session: 'session-01ab',
    roles: ['viewer'] as const,
    reauthenticatedUntil: null,
    restricted: false,
  }
  const token = await signToken(claims, again, now)
  const keys = createKeyring({ stream: (t, s, after) => host.stream(t, s, after), clock: host.clock })
  expect(await verifyToken(token, keys, now)).toMatchObject({ claims, expired: false })
})
