import { fact } from '@attestry/contracts'
import { isRefused } from '@attestry/kit'
import { describe, expect, test } from 'vitest'
import { calendarOf } from './calendar.ts'
import { type Command, decide } from './decide.ts'
import { settled, watch } from './invariants.fixture.ts'
import { Crash, dependentOf, GRACE_MS, Stream, World } from './model.fixture.ts'
import { STAGES, type Stage } from './state.ts'

const HASH = 'a'.repeat(64)
const names = (stream: Stream) => stream.events.map((e) => e.type.slice('rotation.'.length))

function command(stream: Stream, wish: Command, who = 'operator-0001') {
  const facts = decide(stream.state, wish, { who, now: stream.world.now, calendar: stream.calendar })
  if (!isRefused(facts)) stream.append(facts, who)
  return isRefused(facts) ? facts.refused : 'ok'
}

const asked = { do: 'request', planHash: HASH, ticket: null, incident: null, breakGlass: null } as const

function started(kind: 'app-secret' | 'storage-key' = 'app-secret', targets = 2, dependents = 2) {
  const world = new World(kind, targets)
  const stream = new Stream(world)
  stream.plan(
    {},
    Array.from({ length: dependents }, (_, n) => dependentOf(n)),
  )
  return { world, stream }
}

describe('a rotation', () => {
  test('issues, stores, verifies, switches canary first, waits for the grace and retires the old one', async () => {
    const { world, stream } = started()
    watch(world, stream)
    expect(command(stream, asked)).toBe('ok')
    expect(await stream.run()).toBe('over')
    expect(names(stream)).toEqual([
      'planned',
      'dependents-planned',
      'requested',
      'scheduled',
      'preflight-passed',
      'issue-intended',
      'credential-issued',
      'credential-stored',
      'credential-stored',
      'credential-verified',
      'switch-intended',
      'dependent-switched',
      'dependent-confirmed',
      'switch-intended',
      'dependent-switched',
      'dependent-confirmed',
      'grace-entered',
      // The report of sign-ins lags behind, so the first look proves nothing yet.
      'retire-checked',
      'retire-checked',
      'disable-intended',
      'version-disabled',
      'retire-intended',
      'credential-retired',
      'completed',
    ])
    expect([...world.credentials.keys()]).toEqual([stream.state?.issued?.keyId])
    expect(world.serves(0)?.keyId).toBe(stream.state?.issued?.keyId)
    settled(world, stream)
  })

  test('of a key that stands twice regenerates the idle one, and the other only when it is idle too', async () => {
    const { world, stream } = started('storage-key', 1, 1)
    watch(world, stream)
    command(stream, asked)
    expect(await stream.run()).toBe('over')
    expect(world.done.filter((d) => d.what === 'regenerated')).toEqual([
      { what: 'regenerated', keyId: 'key2' },
      { what: 'regenerated', keyId: 'key1' },
    ])
    expect(world.serves(0)?.keyId).toBe('key2')
  })

  test('leaves alone what somebody added by hand meanwhile', async () => {
    const { world, stream } = started()
    command(stream, asked)
    for (let n = 0; n < 4; n++) await stream.turn()
    world.add('by-hand', null)
    expect(await stream.run()).toBe('over')
    expect(world.credentials.has('by-hand')).toBe(true)
    expect(world.credentials.has('old')).toBe(false)
  })

  test('does not begin when what is there is not what was planned, and approvals are void', async () => {
    const { world, stream } = started()
    command(stream, asked)
    world.add('by-hand', null)
    expect(await stream.run()).toBe('over')
    expect(stream.state?.stage).toBe('blocked')
    expect(names(stream)).toContain('approval-voided')
    expect(world.done).toEqual([])
  })

  test('stands still for a person when a vault serves another version than ours before retiring', async () => {
    const { world, stream } = started('app-secret', 1, 0)
    command(stream, asked)
    for (let n = 0; stream.state?.stage !== 'grace' && n < 20; n++) await stream.turn()
    world.vaults[0]?.push({
      version: 'theirs',
      value: world.credentials.get('old')?.value ?? '',
      keyId: null,
      rotation: null,
      enabled: true,
    })
    expect(await stream.run()).toBe('wait person')
    expect(stream.state?.needsOperator?.step).toBe('retiring')
    expect(world.credentials.has('old')).toBe(true)
  })

  test('waits twice the grace where nothing tells whether the old one is used, or for a waiver', async () => {
    const quiet = started('app-secret', 1, 0)
    quiet.world.observe = 'nothing'
    command(quiet.stream, asked)
    for (let n = 0; quiet.stream.state?.stage !== 'grace' && n < 20; n++) await quiet.stream.turn()
    const cutover = Temporal.Instant.from(quiet.stream.state?.cutoverAt ?? '')
    expect(await quiet.stream.run()).toBe('over')
    const retired = quiet.stream.events.find((e) => e.type === 'rotation.retire-intended')
    expect(cutover.until(retired?.at ?? '').total('milliseconds')).toBeGreaterThanOrEqual(2 * GRACE_MS)

    const waived = started('app-secret', 1, 0)
    waived.world.observe = 'nothing'
    command(waived.stream, asked)
    for (let n = 0; waived.stream.state?.stage !== 'grace' && n < 20; n++) await waived.stream.turn()
    expect(command(waived.stream, { do: 'waive-use', reason: 'seen in the logs' })).toBe('ok')
    const before = Temporal.Instant.from(waived.stream.state?.cutoverAt ?? '')
    await waived.stream.run()
    const early = waived.stream.events.find((e) => e.type === 'rotation.retire-intended')
    expect(before.until(early?.at ?? '').total('milliseconds')).toBeLessThan(2 * GRACE_MS)
  })

  test('waits for the window and says when it was missed', async () => {
    const { stream } = started('app-secret', 1, 0)
    // Sundays from 02:00 in Berlin, for an hour.
    stream.calendar = calendarOf({ cron: '0 2 * * 0', zone: 'Europe/Berlin', minutes: 60 }, [], 'policy-0001')
    expect(command(stream, asked)).toBe('ok')
    expect(stream.state?.opensAt).toBe('2026-03-08T01:00:00.000Z')
    // The process was away while the window was open.
    stream.world.now = Temporal.Instant.from('2026-03-08T03:00:00Z')
    expect(await stream.turn()).toBe('miss-window')
    expect(stream.state?.opensAt).toBe('2026-03-15T01:00:00.000Z')
    expect(await stream.run()).toBe('over')
    for (const type of ['rotation.issue-intended', 'rotation.retire-intended'])
      expect(
        stream.calendar.open(Temporal.Instant.from(stream.events.find((e) => e.type === type)?.at ?? '')),
      ).toBe(true)
  })

  test('after a compromise needs an incident and two others, waits for nothing, and takes all siblings', async () => {
    const world = new World('app-secret', 1)
    world.add('sibling', null)
    const stream = new Stream(world)
    stream.calendar = calendarOf({ cron: '0 2 * * 0', zone: 'Europe/Berlin', minutes: 60 }, [], 'policy-0001')
    stream.plan({ mode: 'compromise', approvals: 2, graceMs: 0, retires: ['old', 'sibling'] }, [
      dependentOf(0),
    ])
    watch(world, stream, { compromised: true })
    expect(command(stream, asked)).toBe('incident-missing')
    expect(command(stream, { ...asked, incident: 'INC-7' })).toBe('ok')
    expect(command(stream, { do: 'approve', planHash: HASH })).toBe('same-person')
    expect(command(stream, { do: 'approve', planHash: HASH }, 'operator-0002')).toBe('ok')
    expect(command(stream, { do: 'approve', planHash: HASH }, 'operator-0002')).toBe('already-approved')
    expect(await stream.run()).toBe('wait approval')
    expect(command(stream, { do: 'approve', planHash: HASH }, 'operator-0003')).toBe('ok')
    expect(await stream.run()).toBe('over')
    expect([...world.credentials.keys()]).toEqual([stream.state?.issued?.keyId])
    const took = Temporal.Instant.from('2026-03-02T08:00:00Z').until(world.now).total('minutes')
    expect(took).toBeLessThan(5)
  })

  test('in an emergency passes over approval, and the record names who and why', async () => {
    const world = new World('app-secret', 1)
    const stream = new Stream(world)
    stream.plan({ approvals: 1 })
    expect(command(stream, { ...asked, breakGlass: 'expired at 2 a.m.' })).toBe('ok')
    expect(await stream.run()).toBe('over')
    expect(names(stream)).toContain('break-glass-used')
    expect(stream.state?.stage).toBe('complete')
  })

  test('rolls back from grace: vaults first, then dependents, then the new credential when nobody can hold it', async () => {
    const { world, stream } = started('app-secret', 2, 2)
    watch(world, stream)
    command(stream, asked)
    for (let n = 0; stream.state?.stage !== 'grace' && n < 30; n++) await stream.turn()
    expect(command(stream, { do: 'roll-back', reason: 'a user complains' })).toBe('ok')
    expect(await stream.run()).toBe('over')
    expect(stream.state?.stage).toBe('rolled-back')
    expect(names(stream).slice(-6)).toEqual([
      'values-restored',
      'dependent-returned',
      'dependent-returned',
      'orphans-discarded',
      'rolled-back',
      'failed',
    ])
    settled(world, stream)
  })

  test('cannot be rolled back once an old credential is gone', async () => {
    const world = new World('app-secret', 1)
    world.add('sibling', null)
    const stream = new Stream(world)
    stream.plan({ retires: ['old', 'sibling'] })
    command(stream, asked)
    for (let n = 0; stream.state?.retired.size === 0 && n < 30; n++) await stream.turn()
    expect(command(stream, { do: 'roll-back', reason: 'too late' })).toBe('no-way-back')
  })

  test('waits with what a person has to switch, and retires nothing before', async () => {
    const world = new World('app-secret', 1)
    const stream = new Stream(world)
    stream.plan({}, [dependentOf(0), dependentOf(1, { kind: 'manual' })])
    command(stream, asked)
    expect(await stream.run()).toBe('wait confirmation')
    expect(world.credentials.has('old')).toBe(true)
    expect(command(stream, { do: 'confirm-dependent', dependent: 'resource-0001' })).toBe('ok')
    expect(await stream.run()).toBe('over')
    expect(stream.state?.stage).toBe('complete')
  })
})

