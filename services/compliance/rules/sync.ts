import type { Copy } from '../subject.ts'
import { type Moment, rules } from './rule.ts'
import { DAY_MS } from './window.ts'
import { instant } from './wording.ts'

/*
 * The last 24 hours include the instant exactly 24 hours ago. A copy is one secret on its way along a route;
 * SYN002 asks how its latest attempt went, SYN004 whether any attempt failed.
 */

const isRecent = (at: number | null, { now }: Moment): boolean => at !== null && now - at <= DAY_MS

const wasTried = (c: Copy, moment: Moment) => isRecent(c.copiedAt, moment) || isRecent(c.failedAt, moment)

const turns = (c: Copy) => [c.copiedAt, c.failedAt].map((at) => (at === null ? null : at + DAY_MS))

const failure = (c: Copy) =>
  `It failed on ${c.failedAt === null ? 'an unknown day' : instant(c.failedAt)}: ${c.failure ?? 'no reason given'}.`

export const sync = rules('sync', [
  {
    id: 'SYN001',
    severity: 'high',
    name: 'Sync Coverage Active',
    says: 'At least 80 % of sync routes that are not closed are active.',
    remedy: 'Resume the route, or close it if it is no longer wanted.',
    over: 'route',
    share: 0.8,
    holds: (r) => r.active,
    reason: () => 'The route is paused.',
  },
  {
    id: 'SYN002',
    severity: 'high',
    name: 'Sync Success Rate',
    says: 'Of the copies tried in the last 24 hours, the latest attempt of at least 90 % succeeded.',
    remedy: 'Look at why the copy failed, correct it at the target, and try again.',
    over: 'copy',
    share: 0.9,
    holds: (c, moment) => (wasTried(c, moment) ? (c.copiedAt ?? 0) >= (c.failedAt ?? 0) : 'not-applicable'),
    reason: failure,
    turns,
  },
  {
    id: 'SYN003',
    severity: 'critical',
    name: 'Sync Worker Running',
    says: 'While a sync route is active, a sync worker runs.',
    remedy: 'Start the sync worker and see why it ended.',
    over: 'route',
    holds: (r, { now }) =>
      r.active ? r.workerRuns && (r.workerUntil === null || r.workerUntil > now) : 'not-applicable',
    reason: () => 'The route is active and no sync worker runs.',
    // Of a service of which no process is left nobody says that it is lost: its last word lapses.
    turns: (r) => [r.workerUntil],
  },
  {
    id: 'SYN004',
    severity: 'medium',
    name: 'No Failed Syncs (24h)',
    says: 'No attempt to copy failed in the last 24 hours, even if a later one succeeded.',
    remedy: 'Look at why the copy failed; the finding closes a day after the last failure.',
    over: 'copy',
    holds: (c, moment) => (wasTried(c, moment) ? !isRecent(c.failedAt, moment) : 'not-applicable'),
    reason: failure,
    turns,
  },
])
