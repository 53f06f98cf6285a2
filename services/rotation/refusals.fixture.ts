import { type Fact, fact } from '@attestry/contracts'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Shop, terms } from './service.fixture.ts'

/** Tests of what is refused over HTTP when a policy is saved, in a shop that somebody else starts and ends. */
export function refusesWhatNeverRuns(shop: () => Shop): void {
  describe('a policy that could never run is refused when it is saved, with the field', () => {
    const { uri, resourceId } = {
      uri: 'https://kv-elsewhere.vault.azure.net/',
      resourceId: '/subscriptions/1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-elsewhere',
    }
    const elsewhere = (name: string) => ({
      name,
      uri,
      resourceId,
      subscription: '1',
      location: 'westeurope',
      sku: 'standard' as const,
      softDelete: true,
      purgeProtection: true,
      retentionDays: 90,
      rbac: true,
      publicNetworkAccess: 'enabled' as const,
      defaultAction: 'allow' as const,
      openToAll: false,
      privateEndpoints: 0,
      tags: [],
    })
    const [gone, other] = ['vault-gone00000000', 'vault-other0000000']
    let credential: string
    let vault: string

    beforeAll(async () => {
      credential = await shop().credential('workshop-foreign')
      vault = await shop().vault('kv-workshop')
      const host = shop().test.host('discovery')
      const seen = (stream: string, environment: string, one: Fact) =>
        host.append('acme', {
          stream,
          expected: 0,
          facts: [{ ...one, env: environment }],
          by: { kind: 'service', id: 'discovery' },
          cause: { correlation: 'scan', causation: 'scan' },
        })
      await seen(
        'scan-gone',
        'environment-0001',
        fact('discovery.vault-unreachable', { vault: gone, facts: elsewhere('kv-gone'), why: 'gone' }),
      )
      await seen(
        'scan-other',
        'environment-other',
        fact('discovery.vault-scanned', {
          vault: other,
          facts: elsewhere('kv-other'),
          found: [],
          changed: [],
          lost: [],
        }),
      )
      await shop().until('both vaults are known', async () => {
        const known = await shop()
          .test.host('rotation')
          .tx('acme', (tx) =>
            tx.rows('select vault from vaults where tenant = $1 and vault = any($2)', [
              'acme',
              [gone, other],
            ]),
          )
        return known.length === 2
      })
      await shop().ok('POST', '/api/rotation/freezes', {
        from: '2026-01-01T00:00:00.000Z',
        until: '2036-01-01T00:00:00.000Z',
        name: 'the long freeze',
        policies: ['policy-frozen0000'],
      })
    })

    const target = (more: object = {}) => ({ vault, secret: 'foreign-client', content: 'value', ...more })
    const window = (cron: string, zone = 'UTC', minutes = 60) => ({ window: { cron, zone, minutes } })
    const saved = (targets: object[], settings: object = {}, more: object = {}) =>
      terms(targets, { credential, ...more }, settings)

    test.each<[string, string, string, () => object]>([
      [
        'a credential that nobody knows',
        'unknown-credential',
        'credential',
        () => saved([target()], {}, { credential: 'app-secret-00000000' }),
      ],
      [
        'a subject that Azure does not show',
        'unknown-credential',
        'subject.at',
        () =>
          saved(
            [target()],
            {},
            {
              credential: undefined,
              subject: {
                kind: 'sp-secret',
                at: credential,
                part: '00000000-0000-4000-8000-000000000000',
                name: 'x',
              },
            },
          ),
      ],
      [
        'no credential at all',
        'bad-body',
        'credential',
        () => saved([target()], {}, { credential: undefined }),
      ],
      [
        'a vault that nobody knows',
        'vault-unknown',
        'settings.targets.0.vault',
        () => saved([target({ vault: 'vault-00000000' })]),
      ],
      [
        'a vault that is gone',
        'vault-gone',
        'settings.targets.0.vault',
        () => saved([target({ vault: gone })]),
      ],
      [
        'a vault of another tenant',
        'target-elsewhere',
        'settings.targets.1.vault',
        () => saved([target(), target({ vault: other })]),
      ],
      [
        'a name that vaults refuse',
        'bad-secret-name',
        'settings.targets.0.secret',
        () => saved([target({ secret: 'with space' })]),
      ],
      [
        'a name that is too long once it is staged',
        'bad-secret-name',
        'settings.targets.0.secret',
        () => saved([target({ secret: 'x'.repeat(125) })], { prestageDays: 2 }),
      ],
      [
        'a connection string of something that has none',
        'bad-secret-name',
        'settings.targets.0.content',
        () => saved([target({ content: 'connection-string' })]),
      ],
      [
        'the same secret twice, in another case',
        'target-twice',
        'settings.targets.1',
        () => saved([target(), target({ secret: 'FOREIGN-client' })]),
      ],
      [
        'a cron that is none',
        'bad-window',
        'settings.window.cron',
        () => saved([target()], window('whenever it suits')),
      ],
      [
        'a time zone that is none',
        'bad-window',
        'settings.window.zone',
        () => saved([target()], window('0 2 * * *', 'Europe/Atlantis')),
      ],
      [
        'a window on the 30th of February',
        'window-never-opens',
        'settings.window.cron',
        () => saved([target()], window('0 2 30 2 *')),
      ],
      [
        'a window shorter than an hour',
        'bad-body',
        'settings.window.minutes',
        () => saved([target()], window('0 2 * * *', 'UTC', 30)),
      ],
      [
        'a cadence shorter than the days before the end',
        'window-never-opens',
        'settings.daysBeforeExpiry',
        () => saved([target()], { daysBeforeExpiry: 30 }, { cadenceDays: 30 }),
      ],
      [
        'a life above the cap of the kind',
        'lifetime-above-cap',
        'cadenceDays',
        () => saved([target()], {}, { cadenceDays: 730 }),
      ],
      [
        'an owner whom nobody can reach',
        'nobody-to-notify',
        'settings.owner',
        () => saved([target()], { owner: { name: 'Ops', mail: null, webhook: null } }),
      ],
    ])('%s: %s, at %s', async (_, code, field, body) => {
      const answer = await shop().call('POST', '/api/rotation/policies', body())
      expect(answer.body).toMatchObject({ code, errors: [{ field: `body.${field}` }] })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
    })

    test('a life above the directory’s own cap, and a name that a deleted secret holds, are found by looking', async () => {
      const { estate } = shop().twin
      estate.appManagementPolicy = {
        enabled: true,
        passwordAddition: true,
        maxPasswordDays: 90,
        maxKeyDays: null,
      }
      const capped = await shop().call('POST', '/api/rotation/policies', saved([target()]))
      estate.appManagementPolicy = { ...estate.appManagementPolicy, enabled: false }
      expect(capped.body).toMatchObject({
        code: 'lifetime-above-cap',
        errors: [{ field: 'body.cadenceDays', message: expect.stringContaining('90 days') }],
      })
      const main = estate.vaults.find(({ name }) => name === 'kv-workshop')
      const some = main?.secrets['shop-client']
      if (!main || !some) throw new Error('this is not the workshop')
      const at = Math.floor(shop().twin.clock.now() / 1000)
      main.secrets['held-name'] = {
        ...some,
        name: 'held-name',
        deleted: { at, purgeAt: at + 90 * 86_400 },
      }
      const held = await shop().call(
        'POST',
        '/api/rotation/policies',
        saved([target({ secret: 'held-name' })]),
      )
      delete main.secrets['held-name']
      expect(held.body).toMatchObject({ code: 'vault-gone', errors: [{ field: 'body.settings.targets' }] })
      // Nothing of all that was saved.
      expect((await shop().policies()).filter((p) => p.credential === credential && p.enabled)).toEqual([])
    })
  })
}
