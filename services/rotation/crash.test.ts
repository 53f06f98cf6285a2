import type { Trouble } from '@attestry/twin'
import { describe, expect, test } from 'vitest'
import { each, measure, SHORT_TIMEOUT_MS, survives } from './survival.fixture.ts'
import { JOBS, type Process } from './workshop.fixture.ts'

/*
 * Whatever befalls a rotation, wherever: the process dies, a call fails, its answer is lost, it hangs, before and after
 * the far side did what it was asked for; and the process dies before and after each record. It goes on in a new process
 * that knows nothing but the record, while workloads sign in all the time with whatever they are served.
 */

const TROUBLES: Readonly<{ [name: string]: Trouble | 'dies before' | 'dies after' }> = {
  'the process dies before': 'dies before',
  'the process dies after': 'dies after',
  'fails before': { kind: 'error', status: 503 },
  'fails after': { kind: 'error', status: 503, after: true },
  'is not done and its answer is lost': { kind: 'reset' },
  'is done and its answer is lost': { kind: 'reset', after: true },
  'is not done and hangs': { kind: 'hang' },
  'is done and hangs': { kind: 'hang', after: true },
}

describe.each(JOBS)('%s', (name) => {
  test.each(Object.entries(TROUBLES))('whichever call it is, %s it', async (_, trouble) => {
    const { calls } = await measure(name)
    expect(calls).toBeGreaterThan(0)
    await each(calls, (nth) =>
      survives(
        name,
        (run) => {
          const { faults } = run.shop.cloud
          const at = { mutating: true, skip: nth, times: 1 } as const
          if (typeof trouble === 'object') faults.add({ ...at, trouble })
          else {
            const after = trouble === 'dies after' ? ({ after: true } as const) : {}
            faults.add({ ...at, trouble: { kind: 'meanwhile', happen: () => run.process.kill(), ...after } })
            // Who is dead gets no answer, and what was not sent is not done.
            faults.add({ ...at, trouble: { kind: 'reset', ...after } })
          }
          return () => undefined
        },
        typeof trouble === 'object' && trouble.kind === 'hang' ? SHORT_TIMEOUT_MS : undefined,
      ),
    )
  })

  test.each(['before', 'after'] as const)('the process dies %s each record', async (moment) => {
    const { records } = await measure(name)
    expect(records).toBeGreaterThan(0)
    await each(records, (nth) =>
      survives(name, (run) => {
        let seen = 0
        const watch = (process: Process) => {
          process.around = (when) => {
            if (when !== moment) return
            seen += 1
            if (seen === nth + 1) process.kill()
          }
        }
        watch(run.process)
        return watch
      }),
    )
  })
})
