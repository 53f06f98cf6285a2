import { createHash } from 'node:crypto'
import {
  canonical,
  type CredentialSubject,
  type Fact,
  fact,
  type PlanFacts,
  type PlannedDependent,
  type RotationMode,
  type RotationTarget,
} from '@attestry/contracts'
import type { DiffLine } from '@attestry/contracts/http'
import { iso, type Refused, refuse } from '@attestry/kit'
import { inOrder } from './dependents/dependent.ts'
import type { Issuer, Seen } from './issuers/issuer.ts'
import { RETIREMENT } from './next.ts'
import { lifetimeDays, type PolicyState } from './policy.ts'
import { isVaultItem, type Rotation } from './state.ts'

/*
 * A plan: what would change where, bound by a hash over the snapshot that it was made of. Pure; looking is done before.
 */

/** The longest that a reference to a vault may go on with an old value when nobody refreshes it. */
const REFERENCE_CACHE_MS = 24 * 3_600_000
const LEAST_GRACE_MS = 3_600_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** How long a plan may be approved and applied. */
const VALID_DAYS = 7
const MOST_CREDENTIALS = 200

/** What one rotation at a time may work on. */
export const principalOf = ({ kind, at, part }: CredentialSubject): string =>
  kind === 'app-secret' || kind === 'sp-secret' || kind === 'storage-key'
    ? at.toLowerCase()
    : `${at} ${part ?? ''}`.toLowerCase()

/** Something that may depend on the credential, as rows tell it. */
export interface Dependence {
  readonly dependent: string
  readonly type: 'app-service' | 'function' | 'container-app' | 'sync-route'
  readonly via: string
  readonly name: string
  readonly at: string
  readonly setting: string | null
  readonly target: number | null
  readonly confidence: number
}

