import { type Actor, fact } from '@attestry/contracts'
import { movableClock, testHost } from '@attestry/kit/testing'
import { expect, test } from 'vitest'
import { askedView, tooManyAsked } from './asked.ts'

test('rotations by hand are counted by calendar month; those of policies are not', async () => {
  const clock = movableClock('2026-11-30T23:00:00Z')
  await using shop = await testHost({
    clock,
    services: [
      {
        name: 'rotation',
        make: () => ({
          name: 'rotation',
          schema: new URL('./schema/', import.meta.url),
          fetch: () => new Response(),
          commands: [],
          reactions: [],
          views: [askedView],
          schedules: [],
        }),
      },
    ],
  })
  const host = shop.host('rotation')
  const ask = async (n: number, by: Actor) => {
    const rotation = `rotation-0000000${n}`
    await host.append('acme', {
      stream: rotation,
      expected: 'any',
      facts: [
        fact('rotation.requested', { rotation, planHash: 'a'.repeat(64), ticket: null, incident: null }),
      ],
      by,
      cause: { correlation: 'test', causation: 'test' },
    })
  }
  await ask(1, { kind: 'operator', id: 'operator-00000001' })
  await ask(2, { kind: 'operator', id: 'operator-00000001' })
  await ask(3, { kind: 'schedule', id: 'rotation-due' })
  await shop.settle()
  const refused = async (most: number, at: Temporal.Instant) =>
    host.tx('acme', (tx) => tooManyAsked(tx, most, at))
  const [first] = await host.stream('acme', 'rotation-00000001')
  const asked = Temporal.Instant.from(first?.at ?? '')
  expect(await refused(3, asked)).toBeNull()
  const full = await refused(2, asked)
  expect(full?.refused).toBe('too-many-rotations')
  const next = asked.toZonedDateTimeISO('UTC').toPlainDate().with({ day: 1 }).add({ months: 1 }).toString()
  expect(full?.detail).toContain(`admits 2 rotations by hand a month, and 2 were asked for`)
  expect(full?.detail).toContain(`on ${next} (UTC)`)
  expect(await refused(2, Temporal.Instant.from(`${next}T00:00:00Z`))).toBeNull()
  expect((await refused(0, asked))?.refused).toBe('too-many-rotations')
})
