import { createHmac } from 'node:crypto'
import { type Actor, type EventOf, type Fact, OpaqueId, type RotationTarget } from '@attestry/contracts'
import { type Command, command, type Host, iso, type Job, pause, type Send, Transient } from '@attestry/kit'
import * as z from 'zod'
import { calendarOf } from './calendar.ts'
import { decide } from './decide.ts'
import type { Switchers } from './dependents/dependent.ts'
import { syncRouteSwitcher } from './dependents/sync-route.ts'
import type { Issuers, Work } from './issuers/issuer.ts'
import { readFreezes } from './known.ts'
import { releaseLease, takeLease } from './lease.ts'
import { next, type Next } from './next.ts'
import { principalOf } from './plan.ts'
import { policyFact } from './policy.ts'
import { evolve, isVaultItem, type Rotation, withFacts } from './state.ts'
import { perform } from './steps.ts'
import { recordIssued } from './steps/issue.ts'
import { Moved, orderOf } from './steps/parts.ts'

/*
 * Drives rotations: reads the record, asks what is next, does it, and again, until there is something to wait for. All it
 * knows between two steps is the ledger, so wherever the process dies the next one goes on from there.
 */

/** How a new credential is proved: three tokens in a row over a minute, within ten. */
export const PROOF = { successes: 3, overMs: 60_000, giveUpMs: 600_000 } as const

export interface DriveParts {
  readonly host: Host
  /** By environment of the tenant; the same clients are kept. */
  readonly issuers: Issuers
  readonly switchers: Switchers
  /** HMAC key for values, of the install. */
  readonly macKey: Uint8Array
  readonly proof?: Work['proof']
}

const Advance = z.object({
  rotation: OpaqueId,
  /** Signed certificates that a person brought, as PEM. */
  chain: z.array(z.string()).optional(),
})
type Advance = z.infer<typeof Advance>

/** Steps of one command; each is short but issuing, and a rotation has about twenty. */
const MOST_STEPS = 400
/** After so many tries of one command what keeps failing counts as refused. */
const LAST_TRY = 12

const actor: Actor = { kind: 'service', id: 'rotation' }

/** Wakes a rotation, now or at an instant. */
export const wake = (
  state: Pick<Rotation, 'rotation' | 'plan'>,
  why: string,
  cause: { correlation: string; causation: string },
  more: { at?: Temporal.Instant; chain?: readonly string[] } = {},
): Send => ({
  command: 'advance',
  id: `advance-${state.rotation}-${why}`.slice(0, 200),
  // One after the other for each principal, whoever asks.
  session: `rotation ${principalOf(state.plan.subject)}`.slice(0, 120),
  body: { rotation: state.rotation, ...(more.chain ? { chain: more.chain } : {}) },
  ...(more.at ? { dueAt: more.at } : {}),
  by: actor,
  cause,
})

export async function readRotation(
  host: Pick<Host, 'stream'>,
  tenant: string,
  rotation: string,
): Promise<{ state: Rotation | null; events: EventOf[] }> {
  const events = await host.stream(tenant, rotation)
  return { state: events.reduce(evolve, null as Rotation | null), events }
}

const macOf =
  (key: Uint8Array) =>
  (value: Uint8Array): string =>
    createHmac('sha256', key).update(value).digest('base64url')

/** What issuers are given by the host. */
export const workFor = (
  { host, macKey, proof = PROOF }: Pick<DriveParts, 'host' | 'macKey' | 'proof'>,
  signal: AbortSignal,
  progress: (says: string) => void = () => {},
): Work => ({
  signal,
  now: () => host.clock.now(),
  pause: (ms) => pause(ms, signal),
  mac: macOf(macKey),
  proof,
  progress,
})

/** The command that takes a rotation as far as it goes now. */
export function advanceCommand(parts: DriveParts): Command {
  return command<Advance>({ name: 'advance', body: Advance, work: (job) => advance(parts, job) })
}

