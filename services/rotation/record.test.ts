import { expect, test } from 'vitest'
import { rotationHttp } from '@attestry/contracts/http'
import { isRefused } from '@attestry/kit'
import { decide } from './decide.ts'
import { dependentOf, Stream, World } from './model.fixture.ts'
import { recordOf } from './record.ts'

const HASH = 'a'.repeat(64)

test('the record names the exact thing of each line, and never a value', async () => {
  const world = new World('app-secret', 1)
  const stream = new Stream(world)
  stream.plan({}, [dependentOf(0)])
  const asked = decide(
    stream.state,
    { do: 'request', planHash: HASH, ticket: 'CHG-4711', incident: null, breakGlass: null },
    { who: 'operator-0001', now: world.now, calendar: stream.calendar },
  )
  if (isRefused(asked)) throw new Error(asked.detail)
  stream.append(asked, 'operator-0001')
  await stream.run()
  const { state } = stream
  if (!state) throw new Error('the stream has a plan')
  const record = recordOf(stream.events, { state, vaults: new Map([['vault-0', 'kv-payments']]) })
  const proofOf = (type: string) => record.find((l) => l.type === type)?.proof
  expect(proofOf('requested')).toBe('Change ticket CHG-4711')
  expect(proofOf('credential-issued')).toContain('Key id ')
  expect(proofOf('credential-stored')).toMatch(/ in .+, version /)
  expect(proofOf('credential-verified')).toMatch(/^\d+ sign-ins? or reads? worked/)
  expect(proofOf('dependent-confirmed')).toMatch(/: read back$/)
  expect(proofOf('grace-entered')).toMatch(/^Until \d{4}-\d\d-\d\d \d\d:\d\d UTC$/)
  expect(proofOf('credential-retired')).toBe('Key id old')
  expect(proofOf('completed')).toBe('1 of 1 dependents confirmed')
  // The stage that it stands in counts from the event that brought it there.
  expect(state.since).toBe(stream.events.at(-1)?.at)
})

const terms = (owner: object | null) => ({
  credential: 'app-secret-0001',
  cadenceDays: 90,
  settings: {
    daysBeforeExpiry: 14,
    targets: [],
    window: null,
    approvals: 0,
    dependents: 'switch',
    graceHours: 1,
    prestageDays: null,
    owner,
  },
})

test.each(['mail', 'webhook'])(
  'a policy whose owner’s %s is the mark of an erased one is refused',
  (field) => {
    const owner = { name: 'Payments', mail: 'team@contoso.example', webhook: null }
    const { body } = rotationHttp.savePolicy
    expect(body.safeParse(terms(owner)).success).toBe(true)
    const { error } = body.safeParse(terms({ ...owner, [field]: '[erased]' }))
    expect(error?.issues).toMatchObject([
      { path: ['settings', 'owner', field], message: expect.stringContaining('give one, or null') as string },
    ])
  },
)
