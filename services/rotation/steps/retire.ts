import { type Fact, fact } from '@attestry/contracts'
import { calendarFor, PATIENCE, RETIREMENT } from '../next.ts'
import { heldBack, heldByRecord } from '../proof.ts'
import { allStored, isVaultItem, type Rotation } from '../state.ts'
import { type Again, orderOf, type StepParts } from './parts.ts'

/* The old credential goes, only on proof. */

/** Looks whether a credential may go now. Records the answer when it changed; true: it may. */
async function mayGo(state: Rotation, keyId: string, parts: StepParts) {
  const { issuer, work, calendar, record } = parts
  const order = orderOf(state)
  const open = calendarFor(state, calendar).open(work.now())
  const early = heldByRecord(state, keyId, work.now(), open)
  const seen = early ? null : await issuer.look(state.plan.subject, state.plan.targets, work)
  const use = early ? null : ((await issuer.lastUse?.(order, keyId, work)) ?? null)
  // Judged by the instant after the look: what was seen is never older than what is decided.
  const held = early ?? (seen && heldBack(state, keyId, seen, use, work.now(), open))
  const checked = {
    rotation: state.rotation,
    keyId,
    may: held === null,
    held,
    lastUsedAt: use?.lastUsedAt ?? null,
    observedUntil: use?.observedUntil ?? null,
  }
  const before = state.lastCheck
  if (before?.keyId !== keyId || before.held !== held)
    await record([fact('rotation.retire-checked', checked)], 'anyway')
  if (held === 'vault-serves-another' || held === 'last-working' || held === 'not-in-snapshot')
    await record(
      [
        fact('rotation.needs-operator', {
          rotation: state.rotation,
          policy: state.plan.policy,
          step: 'retiring',
          reason: WHY_PERSON[held],
        }),
      ],
      'anyway',
    )
  return { held, live: seen?.live ?? [] }
}

const WHY_PERSON = {
  'vault-serves-another':
    'A vault serves another version than the one that was stored: somebody changed it by hand.',
  'last-working': 'The new credential is not live any more, so the old one may be the last that works.',
  'not-in-snapshot': 'The credential to be retired is not in the snapshot that the plan was made of.',
} as const

/** When to look again at what is held back by the world. */
const lookAgain = (now: Temporal.Instant): Temporal.Instant =>
  now.add({ milliseconds: PATIENCE.proofEveryMs })

export async function disable(state: Rotation, keyId: string, parts: StepParts): Promise<Again> {
  const { rotation, plan } = state
  const { held } = await mayGo(state, keyId, parts)
  if (held) return lookAgain(parts.work.now())
  await parts.record([fact('rotation.disable-intended', { rotation, keyId })], 'here')
  const versions = await parts.issuer.disable(orderOf(state), keyId, parts.work)
  const facts: Fact[] = [fact('rotation.version-disabled', { rotation, keyId, versions })]
  if (RETIREMENT[plan.subject.kind] === 'disable')
    facts.push(fact('rotation.credential-retired', { rotation, keyId }))
  await parts.record(facts, 'anyway')
  return null
}

export async function retire(state: Rotation, keyId: string, parts: StepParts): Promise<Again> {
  const { rotation } = state
  const { held, live } = await mayGo(state, keyId, parts)
  if (held) return lookAgain(parts.work.now())
  await parts.record(
    [fact('rotation.retire-intended', { rotation, keyId, live: live.slice(0, 200) })],
    'here',
  )
  await parts.issuer.retire(orderOf(state), keyId, parts.work)
  await parts.record([fact('rotation.credential-retired', { rotation, keyId })], 'anyway')
  return null
}

export async function complete(state: Rotation, { record, credentialAsset }: StepParts): Promise<Again> {
  if (!allStored(state))
    throw new Error('a rotation cannot be complete with a vault that lacks the new value')
  const { rotation, plan, dependents, issued } = state
  await record(
    [
      fact('rotation.completed', {
        rotation,
        policy: plan.policy,
        credential: plan.credential,
        dependentsConfirmed: [...dependents.values()].filter((d) => d.state === 'confirmed').length,
        dependents: dependents.size,
        ...(issued && !isVaultItem(plan.subject.kind) ? { replacedBy: credentialAsset(issued.keyId) } : {}),
      }),
    ],
    'here',
  )
  return null
}
