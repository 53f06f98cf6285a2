import type { EventOf } from '@attestry/contracts'
import { expect } from 'vitest'
import type { Stream, World } from './model.fixture.ts'

/*
 * R1–R8 as they can be seen in the world and in the record after every single change. A consumer that was served a value
 * less than a grace ago still holds it: it must get in.
 */

const CACHE_MS = 3_500_000

/** Watches a world; `never` lists key ids that nobody but a person may remove. */
export function watch(
  world: World,
  stream: Stream,
  options: { compromised?: boolean; say?: () => string } = {},
) {
  /** When each value was last served. */
  const served = new Map<string, number>()
  const look = () => {
    const now = world.now.epochMilliseconds
    for (const [target] of world.vaults.entries()) {
      const value = world.serves(target)?.value
      // A consumer asks its vault at every moment, and is always given something that works.
      expect(
        value,
        `target ${target} serves nothing after ${JSON.stringify(world.done.at(-1))}`,
      ).toBeDefined()
      if (value) served.set(value, now)
    }
    if (!options.compromised)
      for (const [value, at] of served)
        if (now - at < CACHE_MS)
          expect(
            world.lets(value),
            `a value served ${now - at} ms ago fails after ${JSON.stringify(world.done.at(-1))}`,
          ).toBe(true)
    for (const value of world.held.values())
      if (!options.compromised)
        expect(
          world.lets(value),
          `a dependent holds what does not work ${options.say?.() ?? ''} ${types(stream.events).join(' ')}`,
        ).toBe(true)
    if (options.compromised)
      for (const [target] of world.vaults.entries())
        expect(world.lets(world.serves(target)?.value), `what target ${target} serves does not work`).toBe(
          true,
        )
    intended(world, stream.events)
  }
  const { changed } = world
  world.changed = () => {
    changed()
    look()
  }
  look()
  return look
}

const types = (events: readonly EventOf[]): string[] => events.map((e) => e.type.slice('rotation.'.length))

/** R3, R5 and R8: the change that was just made stands under an intent, after preflight, under enough approvals. */
function intended(world: World, events: readonly EventOf[]): void {
  const done = world.done.at(-1)
  if (!done) return
  const names = types(events)
  const last = (name: string) => names.lastIndexOf(name)
  expect(last('preflight-passed'), 'R3').toBeGreaterThanOrEqual(0)
  const plan = events.find((e) => e.type === 'rotation.planned')
  if (plan?.type !== 'rotation.planned') throw new Error('changed without a plan')
  const approvers = new Set(
    events.flatMap((e) =>
      e.type === 'rotation.approved' && e.data.planHash === plan.data.planHash ? [e.data.approver] : [],
    ),
  )
  if (!names.includes('break-glass-used'))
    expect(approvers.size, 'R8').toBeGreaterThanOrEqual(plan.data.approvals)
  switch (done.what) {
    case 'added':
      expect(last('issue-intended'), 'R5').toBeGreaterThan(
        Math.max(last('credential-issued'), last('rolled-back')),
      )
      break
    case 'removed': {
      const { keyId } = done
      if (plan.data.snapshot.some((c) => c.keyId === keyId)) {
        const intent = events.findLast((e) => e.type === 'rotation.retire-intended')
        expect(intent?.type === 'rotation.retire-intended' && intent.data.keyId, 'R5').toBe(keyId)
        expect(plan.data.retires, 'R2').toContain(keyId)
        // R4: every target serves the replacement.
        for (const [target] of world.vaults.entries())
          expect(world.serves(target)?.rotation, 'R4').toBe(plan.data.rotation)
      } else {
        // R2: only what carries the mark.
        expect(keyId, 'R2').toMatch(/^new/)
        expect(last('rollback-intended'), 'R5').toBeGreaterThanOrEqual(0)
      }
      expect(
        [...world.credentials.values()].some((c) => world.lets(c.value)),
        'R1',
      ).toBe(true)
      break
    }
    case 'switched':
      expect(Math.max(last('switch-intended'), last('rollback-intended')), 'R5').toBeGreaterThanOrEqual(0)
      break
    default:
  }
}

/** What a finished run may look like, and nothing else. */
export function settled(world: World, stream: Stream): void {
  const { state } = stream
  const ours = [...world.credentials.keys()].filter((k) => k.startsWith('new'))
  if (state?.stage === 'complete') {
    if (world.kind !== 'storage-key') {
      expect(ours).toEqual([state.issued?.keyId])
      expect(world.credentials.has('old')).toBe(false)
    }
    expect(world.serves(0)?.rotation).toBe(state.rotation)
    return
  }
  if (state?.stage === 'rolled-back' || state?.stage === 'blocked') {
    expect(ours, 'no orphan').toEqual([])
    if (world.kind !== 'storage-key') expect(world.credentials.has('old')).toBe(true)
    return
  }
  // Standing still for a person: old and new both work.
  expect(world.lets(world.serves(0)?.value)).toBe(true)
}
