import type { EventOf, Fact } from '@attestry/contracts'
import type { Command, Host, Job, Service } from '@attestry/kit'
import { guardOf, movableClock, testHost, type TestHost } from '@attestry/kit/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { ENVIRONMENT, NOW, scanEnded, scanned, secret } from './for-tests.ts'
import { type Evaluate, judging } from './judge.ts'
import { rulesetOf } from './ruleset.ts'
import { complianceService } from './service.ts'

/** The service with its folds, and without reactions: a test says when to evaluate. */
const quiet = (host: Host): Service => ({
  ...complianceService(host, guardOf(['viewer'])),
  reactions: [],
  schedules: [],
})
const discovery: Service = {
  name: 'discovery',
  schema: new URL('../kit/schema-for-tests/', import.meta.url),
  fetch: () => new Response(null, { status: 404 }),
  commands: [],
  reactions: [],
  views: [],
  schedules: [],
}

let open: TestHost | null = null
afterEach(async () => {
  await open?.[Symbol.asyncDispose]()
  open = null
})

async function hosting() {
  open = await testHost({
    services: [
      { name: 'discovery', make: () => discovery },
      { name: 'compliance', make: quiet },
    ],
    clock: movableClock(new Date(NOW).toISOString()),
    sweepMs: 30,
  })
  const t = open
  const host = t.host('compliance')
  const evaluate = (process: Command, id: string, body: Evaluate) => {
    const job: Job<Evaluate> = {
      tenant: 'acme',
      id,
      body,
      by: { kind: 'service', id: 'compliance' },
      cause: { correlation: id, causation: id },
      attempt: 1,
      signal: AbortSignal.timeout(20_000),
      progress: () => Promise.resolve(),
    }
    return process.work(job as Job<never>) // the host would have parsed the body by the command's schema
  }
  return {
    host,
    /** Another process: it has nothing in memory. */
    process: (weights = {}) => judging(host, rulesetOf(undefined, weights)),
    evaluate,
    append: async (...events: EventOf[]) => {
      let seq = 0
      for (const { type, data } of events) {
        const appended = await t.host('discovery').append('acme', {
          stream: 'test-0001',
          expected: 'any',
          facts: [{ type, data, env: ENVIRONMENT } as unknown as Fact], // an event's type and data are a fact's
          by: { kind: 'service', id: 'test' },
          cause: { correlation: 'c', causation: 'c' },
        })
        if (appended.ok) seq = appended.lastSeq
      }
      return seq
    },
    settle: () => t.settle(),
    /** Types of all that was appended, with the findings they tell of. */
    told: async () => {
      const rows = await host.tx('acme', (tx) =>
        tx.rows<{ evaluation: string }>('select evaluation from evaluation order by seq'),
      )
      const events = await Promise.all(rows.map((r) => host.stream('acme', r.evaluation)))
      return events
        .flat()
        .map((e) =>
          e.type === 'compliance.findings-changed'
            ? [
                ...e.data.opened.map((f) => `${f.rule} opened`),
                ...e.data.resolved.map((f) => `${f.rule} ${f.because}`),
              ]
            : e.type,
        )
    },
  }
}

const failing = () => scanned([secret('billing-db-password', { expires: null })])
const FIRST = [
  'compliance.ruleset-adopted',
  'compliance.frameworks-adopted',
  'compliance.evaluation-completed',
  ['P001 opened', 'VM003 opened'],
]

describe('evaluating', () => {
  test('waits for its own fold, so that it never judges less than what asked for it', async () => {
    const { append, process, evaluate, settle, told } = await hosting()
    const seq = await append(failing(), scanEnded())
    await evaluate(process(), 'a', { scan: 'scan-0001', after: [['discovery', seq]] })
    await settle()
    expect(await told()).toEqual(FIRST)
  })

  test('a second try after a crash appends nothing, in this process or in another', async () => {
    const { append, process, evaluate, settle, told } = await hosting()
    const seq = await append(failing(), scanEnded())
    const body: Evaluate = { scan: 'scan-0001', after: [['discovery', seq]] }
    const first = process()
    await evaluate(first, 'a', body)
    await evaluate(first, 'a', body)
    await evaluate(process(), 'a', body)
    await settle()
    expect(await told()).toEqual(FIRST)
  })

  test('another process goes on from the record, without opening a finding twice', async () => {
    const { append, process, evaluate, settle, told } = await hosting()
    const seq = await append(failing(), scanEnded())
    const [first, second] = [process(), process()]
    await evaluate(first, 'a', { scan: 'scan-0001', after: [['discovery', seq]] })
    const fixed = await append(scanned([secret('billing-db-password')]))
    await evaluate(second, 'b', { scan: 'scan-0002', after: [['discovery', fixed]] })
    await evaluate(first, 'c', { scan: 'scan-0003', after: [['discovery', fixed]] })
    await settle()
    expect(await told()).toEqual([
      ...FIRST,
      'compliance.evaluation-completed',
      ['P001 passed'],
      'compliance.evaluation-completed',
    ])
  })

  test('evaluations that are asked for at once, here and elsewhere, open a finding once', async () => {
    const { append, process, evaluate, settle, told } = await hosting()
    const seq = await append(failing(), scanEnded())
    const [first, second] = [process(), process()]
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name, i) =>
        evaluate(i % 2 ? first : second, name, { scan: `scan-000${name}`, after: [['discovery', seq]] }),
      ),
    )
    await settle()
    expect((await told()).filter((t) => typeof t !== 'string')).toEqual([['P001 opened', 'VM003 opened']])
  })

  test('another ruleset is adopted before it is used', async () => {
    const { append, process, evaluate, settle, told } = await hosting()
    const seq = await append(failing(), scanEnded())
    await evaluate(process(), 'a', { scan: 'scan-0001', after: [['discovery', seq]] })
    await evaluate(process({ P001: 1 }), 'b', { scan: null, after: [] })
    await settle()
    expect(await told()).toEqual([...FIRST, 'compliance.ruleset-adopted', 'compliance.evaluation-completed'])
  })

  test('nothing is judged before a first scan ended, unless the scan asks', async () => {
    const { append, process, evaluate, settle, told } = await hosting()
    const seq = await append(failing())
    await evaluate(process(), 'a', { scan: null, after: [['discovery', seq]] })
    await settle()
    expect(await told()).toEqual([])
  })
})
