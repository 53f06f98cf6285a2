import type { EventOf, Fact } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import {
  decideConnect,
  decideDisconnect,
  decideRevise,
  dueAt,
  type Environment,
  environmentId,
  environmentOf,
  mayConnect,
  tooManySubscriptions,
} from './environment.ts'

const reality = { origin: 'demo', overridden: true } as const
const wish = {
  environment: 'environment-0001',
  name: 'Production',
  subscriptions: ['B', 'a', 'b'],
  settingsScan: false,
  everyHours: 24,
}

/** Events as the ledger gives them back. */
const recorded = (...facts: (Fact[] | { refused: string })[]): EventOf[] =>
  facts
    .flatMap((made) => (Array.isArray(made) ? made : []))
    // A fact with its place is what the ledger gives; the rest of the envelope is not looked at here.
    .map((one, n) => ({ ...one, position: n + 1, at: '2026-01-01T00:00:00.000Z' }) as EventOf)

const connected = (): Environment => {
  const environment = environmentOf(recorded(decideConnect(null, wish, reality)))
  if (!environment) throw new Error('connecting gave no environment')
  return environment
}

describe('an environment', () => {
  test('is connected with its subscriptions in one spelling and order', () => {
    expect(connected()).toEqual({
      environment: 'environment-0001',
      name: 'Production',
      scope: { subscriptions: ['a', 'b'] },
      settingsScan: false,
      everyHours: 24,
      connectedAt: '2026-01-01T00:00:00.000Z',
      connected: true,
      position: 1,
    })
  })

  test('has an id that follows from its name, however it is spelt', () => {
    const opaque = (kind: string, name: string) => `${kind}-${name}`
    expect(environmentId(opaque, ' Production ')).toBe(environmentId(opaque, 'production'))
  })

  test('refuses a name that is taken, and takes it again once it was disconnected', () => {
    expect(decideConnect(connected(), wish, reality)).toMatchObject({ refused: 'name-taken' })
    const over = environmentOf(
      recorded(decideConnect(null, wish, reality), decideDisconnect(connected(), false)),
    )
    expect(over).toMatchObject({ connected: false })
    expect(decideConnect(over, wish, reality)).toHaveLength(1)
  })

  test('is revised, and nothing is written where nothing changes', () => {
    expect(decideRevise(connected(), { ...wish, subscriptions: ['A', 'B'] })).toEqual([])
    expect(decideRevise(connected(), { ...wish, settingsScan: true })).toMatchObject([
      { type: 'discovery.environment-revised', data: { settingsScan: true } },
    ])
    expect(decideRevise(null, wish)).toMatchObject({ refused: 'no-such-environment' })
  })

  test('is not disconnected while it is scanned', () => {
    expect(decideDisconnect(connected(), true)).toMatchObject({ refused: 'scan-running' })
    expect(decideDisconnect(null, false)).toMatchObject({ refused: 'no-such-environment' })
  })
})

describe('mayConnect()', () => {
  test.each([
    ['demo', true],
    ['real', false],
  ] as const)('lets a %s chain, the cloud overridden: %s', (origin, overridden) => {
    expect(mayConnect(origin, overridden)).toBeNull()
    expect(decideConnect(null, wish, { origin, overridden })).toHaveLength(1)
  })

  test.each([
    ['demo', false],
    ['real', true],
  ] as const)('refuses a %s chain, the cloud overridden: %s', (origin, overridden) => {
    const refusal = { refused: 'demonstration-takes-no-real-connection' }
    expect(mayConnect(origin, overridden)).toMatchObject(refusal)
    expect(decideConnect(null, wish, { origin, overridden })).toMatchObject(refusal)
  })
})

describe('dueAt()', () => {
  const environment = { everyHours: 6, connectedAt: '2026-01-01T00:00:00.000Z', connected: true }

  test('is so many hours after the last scan was asked for, or after the connection', () => {
    expect(dueAt(environment, null)?.toString()).toBe('2026-01-01T06:00:00Z')
    expect(dueAt(environment, '2026-01-03T10:00:00.000Z')?.toString()).toBe('2026-01-03T16:00:00Z')
  })

  test('is never without a schedule or a connection', () => {
    expect(dueAt({ ...environment, everyHours: null }, null)).toBeNull()
    expect(dueAt({ ...environment, connected: false }, null)).toBeNull()
  })
})

describe('subscriptions that a licence admits', () => {
  // It declares a and b.
  const known = connected()
  test.each([
    ['no limit', null, ['a', 'b', 'c', 'd', 'e'], null, null],
    ['as many as it says', null, ['a', 'b'], { most: 4, others: 2 }, null],
    ['the same one twice is one', null, ['a', 'b', 'B'], { most: 4, others: 2 }, null],
    ['one more', null, ['a', 'b', 'c'], { most: 4, others: 2 }, 'at most 2 here'],
    ['others took all', null, ['a'], { most: 4, others: 6 }, 'at most 0 here'],
    ['none declared: the first scan tells how many', null, [], { most: 4, others: 4 }, null],
    ['what is declared already stays', known, ['a', 'b'], { most: 1, others: 3 }, null],
    ['and may be narrowed', known, ['a'], { most: 1, others: 3 }, null],
    ['but not widened', known, ['a', 'b', 'c'], { most: 1, others: 3 }, 'at most 0 here'],
  ] as const)('%s', (_what, environment, wished, room, message) => {
    const refused = tooManySubscriptions(environment, wished, room)
    expect(refused?.errors?.[0]?.message ?? null).toBe(message)
    expect(refused?.detail ?? `admits ${room?.most} subscriptions`).toContain(
      `admits ${room?.most} subscriptions`,
    )
  })
})
