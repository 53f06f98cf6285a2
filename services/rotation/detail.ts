import type { EventOf } from '@attestry/contracts'
import type { RotationDetail } from '@attestry/contracts/http'
import { iso } from '@attestry/kit'
import type * as z from 'zod'
import type { Calendar } from './calendar.ts'
import { next, type Next } from './next.ts'
import { byHandOf, diffOf, risksOf, undoOf } from './plan.ts'
import { recordOf } from './record.ts'
import type { Rotation } from './state.ts'

/** A rotation as the console and the command line show it. Pure. */

const WAITS: Readonly<Record<Extract<Next, { wait: string }>['wait'], string>> = {
  request: 'Planned. Nothing happens until somebody asks for it.',
  approval: 'Waits for approval by another person.',
  window: 'Waits for its window to open.',
  authority: 'The certificate’s authority works on the request.',
  merge: 'Waits for the signed certificate.',
  publication: 'The new value is staged and waits for its day.',
  confirmation: 'Waits for a person to confirm what only people can switch.',
  person: 'Stands still. Old and new credential both work; a person has to decide.',
  grace: 'Old and new credential both work until the grace ends.',
  proof: 'Waits for proof that nobody uses the old credential.',
  settling: 'Waits until nobody can hold the value that is about to go.',
  retry: 'What failed is tried again later.',
  paused: 'Paused by a person.',
}

const DOES: Readonly<Record<string, string>> = {
  'miss-window': 'Looks for the next window.',
  preflight: 'Checks every precondition.',
  issue: 'Issues, proves and stores the new credential.',
  // The intent stands while the work is under way too, and only its process knows which of both it is.
  recover:
    'Issues the new credential and proves it for at least a minute before a vault serves it. After an interruption it looks first what was left.',
  follow: 'Follows the certificate’s pending request.',
  publish: 'Publishes the staged value.',
  verify: 'Reads back what the vaults serve.',
  switch: 'Switches a dependent.',
  confirm: 'Looks whether a dependent uses the new value.',
  'enter-grace': 'Enters the grace.',
  disable: 'Looks for proof, then disables the old version.',
  retire: 'Looks for proof, then retires the old credential.',
  restore: 'Lets the vaults serve the old value again.',
  return: 'Brings a dependent back.',
  discard: 'Removes the new credential.',
  'end-rollback': 'Ends the way back.',
  complete: 'Completes.',
}

/** Why an old credential is still there, for people. */
const HELD: Readonly<Record<string, string>> = {
  'in-grace': 'The grace has not ended.',
  'use-unknown':
    'Nothing tells yet whether the old credential is still used. Twice the grace, or a waiver, ends this.',
  'still-used': 'Somebody still signs in with the old credential.',
  'dependents-open': 'A dependent is not confirmed.',
  'window-closed': 'The window is closed.',
  'vault-serves-another': 'A vault serves another version than the one that was stored.',
  'last-working': 'The new credential is not live.',
}

const ended = ({ stage, retired }: Rotation): string =>
  stage !== 'complete'
    ? 'It has ended.'
    : retired.size > 0
      ? 'The new credential is in use, and the old one is gone.'
      : 'The new credential is in use.'

export interface Names {
  /** By asset id. */
  readonly vaults: ReadonlyMap<string, string>
}

export function rowOf(state: Rotation, replacedBy: string | null) {
  const { plan } = state
  return {
    rotation: state.rotation,
    policy: plan.policy,
    credential: plan.credential,
    replacedBy,
    kind: plan.subject.kind,
    name: plan.subject.name,
    mode: plan.mode,
    trigger: plan.trigger,
    stage: state.stage,
    since: state.since,
    paused: state.paused,
    needsOperator: state.needsOperator,
    plannedAt: state.plannedAt,
    opensAt: state.opensAt,
    endedAt: state.endedAt,
    reason: state.reason,
  }
}

export function detailOf(
  state: Rotation,
  events: readonly EventOf[],
  names: Names,
  now: Temporal.Instant,
  calendar: Calendar,
): z.input<typeof RotationDetail> {
  const { plan } = state
  const what = next(state, now, calendar)
  const completed = events.find((e) => e.type === 'rotation.completed')
  const held = state.lastCheck?.may === false ? (state.lastCheck.held ?? null) : null
  const over = 'over' in what
  return {
    ...rowOf(state, completed?.data.replacedBy ?? null),
    planHash: plan.planHash,
    expiresAt: plan.expiresAt,
    subject: plan.subject,
    targets: plan.targets.map((t) => ({
      ...t,
      vaultName: names.vaults.get(t.vault) ?? new URL(t.uri).hostname,
    })),
    snapshot: plan.snapshot,
    retires: plan.retires,
    retired: [...state.retired],
    diff: diffOf(state),
    risks: risksOf(state),
    undo: undoOf(state),
    approvals: { needed: plan.approvals, given: [...state.approvals], requestedBy: state.requestedBy },
    ticket: state.ticket,
    incident: state.incident,
    breakGlass: state.breakGlass !== null,
    checks: [...state.checks],
    dependents: [...state.dependents.values()].map(({ plan: p, state: s, note, cachedUntil }) => ({
      plan: p,
      state: s,
      note,
      cachedUntil,
    })),
    pending: state.pending,
    graceHours: Math.round(plan.graceMs / 3_600_000),
    graceUntil: state.graceUntil,
    held: over || held === null ? null : (HELD[held] ?? held),
    now: over
      ? { says: state.reason ?? ended(state), until: null }
      : 'wait' in what
        ? { says: WAITS[what.wait], until: what.until && iso(what.until) }
        : { says: DOES[what.do] ?? what.do, until: null },
    byHand: over && state.stage !== 'taken-over' ? [] : byHandOf(state),
    record: recordOf(events, { state, vaults: names.vaults }),
  }
}
