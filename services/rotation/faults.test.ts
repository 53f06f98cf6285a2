import { Transient } from '@attestry/kit'
import type { Trouble } from '@attestry/twin'
import { describe, expect, test, vi } from 'vitest'
import {
  each,
  live,
  measure,
  outcome,
  planned,
  type Run,
  SHORT_TIMEOUT_MS,
  survives,
} from './survival.fixture.ts'
import { type JobName, JOBS, workshop } from './workshop.fixture.ts'

/*
 * What else befalls a rotation: reads that are refused, throttled, lost or hang; what somebody does by hand meanwhile; a
 * directory that is slow to replicate; clocks that jump.
 */

vi.setConfig({ testTimeout: 120_000 })

const READS: Readonly<{ [name: string]: Trouble }> = {
  'throttled with a time to come back': { kind: 'throttled', retryAfterSeconds: 1 },
  'throttled without one': { kind: 'throttled' },
  'answered by a failure': { kind: 'error', status: 503 },
  'cut off': { kind: 'reset' },
  'left hanging': { kind: 'hang' },
}

describe('reads', () => {
  test.each(Object.entries(READS))(
    'one in nine is %s: every kind of rotation is complete, as if nothing had been',
    async (_, trouble) => {
      await each(JOBS.length, async (n) => {
        const name = JOBS[n] ?? 'key'
        const { reads } = await measure(name)
        expect(reads).toBeGreaterThan(5)
        await survives(
          name,
          ({ shop }) => {
            for (let nth = n % 9; nth < reads; nth += 9)
              shop.cloud.faults.add({ reading: true, skip: nth, times: 1, trouble })
            return () => undefined
          },
          trouble.kind === 'hang' ? SHORT_TIMEOUT_MS : undefined,
        )
      })
    },
  )

  test.each(JOBS)(
    '%s: whichever is forbidden for a moment, nobody is locked out and nothing is lost',
    async (name) => {
      const { reads } = await measure(name)
      const step = name === 'app-secret' ? 5 : 8
      await each(Math.ceil(reads / step), async (n) => {
        await using shop = await workshop()
        const run = await planned(shop, name)
        const consumers = run.job.consumers(shop.cloud)
        shop.cloud.faults.add({ reading: true, skip: n * step, times: 1, trouble: { kind: 'forbidden' } })
        await live(run)
        expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
        kept(run)
      })
    },
  )
})

/** It ended well, or it was taken back and left no orphan, or a person is asked while the old credential still works. */
function kept(run: Run): void {
  const { state } = run.process
  const { credentials = [] } = outcome(run)
  const orphans = credentials.filter(([marked]) => marked)
  const old = state?.plan.retires[0]
  const oldWorks =
    run.job.kind !== 'app-secret' ||
    run.shop.cloud.estate.applications.some(({ passwords }) => passwords.some(({ keyId }) => keyId === old))
  const ends: { readonly [stage: string]: boolean } = {
    complete: true,
    blocked: orphans.length === 0,
    'rolled-back': orphans.length === 0,
  }
  const well = ends[state?.stage ?? ''] ?? (state?.needsOperator !== null && oldWorks)
  expect({ stage: state?.stage, needs: state?.needsOperator, well }).toMatchObject({ well: true })
}

