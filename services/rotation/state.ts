import type {
  Actor,
  CredentialKind,
  DataOf,
  EventOf,
  Fact,
  PlannedDependent,
  PreflightCheck,
} from '@attestry/contracts'

/*
 * One rotation as its stream tells it:
 *
 *   planned → awaiting-approval → scheduled → issuing → [staged →] verifying → cutover → grace → retiring → complete
 *                │                    │          └──────── rolling-back → rolled-back ───────┘
 *                rejected, expired    blocked              needs-operator, taken-over
 *
 * `evolve` only remembers; what may happen next is decided in `next.ts` (by itself) and `decide.ts` (by a person).
 */

export const STAGES = [
  'planned',
  'awaiting-approval',
  'scheduled',
  'issuing',
  'staged',
  'verifying',
  'cutover',
  'grace',
  'retiring',
  'rolling-back',
  'complete',
  'rolled-back',
  'blocked',
  'rejected',
  'expired',
  'taken-over',
] as const
export type Stage = (typeof STAGES)[number]

/** Stages that nothing follows. */
export const ENDS: readonly Stage[] = [
  'complete',
  'rolled-back',
  'blocked',
  'rejected',
  'expired',
  'taken-over',
]

export type DependentState =
  | 'waiting'
  | 'switching'
  | 'switched'
  | 'unconfirmed'
  | 'confirmed'
  | 'waived'
  | 'failed'
  | 'returned'
  /** Only a person can bring it back. */
  | 'must-return'

export interface DependentProgress {
  readonly plan: PlannedDependent
  readonly state: DependentState
  /** Until when it may go on with the value before, though nothing is wrong. */
  readonly cachedUntil: string | null
  readonly note: string | null
  /** When it came to this state. */
  readonly since: string
}

export interface StoredVersion {
  readonly vault: string
  readonly version: string
  readonly mac: string | null
  readonly at: string
}

/** What is being taken back. */
export interface Rollback {
  readonly step: DataOf<'rotation.rollback-intended'>['step']
  /** A new attempt follows. */
  readonly again: boolean
  readonly reason: string
  readonly restored: number | null
  readonly settledAt: string | null
  readonly discarded: boolean
}

export interface Rotation {
  readonly rotation: string
  readonly plan: DataOf<'rotation.planned'>
  readonly stage: Stage
  /** When it came to this stage. */
  readonly since: string
  readonly position: number
  readonly plannedAt: string
  readonly plannedBy: string
  readonly requestedBy: string | null
  readonly ticket: string | null
  readonly incident: string | null
  readonly approvals: readonly string[]
  readonly breakGlass: string | null
  readonly opensAt: string | null
  readonly paused: boolean
  /** Why a person has to decide, and at which step; null otherwise. */
  readonly needsOperator: { readonly step: string; readonly reason: string } | null
  readonly checks: readonly PreflightCheck[]
  /** 1 with the first intent to issue. */
  readonly attempt: number
  /** An intent to issue or publish whose outcome is not recorded: a probe has to say what it left. */
  readonly open: 'issue' | 'publish' | null
  readonly pending: { readonly awaits: 'authority' | 'merge'; readonly request: string | null } | null
  readonly issued: {
    readonly keyId: string
    readonly endsAt: string | null
    readonly mac: string | null
    readonly at: string
  } | null
  /** By target. */
  readonly staged: ReadonlyMap<number, StoredVersion>
  readonly stored: ReadonlyMap<number, StoredVersion>
  readonly verifiedAt: string | null
  readonly dependents: ReadonlyMap<string, DependentProgress>
  readonly cutoverAt: string | null
  readonly graceUntil: string | null
  readonly useWaived: boolean
  readonly lastCheck: DataOf<'rotation.retire-checked'> | null
  /** When the old versions were disabled, by key id. */
  readonly disabled: ReadonlyMap<string, string>
  /** Old credentials whose removal was begun: from here there is no way back. */
  readonly retiring: ReadonlySet<string>
  readonly retired: ReadonlySet<string>
  readonly retireFailure: {
    readonly keyId: string
    readonly attempt: number
    readonly retryAt: string
  } | null
  readonly rollback: Rollback | null
  readonly windowsMissed: number
  readonly endedAt: string | null
  readonly reason: string | null
}