/** Every place where the process can die: before and after each effect and each record. */
function placesOf(kind: 'app-secret' | 'storage-key'): Promise<number> {
  const { world, stream } = started(kind)
  let places = 0
  world.fault = () => {
    places++
  }
  stream.fault = () => {
    places++
  }
  command(stream, asked)
  places = 0
  return stream.run().then(() => places)
}

describe.each(['app-secret', 'storage-key'] as const)('the crash matrix of %s', (kind) => {
  test('wherever the process dies once or twice, nobody is locked out and no orphan stays', async () => {
    const places = await placesOf(kind)
    expect(places).toBeGreaterThan(20)
    for (let first = 1; first <= places; first++)
      for (const second of [0, 1, 2, 5]) {
        const { world, stream } = started(kind)
        watch(world, stream)
        command(stream, asked)
        let at = 0
        const die = () => {
          at++
          if (at === first || (second > 0 && at === first + second)) throw new Crash(`at ${at}`)
        }
        world.fault = die
        stream.fault = die
        expect(await stream.run(), `dies at ${first} and ${second} later`).toBe('over')
        settled(world, stream)
      }
  })
})

/** A repeatable source of chance. */
function chance(seed: number) {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

test('R1–R8 hold in thousands of random lives of a rotation', async () => {
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= 500; seed++) {
    const random = chance(seed)
    const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] ?? (of[0] as T)
    const kind = one(['app-secret', 'app-secret', 'storage-key'] as const)
    const world = new World(kind, 1 + Math.floor(random() * 3))
    const stream = new Stream(world)
    const approvals = Math.floor(random() * 3) as 0 | 1 | 2
    stream.plan(
      { approvals },
      Array.from({ length: Math.floor(random() * 4) }, (_, n) =>
        dependentOf(n, random() < 0.2 ? { kind: 'manual' } : {}),
      ),
    )
    watch(world, stream, { say: () => `seed ${seed}` })
    const die = () => {
      if (random() < 0.06) throw new Crash('at random')
    }
    world.fault = die
    stream.fault = die
    if (random() < 0.3) world.observe = 'nothing'
    for (let n = 0; n < 160 && stream.state?.stage !== 'complete'; n++) {
      const dice = random()
      const who = one(['operator-0001', 'operator-0002', 'operator-0003'])
      /** A person confirms what was done by hand just before. */
      const byHand = (id: string) => {
        const value = world.serves(0)?.value
        if (stream.state?.dependents.get(id)?.plan.kind !== 'manual' || !value) return false
        if (!['cutover', 'grace', 'retiring', 'rolling-back'].includes(stream.state.stage)) return false
        if (stream.state.stage === 'rolling-back' && !stream.state.rollback?.settledAt) return false
        world.held.set(id, value)
        return true
      }
      const dependent = one([...(stream.state?.dependents.keys() ?? []), 'resource-0009'])
      if (dice < 0.2)
        try {
          command(
            stream,
            one<Command>([
              asked,
              { do: 'approve', planHash: HASH },
              { do: 'approve', planHash: HASH },
              { do: 'approve', planHash: 'b'.repeat(64) },
              { do: 'pause' },
              { do: 'resume' },
              { do: 'resume' },
              ...(random() < 0.15 ? [{ do: 'roll-back', reason: 'r' } as const] : []),
              { do: 'go-on', reason: 'r' },
              ...(byHand(dependent) ? [{ do: 'confirm-dependent', dependent } as const] : []),
              { do: 'waive-use', reason: 'r' },
            ]),
            who,
          )
        } catch (error) {
          if (!(error instanceof Crash)) throw error
        }
      else if (dice < 0.204 && kind === 'app-secret') world.add(world.id('by-hand-'), null)
      else if (dice < 0.24) world.now = world.now.add({ minutes: Math.floor(random() * 90) })
      else
        try {
          await stream.turn()
        } catch (error) {
          if (!(error instanceof Crash)) throw error
        }
      if (Temporal.Instant.compare(world.now, '2026-12-01T00:00:00Z') > 0) break
    }
    for (const key of world.credentials.keys()) expect(key).toMatch(/^(old|new|key|by-hand)/)
    settled(world, stream)
    const stage = stream.state?.stage ?? ''
    seen.set(stage, (seen.get(stage) ?? 0) + 1)
  }
  // The lives are not all alike.
  const common = [...seen].filter(([, times]) => times > 20).map(([stage]) => stage)
  expect(common).toEqual(expect.arrayContaining(['complete', 'rolled-back', 'blocked', 'awaiting-approval']))
})

