import type { EventOf } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { type Copy, evolveCopy, isCopyEvent, retryAt, TRIES } from './copy.ts'
import { nextWriteAt, type Pace, paced, reserve } from './quota.ts'

const NOW = Temporal.Instant.from('2026-03-01T12:00:00Z')
const ids = { route: 'route-0123', copy: 'copy-0123', secret: 'secret-0123' }

const event = (type: EventOf['type'], data: object, at = '2026-03-01T12:00:00.000Z') =>
  // A test's event: what the folds do not look at is left out.
  ({ type, at, data: { ...ids, ...data } }) as unknown as EventOf

const copied = (version: string, more: object = {}, at?: string) =>
  event(
    'sync.copied',
    {
      sourceVersion: version,
      targetVersion: version,
      sourceMac: 'm',
      targetMac: 'm',
      targetName: 'prod/db',
      ...more,
    },
    at,
  )
const failed = (attempt: number, at: string | null) =>
  event('sync.copy-failed', { attempt, reason: 'throttled', retryAt: at })

const after = (...events: EventOf[]): Copy => {
  let copy: Copy | null = null
  for (const e of events) if (isCopyEvent(e)) copy = evolveCopy(copy, e)
  if (!copy) throw new Error('no event of a copy')
  return copy
}

const soon = '2026-03-01T12:01:00.000Z'

describe('a copy, as the ledger tells it', () => {
  test.each<[string, EventOf[], Partial<Copy>]>([
    ['copied', [copied('v1')], { state: 'in-sync', attempt: 0 }],
    ['failed with a time', [failed(1, soon)], { state: 'retrying', attempt: 1, retryAt: soon }],
    ['failed for good', [failed(7, soon), failed(8, null)], { state: 'failed', attempt: 8, retryAt: null }],
    ['copied after failing', [failed(3, soon), copied('v1')], { state: 'in-sync', attempt: 0, reason: null }],
    ['replayed', [failed(8, null), event('sync.copy-replayed', {})], { state: 'retrying', attempt: 0 }],
    [
      'drifted',
      [copied('v1'), event('sync.drifted', { drift: 'changed', expected: 'v1', found: 'x' })],
      { state: 'drifted', drift: { what: 'changed', found: 'x' } },
    ],
    [
      'reasserted',
      [copied('v1'), event('sync.drifted', { drift: 'changed', expected: 'v1', found: 'x' }), copied('v1')],
      { state: 'in-sync', drift: null },
    ],
    [
      'adopted',
      [event('sync.adopted', { targetName: 'prod/db', targetVersion: 'x' })],
      { state: 'planned', adopted: { targetVersion: 'x' }, targetName: 'prod/db' },
    ],
    [
      'adopted and written',
      [event('sync.adopted', { targetName: 'prod/db', targetVersion: 'x' }), copied('v1')],
      { state: 'in-sync', adopted: null },
    ],
    ['disabled', [copied('v1'), event('sync.copy-disabled', { targetVersion: 'v1' })], { state: 'disabled' }],
    [
      'pruned',
      [copied('v1'), event('sync.pruned', { targetVersion: 'v1' })],
      { state: 'pruned', written: null },
    ],
  ])('%s', (_, events, expected) => expect(after(...events)).toMatchObject(expected))
})

describe('when a copy that failed is tried again', () => {
  const minutes = (attempt: number, random = 0.5, retryAfterMs: number | null = null) => {
    const at = retryAt(attempt, NOW, { random, retryAfterMs })
    return at === null ? null : NOW.until(Temporal.Instant.from(at)).total('minutes')
  }
  test('after 1, 2, 4 … minutes, half an hour at most, and eight times', () => {
    expect(Array.from({ length: TRIES }, (_, i) => minutes(i + 1))).toEqual([1, 2, 4, 8, 16, 30, 30, null])
  })
  test('spread by a quarter either way, so that many do not come back at once', () => {
    expect([minutes(3, 0), minutes(3, 1)]).toEqual([3, 5])
  })
  test('never before the provider said', () => {
    expect(minutes(1, 0, 5 * 60_000)).toBe(5)
    expect(minutes(1, 0.5, 1000)).toBe(1)
  })
})

describe('a target that bears one version of an object every ten minutes', () => {
  const waits = (secondsAgo: number[]) => {
    const pace = secondsAgo.reduce<Pace | null>(
      (before, ago) => paced(before, NOW.subtract({ seconds: ago }).toString()),
      null,
    )
    return Math.round(NOW.until(nextWriteAt(pace, NOW)).total('seconds'))
  }
  test.each([
    ['a first write goes at once', [], 0],
    ['so do a second and a third', [10, 5], 0],
    ['the fourth waits for the pace that holds for long', [12, 10, 5], 588],
    ['and goes when it is due', [1200, 1200, 600], 0],
  ])('%s', (_, ago, wait) => expect(waits(ago)).toBe(wait))

  test('for long, no more than one every ten minutes goes', () => {
    let now = NOW
    let pace: Pace | null = null
    for (let write = 0; write < 100; write++) {
      now = nextWriteAt(pace, now)
      pace = paced(pace, now.toString())
    }
    expect(NOW.until(now).total('minutes')).toBeCloseTo(970)
  })

  test('what was only found at the target counts as no write', () => {
    expect(after(copied('v1'), copied('v1', { recovered: true })).pace).toEqual(after(copied('v1')).pace)
  })
})

test('an account’s quota holds over a long time, whoever asks', () => {
  let row = { arrival: 0 }
  let now = 1_000_000
  const started = now
  for (let write = 0; write < 1200; write++) {
    const next = reserve(row, now, 600)
    row = { arrival: next.arrival }
    now += next.waitMs
  }
  // 1,200 writes at 600 a minute: two minutes, less the second that may go at once.
  expect((now - started) / 1000).toBeGreaterThan(118)
  expect((now - started) / 1000).toBeLessThan(121)
})