/** Kinds that are versions of something in a vault: nothing is stored elsewhere, and a vault never serves an older one. */
const OWN_VAULT: readonly CredentialKind[] = ['key', 'certificate']
export const isVaultItem = (kind: CredentialKind): boolean => OWN_VAULT.includes(kind)

const planned = (event: EventOf<'rotation.planned'>): Rotation => ({
  rotation: event.data.rotation,
  plan: event.data,
  stage: 'planned',
  since: event.at,
  position: event.position,
  plannedAt: event.at,
  plannedBy: event.by.id,
  requestedBy: null,
  ticket: null,
  incident: null,
  approvals: [],
  breakGlass: null,
  opensAt: null,
  paused: false,
  needsOperator: null,
  checks: [],
  attempt: 0,
  open: null,
  pending: null,
  issued: null,
  staged: new Map(),
  stored: new Map(),
  verifiedAt: null,
  dependents: new Map(),
  cutoverAt: null,
  graceUntil: null,
  useWaived: false,
  lastCheck: null,
  disabled: new Map(),
  retiring: new Set(),
  retired: new Set(),
  retireFailure: null,
  rollback: null,
  windowsMissed: 0,
  endedAt: null,
  reason: null,
})

const withEntry = <V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> =>
  new Map(map).set(key, value)

function dependent(
  state: Rotation,
  id: string,
  change: Partial<Omit<DependentProgress, 'plan'>>,
): Pick<Rotation, 'dependents'> {
  const before = state.dependents.get(id)
  return before
    ? { dependents: withEntry(state.dependents, id, { ...before, ...change }) }
    : { dependents: state.dependents }
}

const later = (at: string, ms: number): string =>
  Temporal.Instant.from(at).add({ milliseconds: ms }).toString({ smallestUnit: 'millisecond' })

/** Whether every target that the plan names serves the new value, as far as is recorded. */
export const allStored = ({ plan, stored }: Pick<Rotation, 'plan' | 'stored'>): boolean =>
  plan.targets.every((_, target) => stored.has(target))

type Evolve = { readonly [T in EventOf['type']]?: (state: Rotation, event: EventOf<T>) => Partial<Rotation> }

const ended = (stage: Stage, event: EventOf, reason: string | null = null): Partial<Rotation> => ({
  stage,
  endedAt: event.at,
  reason,
  needsOperator: null,
  open: null,
})