export interface PlanInput {
  readonly rotation: string
  readonly policy: PolicyState
  readonly mode: RotationMode
  readonly trigger: 'operator' | 'schedule'
  readonly targets: readonly RotationTarget[]
  readonly seen: Seen
  readonly dependents: readonly Dependence[]
  readonly issuer: Pick<Issuer, 'longestDays'>
  readonly keyId: string | null
  readonly now: Temporal.Instant
  /** Random text that goes into the hash. */
  readonly salt: string
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const LIKE_CANARY = /canary|dev|test|stag|qa|sandbox/i

function plannedOf(all: readonly Dependence[], checklist: boolean): PlannedDependent[] {
  const kindOf = ({ type, via }: Dependence): PlannedDependent['kind'] => {
    if (checklist) return 'manual'
    if (type === 'sync-route' || type === 'container-app') return type
    // What only looks alike is for a person to tell.
    return via === 'key-vault-reference' ? 'app-service-reference' : 'manual'
  }
  const planned = all.map((d) => ({
    dependent: d.dependent,
    kind: kindOf(d),
    name: d.name,
    at: d.at,
    setting: d.setting,
    target: d.target,
    confidence: d.confidence,
    canary: false,
  }))
  const able = inOrder(planned).filter((d) => d.kind !== 'manual')
  const canary = able.find((d) => LIKE_CANARY.test(d.name)) ?? able[0]
  return inOrder(planned.map((d) => ({ ...d, canary: d.dependent === canary?.dependent })))
}

/**
 * The secret of a service principal that is in use, as far as can be told from outside, because discovery does not list
 * them: the one that a target's tags name, else the newest.
 */
function inUse({ live, targets }: Seen): string | null {
  const secrets = live.filter(({ type }) => type === 'secret')
  const named = secrets.find(({ keyId }) => targets.some((t) => t.keyId === keyId))
  const newest = secrets.toSorted((a, b) => ((a.startsAt ?? '') < (b.startsAt ?? '') ? 1 : -1))[0]
  return (named ?? newest)?.keyId ?? null
}

/** The facts of a plan, or why there cannot be one. */
export function makePlan(
  input: PlanInput,
): Fact[] | Refused<'credential-gone' | 'targets-missing' | 'too-many-credentials' | 'slot-unknown'> {
  const { policy, mode, seen, now, targets } = input
  const { subject, settings } = policy
  const { kind } = subject
  if (seen.live.length > MOST_CREDENTIALS)
    return refuse(
      'too-many-credentials',
      `The principal has ${seen.live.length} credentials; ${MOST_CREDENTIALS} is the most that a plan holds. Remove old ones first.`,
    )
  if (!isVaultItem(kind) && targets.length === 0)
    return refuse('targets-missing', 'The policy names no vault for the new value, and no match is verified.')
  const slots = RETIREMENT[kind] === 'regenerate'
  const current = slots
    ? seen.slotInUse
    : isVaultItem(kind)
      ? seen.serves
      : kind === 'sp-secret'
        ? inUse(seen)
        : input.keyId
  const now_ = seen.live.find((c) => c.keyId === current)
  if (slots && !now_)
    return refuse(
      'slot-unknown',
      'The vault holds neither of the two keys, so it is not known which one is idle. Store the key in use first.',
    )
  if (!now_) return refuse('credential-gone', 'The credential that the policy names is not there any more.')
  const dependents = plannedOf(input.dependents, settings.dependents === 'checklist')
  const references = dependents.some((d) => d.kind === 'manual' || d.kind === 'app-service-reference')
  const graceMs =
    mode === 'compromise'
      ? 0
      : Math.max(LEAST_GRACE_MS, settings.graceHours * HOUR_MS, references ? REFERENCE_CACHE_MS : 0)
  const siblings = seen.live.filter((c) => c.type === now_.type).map((c) => c.keyId)
  const cap = input.issuer.longestDays ?? Number.POSITIVE_INFINITY
  const life = Math.min(cap, lifetimeDays({ cadenceDays: policy.cadenceDays, settings }))
  const hasEnd = !slots && kind !== 'key'
  const facts: PlanFacts = {
    rotation: input.rotation,
    policy: policy.policy,
    credential: policy.credential,
    mode,
    subject,
    snapshot: [...seen.live],
    retires: mode === 'compromise' ? siblings.filter((k) => !slots || k === now_.keyId) : [now_.keyId],
    slot: slots ? (seen.live.find((c) => c.keyId !== now_.keyId)?.keyId ?? null) : null,
    targets: [...targets],
    endsAt: hasEnd ? iso(now.add({ milliseconds: life * DAY_MS })) : null,
    graceMs,
    approvals: mode === 'compromise' ? 2 : settings.approvals,
    prestageMs:
      mode === 'compromise' || settings.prestageDays === null ? null : settings.prestageDays * DAY_MS,
    window: settings.window,
    salt: input.salt,
  }
  const planHash = hashOf(facts, dependents)
  const pages: PlannedDependent[][] = []
  for (let from = 0; from < dependents.length; from += 100) pages.push(dependents.slice(from, from + 100))
  return [
    fact('rotation.planned', {
      ...facts,
      planHash,
      dependents: dependents.length,
      trigger: input.trigger,
      expiresAt: iso(now.add({ milliseconds: VALID_DAYS * DAY_MS })),
      currentEndsAt: now_.endsAt,
    }),
    ...pages.map((page) =>
      fact('rotation.dependents-planned', { rotation: facts.rotation, planHash, dependents: page }),
    ),
  ]
}

/** SHA-256 over the canonical text of what a plan binds. */
export const hashOf = (facts: PlanFacts, dependents: readonly PlannedDependent[]): string =>
  sha256(canonical({ facts, dependents }))

const short = (keyId: string): string => (keyId.length > 12 ? `${keyId.slice(0, 8)}…` : keyId)

/** What a plan would change where. No value stands in it, and no hint of one. */
export function diffOf({ plan, dependents }: Pick<Rotation, 'plan' | 'dependents'>): DiffLine[] {
  const { subject, targets, retires, slot, endsAt } = plan
  const retirement = RETIREMENT[subject.kind]
  const lines: DiffLine[] = [
    slot === null
      ? {
          change: 'add',
          where: subject.name,
          what: 'a new credential',
          before: null,
          after: endsAt ? `valid until ${endsAt.slice(0, 10)}` : 'no end date',
        }
      : {
          change: 'change',
          where: subject.name,
          what: `${slot} is regenerated`,
          before: 'a value nobody is served',
          after: 'a new value',
        },
  ]
  for (const { secret, uri, previous } of targets)
    lines.push({
      change: previous === null ? 'add' : 'change',
      where: `${new URL(uri).hostname} / ${secret}`,
      what: 'serves the new value',
      before: previous === null ? null : `version ${short(previous)}`,
      after: 'a new version',
    })
  for (const { plan: d } of dependents.values())
    lines.push({
      change: 'change',
      where: d.name,
      what: d.kind === 'manual' ? 'a person switches it' : 'is switched and confirmed',
      before: null,
      after: d.canary ? 'first, as the canary' : null,
    })
  for (const keyId of retirement === 'keep' ? [] : retires)
    lines.push({
      change: retirement === 'disable' ? 'change' : 'remove',
      where: subject.name,
      what:
        retirement === 'regenerate'
          ? `${keyId} is regenerated`
          : retirement === 'disable'
            ? `version ${short(keyId)} is disabled`
            : `credential ${short(keyId)} is removed`,
      before: null,
      after: 'only on proof that nobody uses it',
    })
  for (const c of plan.snapshot)
    if (!retires.includes(c.keyId) && c.keyId !== slot)
      lines.push({
        change: 'keep',
        where: subject.name,
        what: `credential ${short(c.keyId)}${c.name ? ` (${c.name})` : ''}`,
        before: null,
        after: null,
      })
  return lines
}

/** What could fail, as sentences. */
export function risksOf({ plan, dependents }: Pick<Rotation, 'plan' | 'dependents'>): string[] {
  const risks: string[] = []
  const all = [...dependents.values()].map((d) => d.plan)
  const unsure = all.filter((d) => d.confidence < 70)
  if (all.length === 0)
    risks.push(
      'No dependent is known. Somebody who holds a copy of the old value loses access when it is retired.',
    )
  if (unsure.length > 0)
    risks.push(
      `${unsure.length} of ${all.length} dependents are less than 70 % sure: ${unsure
        .slice(0, 5)
        .map((d) => d.name)
        .join(', ')}.`,
    )
  if (all.some((d) => d.kind === 'manual'))
    risks.push(
      'Some dependents can only be switched by a person; the old credential stays until each is confirmed.',
    )
  if (plan.slot !== null)
    risks.push(`Whoever was given ${plan.slot} outside this product loses access when it is regenerated.`)
  if (plan.mode === 'compromise')
    risks.push(
      'There is no grace: whoever still uses an old credential is locked out at once. That is the point.',
    )
  if (plan.subject.kind === 'key')
    risks.push(
      'A key has no way back: the vault serves the newest version. Old versions stay, so old data can be read.',
    )
  if (plan.subject.kind === 'certificate')
    risks.push(
      'A certificate has no way back once the new version is there. Clients that pin the old one must be told.',
    )
  return risks
}

/** How to undo it, as steps that the product takes when asked. */
export function undoOf({ plan }: Pick<Rotation, 'plan'>): string[] {
  if (isVaultItem(plan.subject.kind))
    return [
      'Before the new version is made: nothing has changed.',
      'After that there is no way back; rotate again.',
    ]
  return [
    ...plan.targets.map(
      (t) =>
        `${t.secret} serves the value of version ${short(t.previous ?? 'none')} again, as a new version.`,
    ),
    'Dependents that were switched are told to use it.',
    `The new credential is removed when nobody can hold it any more (${Math.round(plan.graceMs / HOUR_MS)} h later).`,
    'Once an old credential was removed there is nothing to go back to.',
  ]
}

/** What a person does who finishes by hand, with the exact names, from where the rotation stands. */
export function byHandOf(state: Rotation): string[] {
  const { plan, issued, stored, dependents, retired } = state
  const { subject } = plan
  const steps: string[] = []
  if (!issued) {
    steps.push(
      subject.kind === 'app-secret'
        ? `az ad app credential reset --id ${subject.part ?? subject.at} --append --end-date ${plan.endsAt?.slice(0, 10) ?? '<date>'}`
        : subject.kind === 'sp-secret'
          ? `az ad sp credential reset --id ${subject.at} --append --end-date ${plan.endsAt?.slice(0, 10) ?? '<date>'}`
          : subject.kind === 'storage-key'
            ? `az storage account keys renew --ids ${subject.at} --key ${plan.slot ?? 'key2'}`
            : subject.kind === 'servicebus-key'
              ? `az servicebus namespace authorization-rule keys renew --ids ${subject.at}/AuthorizationRules/${subject.part ?? ''} --key ${plan.slot ?? 'SecondaryKey'}`
              : subject.kind === 'key'
                ? `az keyvault key rotate --id ${subject.at}/keys/${subject.part ?? ''}`
                : `az keyvault certificate create --id ${subject.at}/certificates/${subject.part ?? ''} --policy @policy.json`,
    )
  }
  for (const [n, t] of plan.targets.entries())
    if (!stored.has(n))
      steps.push(
        `az keyvault secret set --id ${t.uri.replace(/\/$/, '')}/secrets/${t.secret} --file <file with the new value>`,
      )
  for (const d of dependents.values())
    if (d.state !== 'confirmed' && d.state !== 'waived')
      steps.push(
        d.plan.kind === 'app-service-reference' && d.plan.at
          ? `az rest --method post --url https://management.azure.com${d.plan.at}/config/configreferences/appsettings/refresh?api-version=2022-03-01, then look that ${d.plan.setting ?? 'the setting'} shows the new version`
          : d.plan.kind === 'container-app' && d.plan.at
            ? `az containerapp revision restart for ${d.plan.name}, then look that its newest revision is healthy`
            : `Switch ${d.plan.name}${d.plan.setting ? ` (${d.plan.setting})` : ''} to the new value and look that it works`,
      )
  for (const keyId of plan.retires)
    if (!retired.has(keyId))
      steps.push(
        subject.kind === 'app-secret'
          ? `When sign-ins with ${keyId} have ended: az ad app credential delete --id ${subject.part ?? subject.at} --key-id ${keyId}`
          : subject.kind === 'sp-secret'
            ? `When sign-ins with ${keyId} have ended: az ad sp credential delete --id ${subject.at} --key-id ${keyId}`
            : `When nobody uses ${keyId} any more: retire it (${RETIREMENT[subject.kind]})`,
      )
  return steps
}
