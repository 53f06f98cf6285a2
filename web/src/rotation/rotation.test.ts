import type { PolicyRow, RotationDetail } from '@attestry/contracts/http'
import { rotationHttp } from '@attestry/contracts/http'
import { describe, expect, test } from 'vitest'
import { rotationHandlers } from '../testing/rotation.fixture.ts'
import { isMonth, later, stretch, weeksOf } from './month.ts'
import { maySettle, offersOf } from './offers.ts'
import { stepsOf } from './stages.ts'
import { errorsOf, formOf, freshTerms, issuesOf, saidOf, termsOf } from './terms.ts'
import { whyNot } from './why-not.ts'

const handlers = rotationHandlers()
/** A rotation of the fixture as it stands at a stage. */
function rotation(id: string): RotationDetail {
  const found = handlers.readRotation({ params: { rotation: id } } as never)
  if ('refuse' in found) throw new Error(found.detail)
  return rotationHttp.readRotation.reply.parse(found)
}
const states = (detail: Parameters<typeof stepsOf>[0]) =>
  Object.fromEntries(stepsOf(detail).map((s) => [s.id, s.state]))
const line = (type: string, seq = 1): RotationDetail['record'][number] => ({
  at: '2026-11-26T07:00:00.000Z',
  type,
  by: 'rotation',
  seq,
  says: type,
  proof: null,
})
const at = (stage: RotationDetail['stage'], ...types: string[]) => ({
  stage,
  needsOperator: null,
  endedAt: null,
  record: types.map(line),
})

describe('stepsOf()', () => {
  test('shows what is done, what goes on and what is ahead', () => {
    expect(states(rotation('rotation-0001'))).toMatchObject({ plan: 'done', ask: 'now', begin: 'ahead' })
    expect(states(rotation('rotation-0002'))).toMatchObject({
      verify: 'done',
      switch: 'stands',
      grace: 'ahead',
    })
    expect(Object.values(states(rotation('rotation-0003')))).toEqual(Array.from({ length: 9 }, () => 'done'))
  })

  test('shows the way back only where it was taken, and what was never reached as such', () => {
    const went = at(
      'rolling-back',
      'planned',
      'requested',
      'issue-intended',
      'credential-issued',
      'rollback-intended',
    )
    expect(states(went)).toMatchObject({ issue: 'done', store: 'left', grace: 'left', back: 'now' })
    expect(states(at('issuing', 'planned', 'issue-intended'))).not.toHaveProperty('back')
    expect(states({ ...at('blocked', 'planned', 'requested', 'blocked') })).toMatchObject({
      ask: 'done',
      begin: 'left',
      issue: 'left',
    })
  })

  test('keeps a pause with the step in which it came', () => {
    const paused = at('issuing', 'planned', 'issue-intended', 'paused')
    expect(
      stepsOf(paused)
        .find((s) => s.id === 'issue')
        ?.lines.map((l) => l.type),
    ).toEqual(['issue-intended', 'paused'])
  })
})

describe('offersOf()', () => {
  const base = rotation('rotation-0001')
  test.each([
    ['planned', ['planned'], {}, ['request']],
    ['awaiting-approval', ['planned', 'requested'], {}, ['approve', 'reject']],
    ['scheduled', ['planned', 'scheduled'], {}, ['pause']],
    ['issuing', ['issue-intended'], { paused: true }, ['resume', 'roll-back', 'take-over']],
    [
      'issuing',
      ['issue-intended'],
      { pending: { awaits: 'merge', request: null } },
      ['merge', 'pause', 'roll-back', 'take-over'],
    ],
    [
      'cutover',
      ['issue-intended'],
      { needsOperator: { step: 'cutover', reason: 'x' } },
      ['go-on', 'pause', 'roll-back', 'take-over'],
    ],
    ['grace', ['issue-intended', 'grace-entered'], {}, ['waive-use', 'pause', 'roll-back', 'take-over']],
    ['retiring', ['issue-intended', 'use-waived', 'retire-intended'], {}, ['pause', 'take-over']],
    ['rolling-back', ['issue-intended', 'rollback-intended'], {}, ['pause', 'take-over']],
    ['cutover', ['issue-intended', 'credential-issued'], { kind: 'certificate' }, ['pause', 'take-over']],
  ] as const)('at %s after %j with %j offers %j', (stage, types, more, offers) => {
    expect(offersOf({ ...base, ...more, stage, record: types.map((t) => line(t)) })).toEqual(offers)
  })

  test('offers nothing about what has ended', () => {
    expect(offersOf(rotation('rotation-0003'))).toEqual([])
  })

  test('lets a person settle a dependent only where the service would take it', () => {
    const d = rotation('rotation-0002')
    expect(d.dependents.map((one) => maySettle(d, one))).toEqual([false, true])
    const back = { ...d, stage: 'rolling-back' as const, record: [line('values-restored')] }
    const [first] = d.dependents
    if (!first) throw new Error('the fixture has dependents')
    expect(maySettle(back, first)).toBe(false)
    expect(maySettle(back, { ...first, state: 'must-return' })).toBe(true)
  })
})

