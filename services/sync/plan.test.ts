import { describe, expect, test } from 'vitest'
import { makePlan, type PlanEntry, pruneLimit, suspects, unseen } from './plan.ts'
import {
  can,
  copy,
  idOf,
  item,
  LATER,
  LONG_AGO,
  mark,
  OTHER,
  remote,
  ROUTE,
  type Scene,
  scene,
  settings,
} from './plan.fixture.ts'

type Expected = [PlanEntry['action'], PlanEntry['reason'], PlanEntry['steps'], PlanEntry['drift']?]

const written = copy('db')
const moved = item('db', { updated: LATER, created: LATER })

/** Given what is there, what becomes of the one secret `db`. */
const CASES: readonly [string, Scene, Expected][] = [
  ['a secret that is nowhere yet is made', { items: [item('db')] }, ['create', 'new', ['create']]],
  [
    'a copy that is as it was written is left alone',
    { items: [item('db')], remotes: [remote('db')], copies: [written] },
    ['noop', 'unchanged', []],
  ],
  [
    'a source that moved is written',
    { items: [moved], remotes: [remote('db')], copies: [written], versions: [['db', 'v2']] },
    ['update', 'source-changed', ['put']],
  ],
  [
    'a source of which only a tag changed is not written again, its tags are',
    {
      items: [item('db', { updated: LATER })],
      remotes: [remote('db')],
      copies: [written],
      versions: [['db', 'v1']],
    },
    ['update', 'metadata', ['mark']],
  ],
  [
    'an object that nobody marked is a conflict',
    { items: [item('db')], remotes: [remote('db', { mark: null, servedSource: null })] },
    ['conflict', 'unmanaged', []],
  ],
  [
    'an object that a person adopted is written, without having been read',
    {
      items: [item('db')],
      remotes: [remote('db', { mark: null, version: 'theirs' })],
      copies: [{ ...copy('db', { adopted: { targetVersion: 'theirs' } }), written: null }],
    },
    ['update', 'adopted', ['put']],
  ],
  [
    'an adopted object that changed since is a conflict again',
    {
      items: [item('db')],
      remotes: [remote('db', { mark: null, version: 'newer' })],
      copies: [{ ...copy('db', { adopted: { targetVersion: 'theirs' } }), written: null }],
    },
    ['conflict', 'unmanaged', []],
  ],
  [
    'an object of another route is a conflict',
    { items: [item('db')], remotes: [remote('db', { mark: mark('db', { route: OTHER }) })] },
    ['conflict', 'owned-by-another-route', []],
  ],
  [
    'a name that another route holds is a conflict before anything is there',
    { items: [item('db')], claims: [['prod/db', { route: OTHER, secret: 'secret-x' }]] },
    ['conflict', 'owned-by-another-route', []],
  ],
  [
    'an object that this route wrote for another secret is a conflict',
    { items: [item('db')], remotes: [remote('db', { mark: mark('mail') })] },
    ['conflict', 'holds-another-secret', []],
  ],
  [
    'a copy that somebody wrote over is told, not overwritten',
    { items: [item('db')], remotes: [remote('db', { stamp: 'else', servedSource: 'x' })], copies: [written] },
    ['conflict', 'drifted', [], 'changed'],
  ],
  [
    'a copy that somebody wrote over is written again where the route says so',
    {
      items: [item('db')],
      remotes: [remote('db', { stamp: 'else', servedSource: 'x' })],
      copies: [written],
      settings: { onDrift: 'reassert' },
    },
    ['update', 'reasserted', ['put'], 'changed'],
  ],
  [
    'a source that moved under a drifted copy does not hide the drift',
    {
      items: [moved],
      remotes: [remote('db', { stamp: 'else', servedSource: 'x' })],
      copies: [written],
      versions: [['db', 'v2']],
    },
    ['conflict', 'drifted', [], 'changed'],
  ],
  [
    'a copy whose mark somebody took away is never taken back in silence',
    {
      items: [item('db')],
      remotes: [remote('db', { mark: null })],
      copies: [written],
      settings: { onDrift: 'reassert' },
    },
    ['conflict', 'unmarked', [], 'unmarked'],
  ],
  [
    'where a mark is part of a version, a version of somebody else is drift, and reasserted where asked',
    {
      items: [item('db')],
      remotes: [remote('db', { mark: null, stamp: 'else' })],
      copies: [written],
      settings: { onDrift: 'reassert' },
      can: { marks: 'version' },
    },
    ['update', 'reasserted', ['put'], 'changed'],
  ],
  [
    'a write that was interrupted before its mark is marked, not written again',
    {
      items: [moved],
      remotes: [remote('db', { stamp: 'stamp-2', servedSource: 'v2', version: 'v2' })],
      copies: [written],
      versions: [['db', 'v2']],
    },
    ['update', 'interrupted', ['mark']],
  ],
  [
    'a write that was interrupted before it was recorded is recorded, not written again',
    { items: [item('db')], remotes: [remote('db')], versions: [['db', 'v1']] },
    ['update', 'interrupted', ['mark']],
  ],
  [
    'a write that was interrupted and whose source moved on since is written',
    { items: [moved], remotes: [remote('db')], versions: [['db', 'v2']] },
    ['update', 'interrupted', ['put']],
  ],
  [
    'a copy that somebody deleted is made again and told of',
    { items: [item('db')], copies: [written] },
    ['create', 'gone', ['create'], 'gone'],
  ],
  [
    'a copy that waits for its end is restored, then written',
    { items: [item('db')], remotes: [remote('db', { state: 'pending-deletion' })], copies: [written] },
    ['update', 'restored', ['restore', 'put'], 'pending-deletion'],
  ],
  [
    'an object of somebody else that waits for its end is a conflict',
    { items: [item('db')], remotes: [remote('db', { state: 'pending-deletion', mark: null })] },
    ['conflict', 'pending-deletion', []],
  ],
  [
    'a disabled source is skipped',
    { items: [item('db', { enabled: false })], remotes: [remote('db')], copies: [written] },
    ['skip', 'source-disabled', []],
  ],
  [
    'an expired source disables its copy where the route says so',
    {
      items: [item('db', { expires: '2026-02-28T00:00:00.000Z' })],
      remotes: [remote('db')],
      copies: [written],
      settings: { onDisabled: 'disable' },
    },
    ['update', 'source-disabled', ['disable']],
  ],
  [
    'a copy that is disabled already is left alone',
    {
      items: [item('db', { enabled: false })],
      remotes: [remote('db', { state: 'disabled' })],
      copies: [copy('db', { state: 'disabled' })],
      settings: { onDisabled: 'disable' },
    },
    ['noop', 'disabled-already', []],
  ],
  [
    'a source that is enabled again is written again',
    {
      items: [item('db', { updated: LATER })],
      remotes: [remote('db', { state: 'disabled', stamp: 'off' })],
      copies: [copy('db', { state: 'disabled' })],
      versions: [['db', 'v1']],
    },
    ['update', 'source-enabled', ['put']],
  ],
  [
    'a target that cannot disable is left alone',
    {
      items: [item('db', { enabled: false })],
      remotes: [remote('db')],
      copies: [written],
      settings: { onDisabled: 'disable' },
      can: { disables: false },
    },
    ['skip', 'target-cannot-disable', []],
  ],
  [
    'the secret of a certificate is skipped by a target of secrets',
    { items: [item('db', { managed: true })] },
    ['skip', 'certificate-backed', []],
  ],
  [
    'a plain secret is skipped by a target of certificates',
    { items: [item('db')], can: { takes: 'certificates' } },
    ['skip', 'not-a-certificate', []],
  ],
  [
    'what came from the target’s own vault does not go back there',
    {
      items: [
        item('db', {
          tags: [
            ['managed-by', 'attestry'],
            ['attestry-route', OTHER],
            ['attestry-secret', 'secret-origin'],
            ['attestry-vault', 'vault-target'],
            ['attestry-source-version', 'v1'],
            ['attestry-mac', 'a'.repeat(64)],
          ],
        }),
      ],
      targetVault: 'vault-target',
    },
    ['skip', 'loop', []],
  ],
  [
    'a value that is not valid yet waits',
    { items: [item('db', { notBefore: '2026-04-01T00:00:00.000Z' })] },
    ['skip', 'not-yet-valid', []],
  ],
  [
    'bytes are not written where only text is taken',
    {
      items: [item('db', { contentType: 'application/octet-stream;base64' })],
      settings: { binary: 'decode' },
      can: { value: { ...can.value, binary: false } },
    },
    ['skip', 'binary-not-taken', []],
  ],
  [
    'a name that the target does not take is skipped',
    { items: [item('db')], settings: { template: 'prod {name}' } },
    ['skip', 'bad-name', []],
  ],
  [
    'a copy that failed waits for its time',
    {
      items: [item('db')],
      copies: [
        copy('db', {
          state: 'retrying',
          failedAt: LATER,
          retryAt: '2026-03-01T12:30:00.000Z',
          written: null,
        }),
      ],
    },
    ['skip', 'retrying', []],
  ],
  [
    'a copy that was set aside waits for a person',
    { items: [item('db')], copies: [copy('db', { state: 'failed', failedAt: LATER, written: null })] },
    ['skip', 'set-aside', []],
  ],
  [
    'a copy that was set aside is tried again when its source moves',
    {
      items: [item('db', { updated: '2026-02-25T00:00:00.000Z' })],
      copies: [copy('db', { state: 'failed', failedAt: LATER, failedUpdated: LONG_AGO, written: null })],
    },
    ['create', 'new', ['create']],
  ],
  [
    'a copy whose source is gone is kept',
    { items: [item('mail')], remotes: [remote('db')], copies: [written] },
    ['skip', 'kept', []],
  ],
  [
    'a copy whose source is gone is pruned where the route says so',
    {
      items: [item('mail')],
      remotes: [remote('db')],
      copies: [written],
      settings: { deletePolicy: 'prune' },
    },
    ['prune', 'source-gone', ['remove']],
  ],
  [
    'a copy whose source is no longer selected is pruned where the route says so',
    {
      items: [item('db'), item('mail')],
      remotes: [remote('db')],
      copies: [written],
      settings: { deletePolicy: 'prune', selector: { ...settings.selector, names: ['mail*'] } },
    },
    ['prune', 'not-selected', ['remove']],
  ],
  [
    'nothing is pruned after a listing that broke off',
    {
      items: [item('mail')],
      complete: false,
      remotes: [remote('db')],
      copies: [written],
      settings: { deletePolicy: 'prune' },
    },
    ['skip', 'listing-incomplete', []],
  ],
  [
    'nothing is pruned after an empty listing',
    { items: [], remotes: [remote('db')], copies: [written], settings: { deletePolicy: 'prune' } },
    ['skip', 'listing-empty', []],
  ],
  [
    'an object that lost its mark is not pruned',
    {
      items: [item('mail')],
      remotes: [remote('db', { mark: null })],
      copies: [written],
      settings: { deletePolicy: 'prune' },
    },
    ['conflict', 'unmarked', []],
  ],
  [
    'an object that another route took over is not pruned',
    {
      items: [item('mail')],
      remotes: [remote('db', { mark: mark('db', { route: OTHER }) })],
      copies: [written],
      settings: { deletePolicy: 'prune' },
    },
    ['conflict', 'owned-by-another-route', []],
  ],
]

