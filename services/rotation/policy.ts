import {
  type CredentialKind,
  type CredentialSubject,
  type Fact,
  fact,
  type PolicySettings,
} from '@attestry/contracts'
import { type Refused, refuse } from '@attestry/kit'
import { calendarOf, type Freeze, windowProblem } from './calendar.ts'
import { isVaultItem } from './state.ts'

/*
 * What a policy may say. What could never run is refused when it is saved, with the field that is wrong.
 */

export interface Terms {
  readonly cadenceDays: number
  readonly settings: PolicySettings
}

/** What is known of the world when a policy is saved. */
export interface Known {
  readonly now: Temporal.Instant
  readonly freezes: readonly Freeze[]
  /** By asset id. */
  readonly vaults: ReadonlyMap<
    string,
    { readonly gone: boolean; readonly environment: string | null; readonly name: string }
  >
  /** The environment in which the credential was seen; null where it is not known. */
  readonly environment: string | null
  /** Days that the tenant or the kind lets a credential live; null: no cap, or not known. */
  readonly capDays: number | null
}

export type PolicyRefusal =
  | 'vault-unknown'
  | 'vault-gone'
  | 'target-elsewhere'
  | 'targets-missing'
  | 'bad-secret-name'
  | 'target-twice'
  | 'bad-window'
  | 'window-never-opens'
  | 'lifetime-above-cap'
  | 'nobody-to-notify'

/** Names that Key Vault takes: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates */
const SECRET_NAME = /^[0-9a-zA-Z-]{1,127}$/
/** A staged value stands under a name of its own, with this ending. */
const STAGED_ENDING = '-next'
/** A credential outlives cadence and grace by so much, so that a late rotation is no outage. */
export const MARGIN_DAYS = 14

const days = (hours: number): number => Math.ceil(hours / 24)

/** How long a new credential has to live under these terms, in days. */
export const lifetimeDays = ({ cadenceDays, settings }: Terms): number =>
  cadenceDays + days(settings.graceHours) + (settings.prestageDays ?? 0) + MARGIN_DAYS

const bad = <C extends PolicyRefusal>(code: C, field: string, detail: string): Refused<C> =>
  refuse(code, detail, [{ field: `body.settings.${field}`, message: detail }])

/** What is wrong with a policy's terms for a kind of credential; null where it can run. */
export function problemOf(kind: CredentialKind, terms: Terms, known: Known): Refused<PolicyRefusal> | null {
  const { settings } = terms
  if (isVaultItem(kind) && settings.targets.length > 0)
    return bad(
      'bad-secret-name',
      'targets',
      'A vault’s key or certificate stays where it is: leave targets empty.',
    )
  const seen = new Set<string>()
  for (const [n, { vault, secret, content }] of settings.targets.entries()) {
    const place = known.vaults.get(vault)
    if (!place) return bad('vault-unknown', `targets.${n}.vault`, 'No vault of this id is known. Scan first.')
    if (place.gone)
      return bad('vault-gone', `targets.${n}.vault`, `${place.name} is gone: Azure no longer lists it.`)
    if (known.environment !== null && place.environment !== null && known.environment !== place.environment)
      return bad(
        'target-elsewhere',
        `targets.${n}.vault`,
        `${place.name} belongs to another environment than the credential. Choose a vault of the same.`,
      )
    const longest = settings.prestageDays === null ? 127 : 127 - STAGED_ENDING.length
    if (!SECRET_NAME.test(secret) || secret.length > longest)
      return bad(
        'bad-secret-name',
        `targets.${n}.secret`,
        `A vault takes letters, digits and dashes, at most ${longest} here.`,
      )
    if (content === 'connection-string' && kind !== 'storage-key' && kind !== 'servicebus-key')
      return bad(
        'bad-secret-name',
        `targets.${n}.content`,
        'Only storage and Service Bus keys have a connection string.',
      )
    const key = `${vault} ${secret.toLowerCase()}`
    if (seen.has(key))
      return bad('target-twice', `targets.${n}`, 'The same secret stands among the targets twice.')
    seen.add(key)
  }
  if (settings.window) {
    const wrong = windowProblem(settings.window)
    if (wrong)
      return bad('bad-window', `window.${wrong.field}`, `The window’s ${wrong.field} ${wrong.message}.`)
    if (!calendarOf(settings.window, [], '').next(known.now))
      return bad('window-never-opens', 'window.cron', 'This window does not open within a year.')
    if (!calendarOf(settings.window, known.freezes, '').next(known.now))
      return bad(
        'window-never-opens',
        'window.cron',
        'A freeze covers every opening of this window within a year.',
      )
  }
  const life = lifetimeDays(terms)
  if (known.capDays !== null && life > known.capDays)
    return refuse(
      'lifetime-above-cap',
      `A credential under these terms must live ${life} days (cadence, grace and ${MARGIN_DAYS} days’ margin), and ${known.capDays} are allowed.`,
      [
        {
          field: 'body.cadenceDays',
          message: `may be at most ${known.capDays - (life - terms.cadenceDays)}`,
        },
      ],
    )
  if (settings.daysBeforeExpiry >= terms.cadenceDays)
    return bad(
      'window-never-opens',
      'daysBeforeExpiry',
      'It must be smaller than the cadence, or the next rotation is due at once.',
    )
  const { owner } = settings
  if (owner && owner.mail === null && owner.webhook === null)
    return bad('nobody-to-notify', 'owner', 'An owner needs a mail address or a webhook.')
  return null
}

export interface PolicyState {
  readonly policy: string
  readonly enabled: boolean
  readonly credential: string
  readonly cadenceDays: number
  readonly subject: CredentialSubject
  readonly settings: PolicySettings
  readonly selector: string | null
}

/** The data of a policy's event. */
export const policyFact = (
  type: 'rotation.policy-enabled' | 'rotation.policy-revised',
  policy: { policy: string; credential: string; subject: CredentialSubject; selector?: string | null },
  { cadenceDays, settings }: Terms,
): Fact =>
  fact(type, {
    policy: policy.policy,
    credential: policy.credential,
    cadenceDays,
    targetVault: settings.targets[0]?.vault ?? null,
    subject: policy.subject,
    settings,
    ...(policy.selector ? { selector: policy.selector } : {}),
  })

/** Spread of scheduled rotations, so that a thousand policies of one day do not begin in one minute. */
const JITTER_MS = 2 * 3_600_000

/** Between 0 and 1, the same for the same text. */
function spread(text: string): number {
  let h = 0x811c9dc5
  for (const c of text) h = Math.imul(h ^ (c.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return h / 0x1_0000_0000
}

/**
 * When a policy's next rotation is due: by cadence since the credential began, or so many days before it ends, whichever
 * comes first, earlier by the time of staging, later by a jitter of its own. Null where neither date is known.
 */
export function dueAt(
  { policy, cadenceDays, settings }: Pick<PolicyState, 'policy' | 'cadenceDays' | 'settings'>,
  credential: { readonly startsAt: string | null; readonly endsAt: string | null },
): Temporal.Instant | null {
  const day = 86_400_000
  const times = [
    credential.startsAt && Date.parse(credential.startsAt) + cadenceDays * day,
    credential.endsAt && Date.parse(credential.endsAt) - settings.daysBeforeExpiry * day,
  ].filter((t) => typeof t === 'number')
  if (times.length === 0) return null
  const early = (settings.prestageDays ?? 0) * day
  return Temporal.Instant.fromEpochMilliseconds(
    Math.round(Math.min(...times) - early + spread(policy) * JITTER_MS),
  )
}
