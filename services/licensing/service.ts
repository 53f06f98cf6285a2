import { type Feature, INSTALL, type LimitName } from '@attestry/contracts'
import { type Host, problem, type Service, Transient } from '@attestry/kit'
import {
  begin,
  type Entitlement,
  EVALUATION,
  evolve,
  featuresOf,
  LICENSE,
  limitOf,
  statusOf,
} from './entitlement.ts'

/** Answers about the licence. Any process may ask: the answers come from the install's chain. */
export interface License {
  entitled(feature: Feature): Promise<boolean>
  /** How much of something may be there before more of it is refused; null is no limit. */
  limit(of: LimitName): Promise<number | null>
  status(): Promise<ReturnType<typeof statusOf>>
}

/** How old an answer may be. */
const KNOWN_FOR_MS = 5_000

/** Reads the licence from the chain, for the guard of whatever service the host is of. */
export function licenseOf(host: Pick<Host, 'stream' | 'clock' | 'origin'>): License {
  let known: Entitlement | null = null
  let position = 0
  let readAt: Temporal.Instant | null = null
  const read = async (): Promise<Entitlement> => {
    const now = host.clock.now()
    if (readAt === null || Math.abs(readAt.until(now).total('milliseconds')) >= KNOWN_FOR_MS) {
      for (const event of await host.stream(INSTALL, LICENSE, position)) {
        known = evolve(known, event)
        position = Math.max(position, event.position)
      }
      readAt = now
    }
    // Nothing recorded yet: the install starts as an evaluation, and the licensing service is about to say so.
    return known ?? EVALUATION
  }
  return {
    entitled: async (feature) => featuresOf(await read(), host.origin, host.clock.now()).includes(feature),
    limit: async (of) => limitOf(await read(), of, host.origin),
    status: async () => statusOf(await read(), host.origin, host.clock.now()),
  }
}

/** Records at the first start that the install runs as an evaluation. Has no tables and no endpoints of its own. */
export function licensingService(host: Host): Service {
  const start = async () => {
    for (let left = 3; left > 0; left--) {
      const events = await host.stream(INSTALL, LICENSE)
      const facts = begin(events.reduce(evolve, null as Entitlement | null))
      if (facts.length === 0) return
      const appended = await host.append(INSTALL, {
        stream: LICENSE,
        expected: events.at(-1)?.position ?? 0,
        facts,
        by: { kind: 'install', id: 'licensing' },
        cause: { correlation: 'start', causation: 'start' },
      })
      if (appended.ok) return
    }
    throw new Transient('Another process keeps writing the licence.')
  }
  return {
    name: 'licensing',
    schema: new URL('./schema/', import.meta.url),
    fetch: (request) =>
      problem(
        'not-found',
        'no-such-path',
        `Nothing answers ${request.method} ${new URL(request.url).pathname}.`,
      ),
    commands: [],
    reactions: [],
    views: [],
    schedules: [],
    start,
  }
}