describe('what somebody does by hand meanwhile', () => {
  /** Right after the new one was made. */
  const meanwhile = async (name: JobName, operation: string, happen: (run: Run) => void): Promise<Run> => {
    const shop = await workshop()
    const run = await planned(shop, name)
    shop.cloud.faults.add({
      operation,
      mutating: true,
      times: 1,
      trouble: { kind: 'meanwhile', after: true, happen: () => happen(run) },
    })
    await live(run)
    return run
  }

  test('a key that is made anew by hand is not made anew a second time', async () => {
    const key = 'canary-99999999999999999999999999999999'
    const run = await meanwhile('storage-key', 'arm.storage-accounts.regenerate-key', ({ shop, process }) => {
      const old = shop.cloud.estate.storageAccounts[0]?.keys.find(
        ({ name }) => name === process.state?.plan.retires[0],
      )
      if (old) Object.assign(old, { value: key })
    })
    await using shop = run.shop
    expect(run.process.state?.stage).toBe('complete')
    expect(shop.cloud.estate.storageAccounts[0]?.keys.map(({ value }) => value)).toContain(key)
  })

  test('a newer version of a key or a certificate, made by hand, outlives the rotation', async () => {
    for (const [name, collection, does] of [
      ['key', 'keys', 'rotate'],
      ['certificate-self', 'certificates', 'create'],
    ] as const) {
      const version = 'f'.repeat(32)
      const run = await meanwhile(name, `keyvault.${collection}.${does}`, ({ shop, job }) => {
        const { versions } = shop.cloud.estate.vaults.find((one) => one.name === 'kv-workshop')?.[collection][
          job.subject.part ?? ''
        ] ?? { versions: [] }
        const newest = versions.at(-1)
        // One of the two collections; their versions differ in what is not touched here.
        if (newest) (versions as object[]).push({ ...newest, version, tags: null })
      })
      await using shop = run.shop
      const item = shop.cloud.estate.vaults.find((one) => one.name === 'kv-workshop')?.[collection][
        run.job.subject.part ?? ''
      ]
      const byHand = item?.versions.find((one) => one.version === version)
      expect({ name, on: byHand?.enabled }).toEqual({ name, on: true })
    }
  })

  test('a secret of a principal that is removed by hand is gone already, and the rotation goes on', async () => {
    const run = await meanwhile('sp-secret', 'graph.service-principals.add-password', ({ shop, process }) => {
      const holder = shop.cloud.estate.servicePrincipals.find(({ name }) => name === 'workshop-reporting')
      const at = holder?.passwords.findIndex(({ keyId }) => keyId === process.state?.plan.retires[0]) ?? -1
      if (at >= 0) holder?.passwords.splice(at, 1)
    })
    await using shop = run.shop
    expect(run.process.state?.stage).toBe('complete')
    const holder = shop.cloud.estate.servicePrincipals.find(({ name }) => name === 'workshop-reporting')
    expect(holder?.passwords).toHaveLength(1)
  })
})

test.each(JOBS.filter((name) => name !== 'app-secret' && name !== 'servicebus-key'))(
  '%s: a machine’s clock that jumps two hours at every change, ahead or back, does no harm',
  async (name) => {
    for (const ms of [-7_200_000, 7_200_000])
      expect(
        await survives(name, ({ shop, record }) => {
          shop.cloud.faults.add({
            mutating: true,
            trouble: {
              kind: 'meanwhile',
              happen: () => {
                record.skewMs = (record.skewMs ?? 0) + ms
              },
            },
          })
          return () => undefined
        }),
      ).toBe('complete')
  },
)

test('servicebus-key: with a clock that is hours off nobody gets in, so the new key is taken back', async () => {
  await using shop = await workshop()
  const run = await planned(shop, 'servicebus-key')
  const consumers = run.job.consumers(shop.cloud)
  // A signature there names its own end, by the clock of who signs.
  run.record.skewMs = -7_200_000
  await live(run)
  expect(run.process.state?.stage).toBe('rolled-back')
  expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
})

