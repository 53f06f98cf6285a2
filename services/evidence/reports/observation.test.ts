import { describe, expect, test } from 'vitest'
import { Chain, ENVIRONMENT, MARCH } from './chain.fixture.ts'

describe('observation', () => {
  const completed = (scan: string) => ({
    scan,
    environment: ENVIRONMENT,
    counts: {
      subscriptions: 1,
      vaults: 1,
      secrets: 0,
      keys: 0,
      certificates: 0,
      applications: 0,
      credentials: 0,
      resources: 0,
      edges: 0,
    },
    unreachable: [],
    refused: [],
    inventoryDigest: 'a'.repeat(64),
    calls: 1,
    durationMs: 1,
  })
  const connected = (everyHours: number | null) =>
    new Chain().add('02-01', 'discovery.environment-connected', {
      environment: ENVIRONMENT,
      cloud: 'azure',
      name: 'prod',
      scope: { subscriptions: [] },
      settingsScan: false,
      everyHours,
    })
  const DAY = { from: '2026-03-10T00:00:00.000Z', to: '2026-03-11T00:00:00.000Z' }

  test('of a day scanned at noon every twelve hours is half of it and an hour, with the gaps named', () => {
    const [seen] = connected(12)
      .add('2026-03-10T12:00:00.000Z', 'discovery.scan-completed', completed('scan-0001'))
      .known()
      .observed.over(DAY)
    expect(seen).toMatchObject({
      scans: 1,
      observedBasisPoints: 5000,
      gaps: [{ from: DAY.from, to: '2026-03-10T12:00:00.000Z' }],
    })
  })

  test('counts what the scan before the period still vouches for', () => {
    const [seen] = connected(24)
      .add('2026-03-09T06:00:00.000Z', 'discovery.scan-completed', completed('scan-0001'))
      .known()
      .observed.over(DAY)
    expect(seen).toMatchObject({
      scans: 0,
      observedBasisPoints: 2916,
      gaps: [{ from: '2026-03-10T07:00:00.000Z', to: DAY.to }],
    })
  })

  test('of a period without a scan is nothing', () => {
    expect(connected(null).known().observed.over(MARCH)).toMatchObject([
      { observedBasisPoints: 0, gaps: [MARCH] },
    ])
  })
})
