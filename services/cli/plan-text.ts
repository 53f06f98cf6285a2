import type { RotationDetail } from '@attestry/contracts/http'

/* A rotation as lines of text. No value stands in them: the plan holds none. Pure. */

const SIGNS = { add: '+', change: '~', remove: '-', keep: '=' } as const

const change = ({ before, after }: RotationDetail['diff'][number]): string => {
  const what = [before, after].filter((text) => text !== null).join(' -> ')
  return what === '' ? '' : ` (${what})`
}

/** What a plan would change where, who depends on it, what could fail and how to undo it. */
export function planLines(d: RotationDetail): string[] {
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)]
  return [
    `Rotation of ${d.name} (${d.kind})${d.mode === 'compromise' ? ', after a compromise' : ''}`,
    ...section(
      'Changes',
      d.diff.map((line) => `${SIGNS[line.change]} ${line.where}: ${line.what}${change(line)}`),
    ),
    ...section(
      'Used by',
      d.dependents.map(
        ({ plan: p }) =>
          `${p.name}${p.setting ? ` (${p.setting})` : ''}, ${p.confidence} % sure${p.kind === 'manual' ? ', switched by a person' : ''}${p.canary ? ', first' : ''}`,
      ),
    ),
    ...section('What could fail', d.risks),
    ...section('How to undo it', d.undo),
    '',
    `Grace      ${d.graceHours} h at least`,
    `Approvals  ${d.approvals.needed}`,
    `Valid to   ${d.expiresAt}`,
    `Rotation   ${d.rotation}`,
    `Plan       ${d.planHash}`,
  ]
}

/**
 * How a look at a rotation ends a command: 0 it is complete; 1 it ended otherwise; 3 it waits for a time; 4 it waits for
 * a person. Null: it is under way.
 */
export type Outcome = 0 | 1 | 3 | 4

export function outcomeOf(d: RotationDetail, now: number): Outcome | null {
  if (d.endedAt !== null) return d.stage === 'complete' ? 0 : 1
  if (d.stage === 'planned') return null
  if (d.stage === 'awaiting-approval' || d.paused || d.needsOperator || d.pending?.awaits === 'merge')
    return 4
  const later = d.now.until !== null && Date.parse(d.now.until) > now
  if (later) return 3
  // Only a person ends a wait that no time ends, once the grace has begun.
  const open = d.dependents.some((one) => one.state !== 'confirmed' && one.state !== 'waived')
  return d.stage === 'grace' && open ? 4 : null
}

/** Where it stands, in one line. */
export function standing(d: RotationDetail): string {
  const until = d.now.until === null ? '' : ` Until ${d.now.until}.`
  const why = [d.needsOperator?.reason, d.held].filter(Boolean).join(' ')
  return `${d.stage}: ${d.now.says}${until}${why === '' ? '' : ` ${why}`}`
}

/** Lines of the record that were not told yet. */
export const newLines = (d: RotationDetail, told: number): string[] =>
  d.record.slice(told).map((line) => `${line.at}  ${line.says}${line.proof ? ` ${line.proof}` : ''}`)