describe('an application’s secret', () => {
  const password = (name: string) => ({
    keyId: '99999999-9999-4999-a999-999999999999',
    name,
    secret: 'canary-99999999999999999999999999999999',
    startsAt: 0,
    endsAt: 4_000_000_000,
    usableFrom: 0,
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'a credential that somebody adds by hand at change %i outlives the rotation',
    async (nth) => {
      await using shop = await workshop()
      const run = await planned(shop, 'app-secret')
      const consumers = run.job.consumers(shop.cloud)
      const holder = shop.cloud.estate.applications.find(({ id }) => id === run.job.subject.at)
      shop.cloud.faults.add({
        mutating: true,
        skip: nth,
        times: 1,
        trouble: { kind: 'meanwhile', happen: () => void holder?.passwords.push(password('by hand')) },
      })
      await live(run)
      expect(holder?.passwords.map(({ name }) => name)).toContain('by hand')
      expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
    },
  )

  test('a vault that somebody writes by hand meanwhile keeps what they wrote, and the old credential stays', async () => {
    await using shop = await workshop()
    const run = await planned(shop, 'app-secret')
    const holder = shop.cloud.estate.applications.find(({ id }) => id === run.job.subject.at)
    const old = holder?.passwords[0]?.keyId
    const main = shop.cloud.estate.vaults.find(({ name }) => name === 'kv-workshop')?.secrets['shop-client']
    const value = main?.versions[0]
    // After the second vault was written and before anything is retired.
    shop.cloud.faults.add({
      operation: 'arm.sites.refresh-references',
      times: 1,
      trouble: {
        kind: 'meanwhile',
        happen: () => {
          if (value) main?.versions.push({ ...value, version: 'f'.repeat(32), tags: null })
        },
      },
    })
    await live(run)
    expect(main?.versions.at(-1)?.version).toBe('f'.repeat(32))
    expect(main?.versions.at(-1)?.enabled).toBe(true)
    expect(holder?.passwords.map(({ keyId }) => keyId)).toContain(old)
  })

  test.each([-7_200_000, -60_000, 7_200_000])(
    'a machine’s clock that jumps by %i ms at every change does no harm',
    async (ms) => {
      const stage = await survives('app-secret', ({ shop, record }) => {
        shop.cloud.faults.add({
          mutating: true,
          trouble: {
            kind: 'meanwhile',
            happen: () => {
              record.skewMs = (record.skewMs ?? 0) + ms
            },
          },
        })
        return () => undefined
      })
      expect(stage).toBe('complete')
    },
  )

  test('replication that takes three minutes, and a process that dies while it lasts, leave no orphan', async () => {
    const stage = await survives('app-secret', ({ shop, process }) => {
      shop.cloud.settings.credentialReplicationMs = 180_000
      shop.cloud.faults.add({
        operation: 'entra.token',
        skip: 6,
        times: 1,
        trouble: { kind: 'meanwhile', happen: () => process.kill() },
      })
      return () => undefined
    })
    expect(stage).toBe('complete')
  })

  test('a secret that never comes to work is taken back, and the vaults never served it', async () => {
    await using shop = await workshop()
    shop.cloud.settings.credentialReplicationMs = 3_600_000
    const run = await planned(shop, 'app-secret')
    const consumers = run.job.consumers(shop.cloud)
    expect(await live(run)).toBe('over')
    expect(outcome(run)).toMatchObject({
      stage: 'rolled-back',
      credentials: [[false, false]],
      serves: [
        { ours: false, enabled: 1 },
        { ours: false, enabled: 1 },
      ],
    })
    expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
  })

  test('a second vault that refuses makes the first one serve the old value again', async () => {
    await using shop = await workshop()
    const run = await planned(shop, 'app-secret')
    const consumers = run.job.consumers(shop.cloud)
    const spare = shop.cloud.estate.vaults.find(({ name }) => name === 'kv-workshop-spare')
    shop.cloud.faults.add({
      operation: 'graph.applications.add-password',
      times: 1,
      trouble: {
        kind: 'meanwhile',
        after: true,
        happen: () => {
          if (spare)
            spare.network = { bypass: 'None', defaultAction: 'Deny', ipRules: [], virtualNetworks: [] }
          // Its firewall opens again later: what is to be taken back there can be looked at.
        },
      },
    })
    const ended = await run.process.run(12).catch((error: unknown) => {
      if (error instanceof Transient) return 'again'
      throw error
    })
    expect(ended).not.toBe('over')
    if (spare) spare.network = null
    await live(run)
    expect(run.process.state?.stage === 'rolled-back' || run.process.state?.needsOperator !== null).toBe(true)
    expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
    const holder = shop.cloud.estate.applications.find(({ id }) => id === run.job.subject.at)
    expect(holder?.passwords.some(({ name }) => name === 'shop-2026')).toBe(true)
  })
})
