import type { EventOf, RouteSettings } from '@attestry/contracts'
import { isRefused } from '@attestry/kit'
import { describe, expect, test } from 'vitest'
import type { Connector } from './connector.ts'
import { can, settings as usual } from './plan.fixture.ts'
import { decideOpen, decideRevise, decideState, type Route, type Surroundings } from './route.ts'

const SOURCE = { vault: 'vault-a', name: 'kv-a', uri: 'https://kv-a.vault.azure.net' }
const at = (vault: string) => `https://kv-${vault}.vault.azure.net`

const connector = (more: Partial<Connector> = {}): Connector => ({
  connector: 'connector-1',
  cloud: 'aws',
  name: 'AWS',
  account: '111122223333',
  region: 'eu-central-1',
  how: 'web-identity',
  access: [],
  connected: true,
  ...more,
})
const toVault = (vault: string) =>
  connector({ cloud: 'azure', account: at(vault), region: null, how: 'own-identity' })

const settings: RouteSettings = { ...usual, kind: 'aws-secrets-manager', template: 'prod/{name}' }
const between: RouteSettings = { ...settings, kind: 'azure-key-vault', template: '{name}' }

const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  can,
  connector: connector(),
  source: SOURCE,
  names: ['db', 'mail'],
  taken: new Map(),
  vaultRoutes: [],
  ...more,
})
const wish = (given: RouteSettings = settings) => ({
  route: 'route-1',
  source: 'vault-a',
  connector: 'connector-1',
  settings: given,
})
const outcome = (answer: object) =>
  isRefused(answer) ? answer.refused : (answer as { type: EventOf['type'] }[]).map((f) => f.type)

describe('opening a route', () => {
  test.each<[string, RouteSettings, Partial<Surroundings>, unknown]>([
    ['to an account that is there', settings, {}, ['sync.route-opened']],
    [
      'to an account that was removed',
      settings,
      { connector: connector({ connected: false }) },
      'no-such-connector',
    ],
    ['from a vault that discovery does not know', settings, { source: null }, 'no-such-vault'],
    ['to a store of another cloud', { ...settings, kind: 'gcp-secret-manager' }, {}, 'wrong-kind'],
    ['with a template that names nothing', { ...settings, template: 'prod' }, {}, 'bad-mapping'],
    [
      'to a name that another route writes',
      settings,
      { taken: new Map([['prod/db', 'theirs']]) },
      'names-taken',
    ],
    [
      'to names beside those of another route',
      settings,
      { taken: new Map([['test/db', 'theirs']]) },
      ['sync.route-opened'],
    ],
    [
      'to a name that differs in case alone, where the target folds case',
      { ...between, template: '{name.upper}' },
      {
        connector: toVault('b'),
        can: { ...can, foldsCase: true },
        taken: new Map([['db', 'theirs']]),
      },
      'names-taken',
    ],
    ['to its own source', between, { connector: toVault('a') }, 'loop'],
    [
      'back along another route',
      between,
      { connector: toVault('b'), vaultRoutes: [{ from: at('b'), to: at('a') }] },
      'loop',
    ],
    [
      'back along three others',
      between,
      {
        connector: toVault('b'),
        vaultRoutes: [
          { from: at('b'), to: at('c') },
          { from: at('c'), to: at('d') },
          { from: at('d'), to: at('a') },
        ],
      },
      'loop',
    ],
    [
      'beside a circle that it is no part of',
      between,
      {
        connector: toVault('b'),
        vaultRoutes: [
          { from: at('c'), to: at('d') },
          { from: at('d'), to: at('c') },
          { from: at('b'), to: at('c') },
        ],
      },
      ['sync.route-opened'],
    ],
  ])('%s', (_, given, more, expected) => {
    expect(outcome(decideOpen(null, wish(given), around(more)))).toEqual(expected)
  })

  test('a refusal names the field that would have to be another', () => {
    const answer = decideOpen(null, wish(), around({ taken: new Map([['prod/db', 'theirs']]) }))
    expect(answer).toMatchObject({
      errors: [{ field: 'body.settings.template', message: expect.stringContaining('theirs') as string }],
    })
  })
})

const route = (more: Partial<Route> = {}): Route => ({
  ...wish(),
  state: 'active',
  accepted: true,
  position: 3,
  ...more,
})

describe('changing a route', () => {
  const accepted = (more: Partial<RouteSettings>) => {
    const answer = decideRevise(route(), { ...settings, ...more }, around())
    if (isRefused(answer)) return answer.refused
    const [revised] = answer
    return revised?.type === 'sync.route-revised' ? !revised.data.reaccept : 'unchanged'
  }
  test.each<[string, Partial<RouteSettings>, unknown]>([
    ['its name', { name: 'another' }, true],
    ['when it runs', { everyMinutes: 15, onChange: true }, true],
    ['how many versions stay', { keepVersions: 3 }, true],
    ['that each run asks', { approval: 'always' }, true],
    ['the tags that go along', { tags: [] }, true],
    ['nothing', {}, 'unchanged'],
    ['which secrets', { selector: { ...settings.selector, names: ['db*'] } }, false],
    ['where to', { template: 'test/{name}' }, false],
    ['one name', { overrides: [['db', 'main']] }, false],
    ['that copies may be deleted', { deletePolicy: 'prune' }, false],
    ['that drift is written over', { onDrift: 'reassert' }, false],
    ['that bytes are written as bytes', { binary: 'decode' }, false],
    ['the kind of store', { kind: 'aws-parameter-store' }, 'wrong-kind'],
  ])('%s', (_, more, expected) => expect(accepted(more)).toBe(expected))
})

describe('state × wish', () => {
  const active = route()
  const paused = route({ state: 'paused' })
  const closed = route({ state: 'closed' })
  test.each<[string, Route | null, 'pause' | 'resume' | 'close', unknown]>([
    ['nothing', null, 'pause', 'no-such-route'],
    ['active', active, 'pause', ['sync.route-paused']],
    ['active', active, 'resume', 'nothing-changed'],
    ['active', active, 'close', ['sync.route-closed']],
    ['paused', paused, 'pause', 'nothing-changed'],
    ['paused', paused, 'resume', ['sync.route-resumed']],
    ['paused', paused, 'close', ['sync.route-closed']],
    ['closed', closed, 'pause', 'route-closed'],
    ['closed', closed, 'resume', 'route-closed'],
    ['closed', closed, 'close', 'route-closed'],
  ])('%s route, %s', (_, known, wanted, expected) => {
    expect(outcome(decideState(known, wanted))).toEqual(expected)
  })
})