/** What each event changes. Recording one twice changes nothing more. */
const CHANGES: Evolve = {
  'rotation.dependents-planned': (state, { data, at: since }) => {
    const dependents = new Map(state.dependents)
    for (const plan of data.dependents)
      dependents.set(plan.dependent, { plan, state: 'waiting', cachedUntil: null, note: null, since })
    return { dependents }
  },
  'rotation.requested': (_, { data, by }) => ({
    stage: 'awaiting-approval',
    requestedBy: by.id,
    ticket: data.ticket,
    incident: data.incident,
  }),
  'rotation.approved': (state, { data }) => ({
    approvals: [...new Set([...state.approvals, data.approver])],
  }),
  'rotation.break-glass-used': (_, { data }) => ({ breakGlass: data.operator }),
  'rotation.approval-voided': () => ({ approvals: [], breakGlass: null }),
  'rotation.rejected': (_, event) => ended('rejected', event, event.data.reason),
  'rotation.expired': (_, event) => ended('expired', event, event.data.reason),
  'rotation.scheduled': (state, { data }) => ({
    // Between two windows a rotation keeps its stage; only one that has not begun is merely scheduled.
    stage: state.stage === 'awaiting-approval' ? 'scheduled' : state.stage,
    opensAt: data.opensAt,
  }),
  'rotation.window-missed': (state) => ({ windowsMissed: state.windowsMissed + 1 }),
  'rotation.preflight-passed': (_, { data }) => ({ stage: 'issuing', checks: data.checks }),
  'rotation.blocked': (_, event) => ({
    ...ended('blocked', event, event.data.checks.find((c) => c.state === 'failed')?.says ?? null),
    checks: event.data.checks,
  }),
  'rotation.issue-intended': (_, { data }) => ({ attempt: data.attempt, open: 'issue', pending: null }),
  'rotation.issue-pending': (_, { data }) => ({
    open: null,
    pending: { awaits: data.awaits, request: data.request },
  }),
  'rotation.merge-intended': () => ({}),
  'rotation.credential-issued': (state, { data, at }) => {
    const next = { ...state, open: null, pending: null }
    const stage = next.plan.targets.length === 0 ? 'verifying' : state.stage
    return {
      open: null,
      pending: null,
      stage: state.stage === 'issuing' ? stage : state.stage,
      issued: { keyId: data.keyId, endsAt: data.endsAt, mac: data.mac, at },
    }
  },
  'rotation.credential-staged': (state, { data, at }) => {
    const staged = new Map(state.staged).set(data.target, {
      vault: data.vault,
      version: data.version,
      mac: null,
      at,
    })
    return { staged, stage: staged.size === state.plan.targets.length ? 'staged' : state.stage }
  },
  'rotation.publish-intended': () => ({ open: 'publish' }),
  'rotation.credential-stored': (state, { data, at }) => {
    const stored = new Map(state.stored).set(data.target, {
      vault: data.vault,
      version: data.version,
      mac: data.mac,
      at,
    })
    const done = allStored({ plan: state.plan, stored })
    const before = state.stage === 'issuing' || state.stage === 'staged'
    return { stored, open: null, stage: done && before ? 'verifying' : state.stage }
  },
  'rotation.credential-verified': (state, { at }) => ({
    verifiedAt: at,
    stage: state.stage === 'verifying' ? 'cutover' : state.stage,
  }),
  'rotation.switch-intended': (state, { data, at: since }) =>
    dependent(state, data.dependent, {
      since,
      state: 'switching',
      note: null,
    }),
  'rotation.dependent-switched': (state, { data, at }) =>
    dependent(state, data.dependent, {
      since: at,
      state: 'switched',
      cachedUntil: later(at, data.cacheMs),
      note: data.says,
    }),
  // It counts from the switch, not from the last look.
  'rotation.dependent-unconfirmed': (state, { data }) =>
    dependent(state, data.dependent, { state: 'unconfirmed', note: data.reason }),
  'rotation.dependent-confirmed': (state, { data, at: since }) =>
    dependent(state, data.dependent, {
      since,
      state: 'confirmed',
      note: data.by === 'person' ? 'confirmed by a person' : null,
    }),
  'rotation.dependent-waived': (state, { data, at: since }) =>
    dependent(state, data.dependent, {
      since,
      state: 'waived',
      note: data.reason,
    }),
  'rotation.dependent-failed': (state, { data, at: since }) =>
    dependent(state, data.dependent, {
      since,
      state: 'failed',
      note: data.reason,
    }),
  'rotation.grace-entered': (state, { data, at }) => ({
    stage: state.stage === 'cutover' ? 'grace' : state.stage,
    cutoverAt: state.cutoverAt ?? at,
    graceUntil: data.until,
  }),
  'rotation.use-waived': () => ({ useWaived: true }),
  'rotation.retire-checked': (_, { data }) => ({ lastCheck: data }),
  'rotation.disable-intended': (state) => ({ stage: state.stage === 'grace' ? 'retiring' : state.stage }),
  'rotation.version-disabled': (state, { data, at }) => ({
    disabled: withEntry(state.disabled, data.keyId, state.disabled.get(data.keyId) ?? at),
  }),
  'rotation.retire-intended': (state, { data }) => ({
    retiring: new Set([...state.retiring, data.keyId]),
    retireFailure: null,
  }),
  'rotation.credential-retired': (state, { data }) => ({
    retired: new Set([...state.retired, data.keyId]),
    retireFailure: null,
  }),
  'rotation.retire-failed': (_, { data }) => ({
    retireFailure: { keyId: data.keyId, attempt: data.attempt, retryAt: data.retryAt },
  }),
  'rotation.paused': () => ({ paused: true }),
  'rotation.resumed': () => ({ paused: false }),
  'rotation.rollback-intended': (state, { data }) => ({
    stage: 'rolling-back',
    open: null,
    needsOperator: null,
    rollback: state.rollback?.discarded === false ? { ...state.rollback, again: data.again } : begun(data),
  }),
  'rotation.values-restored': (state, { data }) => ({
    rollback: state.rollback && {
      ...state.rollback,
      restored: data.restored,
      settledAt: data.settledAt,
    },
    stored: new Map(),
    staged: new Map(),
    verifiedAt: null,
  }),
  'rotation.dependent-returned': (state, { data, at }) =>
    dependent(state, data.dependent, {
      since: at,
      state: data.byHand ? 'must-return' : 'returned',
      cachedUntil: later(at, data.cacheMs),
      note: data.reason,
    }),
  'rotation.orphans-discarded': (state) => ({
    issued: null,
    pending: null,
    rollback: state.rollback && { ...state.rollback, discarded: true },
    // A new attempt starts where the last one did.
    stage: state.rollback?.again ? 'issuing' : state.stage,
  }),
  'rotation.rolled-back': (_, event) => ended('rolled-back', event, event.data.reason),
  'rotation.needs-operator': (_, { data }) => ({
    needsOperator: { step: data.step, reason: data.reason },
  }),
  'rotation.operator-resolved': () => ({ needsOperator: null }),
  'rotation.taken-over': (_, event) => ended('taken-over', event, event.data.reason),
  'rotation.completed': (_, event) => ended('complete', event),
}