test.each(CASES)('%s', (_, given, [action, reason, steps, drift = null]) => {
  const { entries } = makePlan(scene(given))
  const entry = entries.find((e) => e.secret === idOf('db').secret)
  expect(entry).toMatchObject({ action, reason, steps, drift })
})

test('names that meet in one after folding are a conflict for each of them', () => {
  const given = {
    items: [item('db-A'), item('db-a2')],
    settings: {
      overrides: [
        ['db-A', 'x'],
        ['db-a2', 'X'],
      ] as [string, string][],
    },
  }
  const apart = makePlan(scene(given))
  expect(apart.counts.create).toBe(2)
  const folding = makePlan(scene({ ...given, can: { foldsCase: true } }))
  expect(folding.entries.map((e) => e.reason)).toEqual(['collision', 'collision'])
})

describe('what waits for a person', () => {
  const twenty = Array.from({ length: 20 }, (_, i) => `s${i}`)
  const prune = { deletePolicy: 'prune' } as const
  const without = (gone: number, more: Scene = {}) =>
    makePlan(
      scene({
        items: twenty.slice(gone).map((name) => item(name)),
        remotes: twenty.map((name) => remote(name)),
        copies: twenty.map((name) => copy(name)),
        settings: { ...prune, ...more.settings },
        ...(more.accepted === undefined ? {} : { accepted: more.accepted }),
      }),
    )

  test('the first run that writes', () => {
    expect(makePlan(scene({ items: [item('db')], accepted: false })).needs).toBe('first-run')
    expect(makePlan(scene({ items: [item('db')] })).needs).toBeNull()
  })
  test('nothing, where nothing is written', () => {
    const unchanged = { items: [item('db')], remotes: [remote('db')], copies: [written] }
    expect(makePlan(scene({ ...unchanged, accepted: false })).needs).toBeNull()
    expect(makePlan(scene({ ...unchanged, settings: { approval: 'always' } })).needs).toBeNull()
  })
  test('every run that writes, where the route says so', () => {
    expect(makePlan(scene({ items: [item('db')], settings: { approval: 'always' } })).needs).toBe('every-run')
  })
  test('deletions beyond the smaller of 5 and 10 %', () => {
    expect(without(2).needs).toBeNull()
    expect(without(3).needs).toBe('prune-limit')
    expect(without(3, { settings: { pruneLimit: 3 } }).needs).toBeNull()
    expect([pruneLimit(settings, 9), pruneLimit(settings, 30), pruneLimit(settings, 1000)]).toEqual([0, 3, 5])
  })
})

