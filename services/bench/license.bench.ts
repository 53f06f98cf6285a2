import { COUNTERS } from '@attestry/contracts'
import { nextWrite, type Seen } from '../../license-worker/seen.ts'
import type { Row } from './row.ts'

/*
 * What a fleet costs, by the Worker's own rule of what is written. Prices of the Workers Paid plan beyond what it
 * includes, in dollars: https://developers.cloudflare.com/workers/platform/pricing/
 */
const PRICES = {
  millionRequests: 0.3,
  millionReads: 0.5,
  millionWrites: 5,
  /** Of the registry: a request and two rows written a line of the log. */
  millionLogLines: 0.15 + 2 * 1,
}
const INSTALLS = 100_000
const DAYS = 3
const JITTER_SECONDS = 300

/** A stream of numbers from 0 to 1 that is the same in each run. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Hourly heartbeats of a fleet, each up to five minutes early or late, with counts that stay. */
function simulate(changesADay: number) {
  const random = chance(42)
  const counts = Object.fromEntries(COUNTERS.map((name, i) => [name, i]))
  const perSecond = new Uint32Array(DAYS * 86_400 + 7200)
  let [checks, writes, logs] = [0, 0, 0]
  for (let install = 0; install < INSTALLS; install++) {
    let seen: Seen | null = null
    let vaults = 3
    // All were started within the same quarter of an hour: the worst there is.
    for (let at = random() * 900; at < DAYS * 86_400; at += 3600 + (random() * 2 - 1) * JITTER_SECONDS) {
      checks += 1
      const second = Math.floor(at)
      perSecond[second] = (perSecond[second] ?? 0) + 1
      if (random() < changesADay / 24) vaults += 1
      const next = nextWrite(seen, { at: second, version: '1.0.0', counts: { ...counts, vaults } })
      if (!next) continue
      // The first write of an install is not what it costs to keep it.
      if (seen !== null) writes += 1
      if (seen !== null && next.log) logs += 1
      seen = next.seen
    }
  }
  const peak = perSecond.reduce((most, n) => Math.max(most, n), 0)
  const late = perSecond.subarray(2 * 86_400).reduce((most, n) => Math.max(most, n), 0)
  return { checks, writes, logs, peak, late }
}

const dollars = (s: { checks: number; writes: number; logs: number }): number => {
  const aMonth = (n: number) => ((n / DAYS) * 30) / 1_000_000
  // Each check reads the licence, and afterwards what was last seen of the install.
  return (
    aMonth(s.checks) * (PRICES.millionRequests + 2 * PRICES.millionReads) +
    aMonth(s.writes) * PRICES.millionWrites +
    aMonth(s.logs) * PRICES.millionLogLines
  )
}

/** The fleet of 100,000 installs, simulated for three days. */
export async function run(): Promise<Row[]> {
  const steady = simulate(0)
  const busy = simulate(4)
  const perDay = (s: typeof steady) => (s.writes + s.logs) / INSTALLS / DAYS
  const average = INSTALLS / 3600
  const naive = (INSTALLS * 24 * 30 * PRICES.millionWrites) / 1_000_000
  return [
    {
      what: 'writes an install and day, counts steady: KV and validation log',
      measured: `${perDay(steady).toFixed(2)} of 24 checks`,
      goal: '≤ 4',
      met: perDay(steady) <= 4,
    },
    {
      what: 'the same, counts changing four times a day',
      measured: perDay(busy).toFixed(2),
      goal: '',
      met: null,
    },
    {
      what: '100,000 installs started within a quarter of an hour: most checks in a second',
      measured: `${steady.peak}/s at first, ${steady.late}/s on the third day; evenly spread ${average.toFixed(0)}/s`,
      goal: '',
      met: null,
    },
    {
      what: 'KV operations of 100,000 installs a month, counts steady',
      measured: `${((steady.checks * 2 * (30 / DAYS)) / 1e6).toFixed(0)} M reads, ${((steady.writes * (30 / DAYS)) / 1e6).toFixed(1)} M writes`,
      goal: '',
      met: null,
    },
    {
      what: 'dollars of 100,000 installs a month, beyond what the plan includes',
      measured: `${dollars(steady).toFixed(0)} $ (a write each check alone would be ${naive.toFixed(0)} $)`,
      goal: '',
      met: null,
    },
  ]
}