async function advance(parts: DriveParts, job: Job<Advance>): Promise<void> {
  const { host } = parts
  const { tenant, signal } = job
  const { rotation, chain } = job.body
  const freezes = await host.tx(tenant, readFreezes)
  const opaque = await host.opaque(tenant)
  const issuerOf = ({ plan }: Rotation) => {
    const issuer = parts.issuers[plan.subject.kind]
    if (!issuer) throw new Error(`nothing here issues a ${plan.subject.kind}`)
    return issuer
  }
  let known: Rotation | null = null
  let brought = chain
  for (let turn = 0; turn < MOST_STEPS; turn++) {
    signal.throwIfAborted()
    const state: Rotation | null = known ?? (await readRotation(host, tenant, rotation)).state
    if (!state) throw new Error(`there is no rotation ${rotation}`)
    const calendar = calendarOf(state.plan.window, freezes, state.plan.policy)
    const now = host.clock.now()
    const what: Next = next(state, now, calendar)
    if ('over' in what) return finish(parts, job, state)
    const recorded = recorder(parts, job, state)
    const stepParts = {
      issuer: issuerOf(state),
      switchers: { ...parts.switchers, 'sync-route': syncRouteSwitcher(host, tenant) },
      work: workFor(parts, signal, (says) => void job.progress({ says })),
      calendar,
      lastTry: job.attempt >= LAST_TRY,
      record: recorded.record,
      lease: () => takeLease(host, tenant, principalOf(state.plan.subject), rotation),
      secretAsset: ({ vault, secret }: RotationTarget) =>
        opaque('secret', `${vault}/${secret.toLowerCase()}`),
      credentialAsset: (keyId: string) => opaque('app-secret', `${state.plan.subject.at}/${keyId}`),
    }
    try {
      if (brought && state.pending?.awaits === 'merge') {
        const { issuer, work } = stepParts
        if (!issuer.follow) throw new Error(`${issuer.kind} has nothing to merge`)
        await recordIssued(state, await issuer.follow(orderOf(state), brought, work), stepParts)
        brought = undefined
      } else if ('wait' in what) {
        if (what.wait === 'request' || what.wait === 'approval') {
          const expired = decide(state, { do: 'expire' }, { who: 'rotation', now, calendar })
          if (!('refused' in expired) && expired.length > 0) {
            await stepParts.record(expired, 'here')
            known = recorded.state()
            continue
          }
        }
        return what.until ? again(parts, job, state, what.until) : undefined
      } else {
        const until = await perform(what, state, stepParts)
        if (until && Temporal.Instant.compare(until, host.clock.now()) > 0)
          return again(parts, job, recorded.state() ?? state, until)
      }
      known = recorded.state()
    } catch (error) {
      if (!(error instanceof Moved)) throw error
      // Somebody decided on it meanwhile: what is next follows from the record as it is now.
      known = null
    }
  }
  throw new Error(`rotation ${rotation} took ${MOST_STEPS} steps without an end`)
}

/**
 * Appends to the rotation's stream, knowing how far it was read. The state after it follows from what was appended, as
 * long as nobody else did; else it is null, and the record has to be read anew.
 */
function recorder({ host }: DriveParts, job: Job<Advance>, from: Rotation) {
  let state: Rotation | null = from
  let { position } = from
  return {
    state: () => state,
    record: async (facts: readonly Fact[], when: 'here' | 'anyway'): Promise<void> => {
      if (facts.length === 0) return
      const appended = await host.append(job.tenant, {
        stream: from.rotation,
        expected: when === 'here' ? position : 'any',
        facts,
        by: actor,
        cause: { correlation: job.cause.correlation, causation: job.id.slice(0, 80) },
      })
      if (!appended.ok) throw new Moved('Somebody decided on this rotation meanwhile', { retryAfterMs: 50 })
      const alone = appended.lastPosition === position + facts.length
      state = alone && state ? withFacts(state, facts, actor, appended.at) : null
      position = appended.lastPosition
    },
  }
}

const causeOf = (job: Job<Advance>) => ({
  correlation: job.cause.correlation,
  causation: job.id.slice(0, 80),
})

/** Comes back at an instant. */
async function again(
  { host }: DriveParts,
  job: Job<Advance>,
  state: Rotation,
  at: Temporal.Instant,
): Promise<void> {
  await host.tx(job.tenant, (tx) =>
    host.send(tx, [wake(state, `at-${at.epochMilliseconds}-${state.position}`, causeOf(job), { at })]),
  )
}

/** After the end: the lease goes, and the policy follows the credential that replaced its own. */
async function finish({ host }: DriveParts, job: Job<Advance>, state: Rotation): Promise<void> {
  const { tenant } = job
  await host.tx(tenant, (tx) => releaseLease(tx, state.rotation, host.clock.now()))
  if (state.stage !== 'complete' || isVaultItem(state.plan.subject.kind) || !state.issued) return
  if (state.plan.subject.kind !== 'app-secret') return
  const opaque = await host.opaque(tenant)
  const credential = opaque('app-secret', `${state.plan.subject.at}/${state.issued.keyId}`)
  const events = await host.stream(tenant, state.plan.policy)
  const last = events.findLast(
    (e) => e.type === 'rotation.policy-enabled' || e.type === 'rotation.policy-revised',
  )
  if (!last || !('settings' in last.data) || !last.data.settings || !last.data.subject) return
  const { cadenceDays, settings, subject, policy, selector = null } = last.data
  if (last.data.credential === credential) return
  const appended = await host.append(tenant, {
    stream: policy,
    expected: events.at(-1)?.position ?? 0,
    facts: [
      policyFact(
        'rotation.policy-revised',
        { policy, credential, subject, selector },
        { cadenceDays, settings },
      ),
    ],
    by: actor,
    cause: { correlation: job.cause.correlation, causation: `completed ${iso(host.clock.now())}` },
  })
  if (!appended.ok) throw new Transient('The policy was changed meanwhile')
}