const begun = (data: DataOf<'rotation.rollback-intended'>): Rollback => ({
  step: data.step,
  again: data.again,
  reason: data.reason,
  restored: null,
  settledAt: null,
  discarded: false,
})

/** A rotation after one more event of its stream; null before its plan. */
export function evolve(state: Rotation | null, event: EventOf): Rotation | null {
  if (event.type === 'rotation.planned') return state ?? planned(event)
  if (!state) return null
  // The table pairs each type with its own events; indexing by the type forgets the pairing.
  const change = CHANGES[event.type] as ((state: Rotation, event: EventOf) => Partial<Rotation>) | undefined
  const after = { ...state, ...change?.(state, event), position: event.position }
  return after.stage === state.stage ? after : { ...after, since: event.at }
}

export const isOver = (state: Rotation): boolean => ENDS.includes(state.stage)

/** A rotation after facts that were just recorded, or are about to be: what an event is made of them for `evolve`. */
export const withFacts = <S extends Rotation | null>(
  state: S,
  facts: readonly Fact[],
  by: Actor,
  at: string,
): Rotation | S =>
  facts.reduce<Rotation | S>((now, one) => {
    // A fact with its place is an event; the rest of an envelope is not looked at here.
    const event = { ...one, at, by, position: (now?.position ?? 0) + 1 } as unknown as EventOf
    return evolve(now, event) ?? now
  }, state)

/** A rotation as its first facts tell it, before they are recorded: what is decided on a plan can be recorded with it. */
export const fromFacts = (facts: readonly Fact[], by: Actor, at: string): Rotation | null =>
  withFacts(null, facts, by, at)