/** A rotation at each stage, by the facts that lead there. */
function at(stage: Stage): Stream {
  const world = new World('app-secret', 1)
  const stream = new Stream(world)
  const rotation = 'rotation-0001'
  const policy = 'policy-0001'
  stream.plan({ approvals: 1, prestageMs: stage === 'staged' ? 1000 : null }, [dependentOf(0)])
  const place = { target: 0, vault: 'vault-0000', version: 'v9', keyId: 'new' }
  const issued = fact('rotation.credential-issued', {
    rotation,
    keyId: 'new',
    endsAt: null,
    mac: null,
    recovered: false,
  })
  const path: readonly (readonly [Stage, Parameters<Stream['append']>[0]])[] = [
    ['planned', []],
    [
      'awaiting-approval',
      [fact('rotation.requested', { rotation, planHash: HASH, ticket: null, incident: null })],
    ],
    [
      'scheduled',
      [
        fact('rotation.approved', { rotation, planHash: HASH, approver: 'operator-0002' }),
        fact('rotation.scheduled', { rotation, opensAt: world.now.toString(), closesAt: null }),
      ],
    ],
    [
      'issuing',
      [
        fact('rotation.preflight-passed', { rotation, checks: [] }),
        fact('rotation.issue-intended', { rotation, attempt: 1, slot: null, endsAt: null }),
      ],
    ],
    [
      'staged',
      stage === 'staged' ? [issued, fact('rotation.credential-staged', { rotation, ...place })] : [],
    ],
    [
      'verifying',
      [issued, fact('rotation.credential-stored', { rotation, ...place, secret: 'secret-0001', mac: null })],
    ],
    ['cutover', [fact('rotation.credential-verified', { rotation, keyId: 'new', successes: 1, overMs: 0 })]],
    ['grace', [fact('rotation.grace-entered', { rotation, until: world.now.toString() })]],
    ['retiring', [fact('rotation.disable-intended', { rotation, keyId: 'old' })]],
  ]
  const ends: Partial<Record<Stage, Parameters<Stream['append']>[0]>> = {
    'rolling-back': [
      fact('rotation.rollback-intended', { rotation, step: 'grace', again: false, reason: 'r' }),
    ],
    complete: [
      fact('rotation.completed', {
        rotation,
        policy,
        credential: 'app-secret-0001',
        dependents: 1,
        dependentsConfirmed: 1,
      }),
    ],
    'rolled-back': [
      fact('rotation.rolled-back', {
        rotation,
        policy,
        credential: 'app-secret-0001',
        step: 'grace',
        reason: 'r',
      }),
    ],
    blocked: [fact('rotation.blocked', { rotation, policy, checks: [] })],
    rejected: [fact('rotation.rejected', { rotation, approver: 'operator-0002', reason: 'r' })],
    expired: [fact('rotation.expired', { rotation, reason: 'r' })],
    'taken-over': [fact('rotation.taken-over', { rotation, policy, reason: 'r' })],
  }
  for (const [name, facts] of path) {
    stream.append(facts)
    if (name === stage) break
  }
  stream.append(ends[stage] ?? [])
  expect(stream.state?.stage).toBe(stage)
  return stream
}

