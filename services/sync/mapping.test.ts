import { describe, expect, test } from 'vitest'
import { carried, checkMapping, mapNames, saysBase64, templateProblem } from './mapping.ts'
import { can, item, settings } from './plan.fixture.ts'
import { fits, selects } from './selector.ts'

describe('names at the target', () => {
  const named = (template: string, name = 'Db-Password') =>
    mapNames({ template, overrides: [] }, 'kv-payments', [name], can).get(name)?.target
  test.each([
    ['prod/{name}', 'prod/Db-Password'],
    ['{vault}/{name.lower}', 'kv-payments/db-password'],
    ['{name.upper}', 'DB-PASSWORD'],
    ['app_{name.snake}', 'app_Db_Password'],
  ])('%s gives %s', (template, target) => expect(named(template)).toBe(target))

  test('an override wins over the template, whatever the case', () => {
    const names = mapNames({ template: '{name}', overrides: [['DB', 'main']] }, 'kv', ['db', 'mail'], can)
    expect(names.get('db')).toEqual({ target: 'main', problem: null })
    expect(names.get('mail')).toEqual({ target: 'mail', problem: null })
  })

  test('an override that meets another name is a collision of both', () => {
    const names = mapNames({ template: '{name}', overrides: [['db', 'mail']] }, 'kv', ['db', 'mail'], can)
    expect([...names.values()].map((m) => m.problem)).toEqual(['collision', 'collision'])
  })

  test.each([
    ['prod/{name}', null],
    ['prod/{secret}', /\{secret\} stands for nothing/],
    ['prod/{name', /not closed/],
    ['prod/{vault}', /must hold \{name\}/],
  ])('the template %s is judged before it is saved', (template, problem) => {
    const said = templateProblem(template)
    expect(said === null ? null : problem?.test(said)).toBe(problem === null ? null : true)
  })

  test('a mapping that cannot be is refused by field', () => {
    const refusal = checkMapping(
      {
        template: '{nam}',
        overrides: [
          ['db', 'a'],
          ['DB', 'b'],
          ['mail', 'a'],
          ['web', 'no spaces'],
        ],
        tags: [
          ['*', 'all'],
          ['team', 'managed-by'],
        ],
      },
      can,
    )
    expect(refusal).toMatchObject({ refused: 'bad-mapping' })
    expect(refusal?.errors?.map((e) => e.field)).toEqual([
      'body.settings.template',
      'body.settings.overrides.1',
      'body.settings.overrides.2',
      'body.settings.overrides.3',
      'body.settings.tags.0',
      'body.settings.tags.1',
    ])
    expect(checkMapping(settings, can)).toBeNull()
  })
})

describe('tags that go with a value', () => {
  const tagged = item('db', {
    tags: [
      ['team', 'payments'],
      ['cost', '42'],
      ['managed-by', 'attestry'],
    ],
  })
  test('all of them where the route says so, never the mark of another copy', () => {
    expect(carried([['*', '*']], tagged, can).metadata.tags).toEqual([
      ['team', 'payments'],
      ['cost', '42'],
    ])
  })
  test('only those named, under their new names; what is absent clears nothing', () => {
    const rules: [string, string][] = [
      ['TEAM', 'owner'],
      ['missing', 'x'],
    ]
    expect(carried(rules, tagged, can).metadata.tags).toEqual([['owner', 'payments']])
  })
  test('what the target does not take is counted', () => {
    const narrow = { tags: { ...can.tags, most: 1 } }
    expect(carried([['*', '*']], tagged, narrow)).toMatchObject({ dropped: 1 })
    expect(carried([['*', '*']], tagged, { tags: { ...can.tags, value: /^[a-z]*$/ } }).dropped).toBe(1)
  })
})

describe('what a route takes', () => {
  test.each([
    ['db-password', 'db-*', true],
    ['DB-Password', 'db-password', true],
    ['db', 'db-*', false],
    ['app-db-prod', '*-db-*', true],
    ['app-db', '*db*db*', false],
    ['aba', 'a*a', true],
    ['a', 'a*a', false],
    ['anything', '*', true],
  ])('%s against %s: %s', (name, pattern, expected) => expect(fits(name, pattern)).toBe(expected))

  test('every condition has to hold', () => {
    const one = item('db', { tags: [['sync', 'aws']], contentType: 'text/plain' })
    const all = { names: ['d*'], tags: [['Sync', '*']] as [string, string][], contentTypes: ['text/*'] }
    expect(selects(all, one)).toBe(true)
    expect(selects({ ...all, names: ['x'] }, one)).toBe(false)
    expect(selects({ ...all, tags: [['sync', 'gcp']] }, one)).toBe(false)
    expect(selects({ ...all, contentTypes: ['application/*'] }, one)).toBe(false)
    expect(selects({ names: [], tags: [], contentTypes: [] }, one)).toBe(true)
  })
})

test('base64 is known by its content type alone', () => {
  expect(['application/octet-stream', 'text/plain; base64', 'application/x-pkcs12'].map(saysBase64)).toEqual([
    true,
    true,
    true,
  ])
  expect(['text/plain', null, 'application/json'].map(saysBase64)).toEqual([false, false, false])
})
