import { contextOf, type EventOf } from '@attestry/contracts'
import { bind, type Guard, type Host, iso, type Outcome, type Send, type Service } from '@attestry/kit'
import { complianceHttp } from '@attestry/contracts/http'
import { type Evaluate, judging } from './judge.ts'
import { JUDGED_EVENTS } from './record.ts'
import { complianceHandlers } from './routes.ts'
import { rulesetOf } from './ruleset.ts'
import { estateView, findingsView } from './views.ts'

export interface ComplianceOptions {
  /** Weights of built-in rules that an operator set otherwise, 1 to 30, by rule id. @default none */
  readonly weights?: Readonly<Record<string, number>>
}

/** Changes within so many milliseconds are judged together. */
const GATHER_MS = 250
/** Added to it, so that what came in last is folded. */
const SETTLE_MS = 50
const HOUR_MS = 3_600_000

const SESSION = 'evaluations'

const asking = (id: string, body: Evaluate, event: EventOf): Send => ({
  command: 'evaluate',
  id,
  session: SESSION,
  body,
  by: { kind: 'service', id: 'compliance' },
  cause: { correlation: event.cause.correlation, causation: event.id },
})

/** Folds the estate, judges it by the rules, and keeps findings, score and frameworks to look at. */
export function complianceService(host: Host, guard: Guard, options: ComplianceOptions = {}): Service {
  const ruleset = rulesetOf(undefined, options.weights)

  /** A scan's end is judged at once; other changes are gathered for a moment. */
  const react = (event: EventOf): Promise<Outcome> => {
    if (event.type === 'discovery.scan-started') return Promise.resolve({})
    if (event.type === 'discovery.scan-completed' || event.type === 'discovery.scan-failed') {
      const { scan } = event.data
      return Promise.resolve({
        send: [asking(`evaluate-${scan}`, { scan, after: [['discovery', event.seq]] }, event)],
      })
    }
    const gathered = Math.floor(host.clock.now().epochMilliseconds / GATHER_MS) + 1
    const dueAt = Temporal.Instant.fromEpochMilliseconds(gathered * GATHER_MS + SETTLE_MS)
    const after: Evaluate['after'] = [[contextOf(event.type), event.seq]]
    return Promise.resolve({
      send: [{ ...asking(`evaluate-change-${gathered}`, { scan: null, after }, event), dueAt }],
    })
  }

  return {
    name: 'compliance',
    schema: new URL('./schema/', import.meta.url),
    fetch: bind(complianceHttp, complianceHandlers(host, ruleset), guard, host.log),
    commands: [judging(host, ruleset)],
    reactions: [{ name: 'judge', on: JUDGED_EVENTS, react }],
    views: [estateView, findingsView],
    schedules: [
      {
        // Time windows open and close though nothing changes.
        name: 'hourly evaluation',
        everyMs: HOUR_MS,
        due: (now) => {
          const hour = `evaluate-hour-${Math.floor(now.epochMilliseconds / HOUR_MS)}`
          return Promise.resolve([
            {
              command: 'evaluate',
              id: hour,
              session: SESSION,
              body: { scan: null, after: [] },
              by: { kind: 'schedule', id: 'compliance' },
              cause: { correlation: hour, causation: iso(now) },
            },
          ])
        },
      },
    ],
  }
}