describe('whyNot()', () => {
  const page = handlers.listPolicies({ query: { limit: 100 } } as never)
  const rows = 'refuse' in page ? [] : (page.items as PolicyRow[])
  const row = (more: Partial<PolicyRow>): PolicyRow => {
    const [, , third] = rows
    if (!third) throw new Error('the fixture has policies')
    return { ...third, ...more }
  }
  const on = { writes: true, entitled: true }
  const now = Date.now()
  const held = (r: PolicyRow, settings = on) =>
    whyNot(r, settings, now)
      .filter((reason) => reason.holds)
      .map((reason) => reason.says)

  test('names what holds a policy up, and nothing where it only is not due', () => {
    expect(held(row({}))).toEqual([])
    expect(whyNot(row({}), on, now)).toMatchObject([{ says: 'It is not due yet.' }])
    expect(held(row({ enabled: false }))).toEqual([expect.stringContaining('disabled')])
    expect(held(row({}), { writes: false, entitled: false })).toHaveLength(2)
    const failed = {
      rotation: 'rotation-0009',
      stage: 'rolled-back',
      endedAt: new Date(now - 3_600_000).toISOString(),
    } as const
    expect(held(row({ last: failed }))).toEqual([expect.stringContaining('a day later')])
    expect(held(row({ last: { ...failed, endedAt: new Date(now - 90_000_000).toISOString() } }))).toEqual([])
    const { settings } = row({})
    expect(
      held(
        row({ settings: { ...settings, targets: [] }, matches: { proposed: 0, verified: 0, excluded: 0 } }),
      ),
    ).toEqual([expect.stringContaining('names no vault')])
  })
})

describe('a policy’s form', () => {
  const { body } = rotationHttp.revisePolicy
  const good = {
    ...freshTerms('Europe/Berlin'),
    targets: [{ vault: 'vault-0001', secret: ' a-name ', content: 'value' as const }],
  }

  test('saves what it shows, and shows what was saved', () => {
    const full = {
      ...good,
      windowed: true,
      prestageDays: '3',
      ownerName: 'Payments',
      ownerMail: 'team@contoso.example',
    }
    const terms = body.parse(termsOf(full))
    expect(terms.settings.targets).toEqual([{ vault: 'vault-0001', secret: 'a-name', content: 'value' }])
    expect(terms.settings.owner).toEqual({ name: 'Payments', mail: 'team@contoso.example', webhook: null })
    expect(termsOf(formOf(terms, 'UTC'))).toEqual(terms)
    expect(termsOf(good).settings.owner).toBeNull()
  })

  test('names each field that is wrong, before it is sent and after', () => {
    const issues = issuesOf(
      body,
      termsOf({ ...good, cadenceDays: '', graceHours: '-1', ownerMail: 'nobody' }),
    )
    for (const field of ['cadenceDays', 'settings.graceHours', 'settings.owner.mail', 'settings.owner.name'])
      expect([field, typeof saidOf(issues, field)]).toEqual([field, 'string'])
    expect(saidOf(issues, 'cadenceDays')).toBe('A whole number.')
    expect(saidOf(issues, 'settings.graceHours')).toBe('At least 0.')
    expect(saidOf(issues, 'settings.owner.mail')).toBe('A mail address, such as team@example.com.')
    const problem = { type: '', title: '', status: 400, detail: '', code: '' }
    const errors = errorsOf({
      ...problem,
      errors: [{ field: 'body.settings.targets.0.vault', message: 'is gone' }],
    })
    expect(saidOf(errors, 'settings.targets.0.vault')).toBe('Is gone.')
    expect(saidOf(errors, 'settings.targets.0')).toBe('Is gone.')
    expect(saidOf(errors, 'cadenceDays')).toBeUndefined()
  })
})

describe('a month', () => {
  const entry = (kind: 'due' | 'freeze' | 'running', from: string, until: string | null) => ({
    kind,
    from: new Date(from).toISOString(),
    until: until === null ? null : new Date(until).toISOString(),
    name: kind,
    policy: null,
    rotation: null,
    freeze: null,
  })

  test('is whole weeks from a Monday, and goes over the year', () => {
    expect(later('2026-12', 1)).toBe('2027-01')
    expect(later('2027-01', -1)).toBe('2026-12')
    expect(isMonth('2026-13')).toBe(false)
    const weeks = weeksOf('2026-11', [], 0)
    expect(weeks[0]?.[0]?.date).toBe('2026-10-26')
    expect(weeks.at(-1)?.[6]?.date).toBe('2026-12-06')
    // February of 2027 begins on a Monday and is four weeks.
    expect(weeksOf('2027-02', [], 0)).toHaveLength(4)
    const { from, until } = stretch('2026-11')
    expect((Date.parse(until) - Date.parse(from)) / 86_400_000).toBeCloseTo(42, 0)
  })

  test('shows what lasts on each of its days, and what runs until now', () => {
    const days = weeksOf(
      '2026-11',
      [
        entry('due', '2026-11-10T12:00:00', null),
        entry('freeze', '2026-11-20T12:00:00', '2026-11-22T12:00:00'),
        entry('running', '2026-11-25T12:00:00', null),
      ],
      new Date('2026-11-26T12:00:00').getTime(),
    ).flat()
    const on = (kind: string) => days.filter((d) => d.entries.some((e) => e.kind === kind)).map((d) => d.date)
    expect(on('due')).toEqual(['2026-11-10'])
    expect(on('freeze')).toEqual(['2026-11-20', '2026-11-21', '2026-11-22'])
    expect(on('running')).toEqual(['2026-11-25', '2026-11-26'])
  })
})