const WISHES: Readonly<Record<string, Command>> = {
  request: asked,
  approve: { do: 'approve', planHash: HASH },
  reject: { do: 'reject', reason: 'r' },
  pause: { do: 'pause' },
  resume: { do: 'resume' },
  'roll-back': { do: 'roll-back', reason: 'r' },
  'take-over': { do: 'take-over', reason: 'r' },
  'go-on': { do: 'go-on', reason: 'r' },
  'confirm-dependent': { do: 'confirm-dependent', dependent: 'resource-0000' },
  'waive-dependent': { do: 'waive-dependent', dependent: 'resource-0000', reason: 'r' },
  'waive-use': { do: 'waive-use', reason: 'r' },
}

/** What each stage answers to each wish; a stage that is not here has ended and refuses all with `rotation-over`. */
const TABLE: Partial<Record<Stage, Partial<Record<string, string>>>> = {
  planned: { request: 'ok' },
  'awaiting-approval': { approve: 'ok', reject: 'ok' },
  scheduled: { pause: 'ok' },
  issuing: { pause: 'ok', 'roll-back': 'ok', 'take-over': 'ok' },
  staged: { pause: 'ok', 'roll-back': 'ok', 'take-over': 'ok' },
  verifying: { pause: 'ok', 'roll-back': 'ok', 'take-over': 'ok' },
  cutover: {
    pause: 'ok',
    'roll-back': 'ok',
    'take-over': 'ok',
    'confirm-dependent': 'ok',
    'waive-dependent': 'ok',
  },
  grace: {
    pause: 'ok',
    'roll-back': 'ok',
    'take-over': 'ok',
    'confirm-dependent': 'ok',
    'waive-dependent': 'ok',
    'waive-use': 'ok',
  },
  retiring: {
    pause: 'ok',
    'roll-back': 'ok',
    'take-over': 'ok',
    'confirm-dependent': 'ok',
    'waive-dependent': 'ok',
    'waive-use': 'ok',
  },
  'rolling-back': { pause: 'ok', 'take-over': 'ok' },
}