describe('the hash of a plan', () => {
  const plan = (given: Scene) => makePlan(scene(given)).hash
  const two = { items: [item('db'), item('mail')] }
  test('stays while the same is written to the same names', () => {
    expect(plan(two)).toBe(plan({ items: [item('mail', { updated: LATER }), item('db')] }))
  })
  test.each<[string, Scene]>([
    ['another secret', { items: [item('db'), item('mail'), item('web')] }],
    ['another name', { ...two, settings: { template: 'test/{name}' } }],
    ['another action', { ...two, remotes: [remote('db')], versions: [['db', 'v0']] }],
    ['another setting', { ...two, settings: { onDrift: 'reassert' } }],
  ])('changes with %s', (_, given) => {
    expect(plan(given)).not.toBe(plan(two))
  })
})

describe('suspects(), the items that one more question has to be asked about', () => {
  const given = { items: [item('db')], remotes: [remote('db')], copies: [written] }
  const asked = (more: Scene) => suspects(scene({ ...given, ...more })).map((s) => s.name)
  test('none while nothing changed', () => expect(asked({})).toEqual([]))
  test('a source that moved', () => expect(asked({ items: [moved] })).toEqual(['db']))
  test('a copy that somebody wrote to', () =>
    expect(asked({ remotes: [remote('db', { stamp: 'else' })] })).toEqual(['db']))
  test('an object with our mark that the ledger does not tell of', () =>
    expect(asked({ copies: [] })).toEqual(['db']))
  test('a copy made so soon after its source moved that a second move may hide in the same second', () => {
    const soon = copy('db', {}, { at: '2026-02-01T08:00:10.000Z' })
    expect(asked({ copies: [soon] })).toEqual(['db'])
    expect(asked({ copies: [{ ...soon, confirmed: LONG_AGO }] })).toEqual([])
  })
})