describe('decide()', () => {
  test.each(STAGES.flatMap((stage) => Object.keys(WISHES).map((wish) => ({ stage, wish }))))(
    'answers $wish at $stage as the table says',
    ({ stage, wish }) => {
      const stream = at(stage)
      const command = WISHES[wish]
      if (!command) throw new Error('no such wish')
      const answer = decide(stream.state, command, {
        who: 'operator-0003',
        now: stream.world.now,
        calendar: stream.calendar,
      })
      const expected = TABLE[stage] ? (TABLE[stage][wish] ?? 'refused') : 'rotation-over'
      const said = isRefused(answer) ? answer.refused : 'ok'
      const fits = expected === 'refused' ? said !== 'ok' && said !== 'rotation-over' : said === expected
      expect({ said, fits }).toEqual({ said, fits: true })
    },
  )

  test('refuses a plan that was changed, or is too old', () => {
    const stream = at('planned')
    expect(command(stream, { ...asked, planHash: 'b'.repeat(64) })).toBe('plan-changed')
    stream.world.now = stream.world.now.add({ hours: 25 })
    expect(command(stream, asked)).toBe('plan-expired')
    expect(command(stream, { do: 'expire' })).toBe('ok')
    expect(stream.state?.stage).toBe('expired')
  })

  test('refuses a rotation whose window never opens', () => {
    const stream = new Stream(new World('app-secret', 1))
    stream.plan()
    const day = {
      freeze: 'freeze-0001',
      from: '2026-01-01T00:00:00Z',
      until: '2028-01-01T00:00:00Z',
      name: 'closed',
      policies: [],
    }
    stream.calendar = calendarOf(
      { cron: '0 2 * * 0', zone: 'Europe/Berlin', minutes: 60 },
      [day],
      'policy-0001',
    )
    expect(command(stream, asked)).toBe('never-open')
  })
})