test('unseen() names the objects whose owner no listing tells', () => {
  const given = {
    items: [item('db'), item('mail')],
    remotes: [remote('db', { mark: 'unseen' }), remote('mail', { mark: 'unseen' })],
  }
  expect(unseen(scene({ ...given, copies: [written] }))).toEqual(['prod/mail'])
})

describe('whatever is there', () => {
  /** A small deterministic source of chance, so that a failure can be seen again. */
  const chance = (seed: number) => {
    let state = seed
    return (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
  }
  const pick = <T>(next: (below: number) => number, from: readonly T[]): T => {
    const found = from[next(from.length)]
    if (found === undefined) throw new Error('nothing to pick from')
    return found
  }
  const scenes = Array.from({ length: 120 }, (_, seed) => {
    const next = chance(seed + 1)
    const names = Array.from(
      { length: 1 + next(12) },
      (__, i) => `${pick(next, ['db', 'Db', 'mail', 'web'])}${i % 7}`,
    )
    const unique = [...new Set(names)]
    const given: Scene = {
      items: unique
        .filter(() => next(4) > 0)
        .map((name) =>
          item(name, {
            enabled: next(6) > 0,
            managed: next(8) === 0,
            updated: pick(next, [LATER, '2026-02-01T08:00:00.000Z', null]),
          }),
        ),
      complete: next(3) > 0,
      remotes: unique
        .filter(() => next(3) > 0)
        .map((name) =>
          remote(name, {
            state: pick(next, ['live', 'live', 'disabled', 'pending-deletion']),
            mark: pick(next, [mark(name), mark(name), mark(name, { route: OTHER }), mark('else'), null]),
            stamp: pick(next, ['stamp-1', 'stamp-1', 'else', null]),
          }),
        ),
      copies: unique
        .filter(() => next(2) > 0)
        .map((name) => copy(name, { state: pick(next, ['in-sync', 'drifted', 'failed', 'disabled']) })),
      versions: unique.filter(() => next(2) > 0).map((name) => [name, pick(next, ['v1', 'v2'])] as const),
      settings: {
        deletePolicy: pick(next, ['keep', 'prune']),
        onDrift: pick(next, ['alert', 'reassert']),
        onDisabled: pick(next, ['skip', 'disable']),
      },
      can: { foldsCase: next(2) === 0 },
    }
    return [seed, scene(given)] as const
  })

  test.each(scenes)(
    'no write touches what another owns, and nothing is deleted blindly (scene %i)',
    (_, input) => {
      const { entries, counts } = makePlan(input)
      const fold = (name: string) => (input.can.foldsCase ? name.toLowerCase() : name)
      const remotes = new Map(input.remotes.map((r) => [fold(r.name), r]))
      const targets = new Set<string>()
      const wrong = entries.flatMap((entry) => {
        const there = remotes.get(fold(entry.targetName))
        const { mark: owner } = there ?? { mark: null }
        const writing = entry.steps.length > 0
        const second = writing && targets.has(fold(entry.targetName))
        if (writing) targets.add(fold(entry.targetName))
        const known = input.sources.items.some((i) => idOf(i.name).secret === entry.secret)
        const pruning = entry.action === 'prune'
        const its = owner !== null && owner !== 'unseen' && owner.secret === entry.secret
        const rules: [string, boolean][] = [
          ['only a write has steps', ['create', 'update', 'prune'].includes(entry.action) === writing],
          ['one name has one writer', !second],
          // Nobody adopted anything here.
          [
            'what is not ours is left alone',
            !writing || !there || (owner !== 'unseen' && owner?.route === ROUTE),
          ],
          ['what is there is not made', entry.action !== 'create' || !there],
          ['only a route that prunes prunes', !pruning || input.settings.deletePolicy === 'prune'],
          ['a broken listing prunes nothing', !pruning || input.sources.complete || known],
          ['only what is this very copy is pruned', !pruning || its],
        ]
        return rules.flatMap(([rule, holds]) => (holds ? [] : [`${rule}: ${JSON.stringify(entry)}`]))
      })
      expect(wrong).toEqual([])
      expect(entries).toHaveLength(Object.values(counts).reduce((a, b) => a + b, 0))
      // The same again is the same plan.
      expect(makePlan(input)).toEqual({
        entries,
        counts,
        needs: makePlan(input).needs,
        hash: makePlan(input).hash,
      })
    },
  )
})
