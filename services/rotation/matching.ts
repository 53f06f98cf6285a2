/*
 * Which vault secret holds an application's credential? Neither side says so, so signals are weighed; a person verifies
 * or excludes what comes out. Only the names, tags and dates are looked at: never a value.
 */

export type Signal = 'tag-key-id' | 'tag-app-id' | 'name' | 'updated-near-start' | 'expiry'

export interface CredentialFacts {
  readonly keyId: string
  readonly appId: string
  readonly appName: string
  readonly name: string | null
  readonly startsAt: string | null
  readonly endsAt: string | null
}

export interface SecretFacts {
  readonly asset: string
  readonly name: string
  readonly created: string | null
  readonly updated: string | null
  readonly expires: string | null
  readonly tags: readonly (readonly [string, string])[]
}

export interface Proposal {
  readonly secret: string
  /** Percent. */
  readonly confidence: number
  readonly signals: readonly Signal[]
}

/** What each signal is worth alone; together they leave the doubt that each of them leaves, multiplied. */
const WORTH: Readonly<Record<Signal, number>> = {
  'tag-key-id': 0.97,
  'tag-app-id': 0.6,
  name: 0.45,
  'updated-near-start': 0.35,
  expiry: 0.3,
}

/** Below it nobody is bothered. */
const LEAST_PERCENT = 45
/** A secret that was stored within so long of the credential's start was probably stored because of it. */
const NEAR_MS = 15 * 60_000
const DAY_MS = 86_400_000
/** Words that say what a thing is and not whose. */
const COMMON = new Set([
  'app',
  'api',
  'client',
  'secret',
  'password',
  'key',
  'the',
  'prod',
  'dev',
  'test',
  'svc',
  'service',
  'sp',
  'id',
])

const words = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((w) => w.length > 1 && !COMMON.has(w) && !/^\d+$/.test(w))

const near = (a: string | null, b: string | null, ms: number): boolean =>
  a !== null && b !== null && Math.abs(Date.parse(a) - Date.parse(b)) <= ms

/** Words that tell nothing here because more than half of the applications have them: an organisation's prefix. */
export function sharedWords(names: readonly string[]): ReadonlySet<string> {
  if (names.length < 3) return new Set()
  const count = new Map<string, number>()
  for (const name of names) for (const w of new Set(words(name))) count.set(w, (count.get(w) ?? 0) + 1)
  return new Set([...count].filter(([, n]) => n > names.length / 2).map(([w]) => w))
}

function signalsOf(credential: CredentialFacts, secret: SecretFacts, shared: ReadonlySet<string>): Signal[] {
  const signals: Signal[] = []
  const values = secret.tags.map(([, value]) => value.toLowerCase())
  if (values.includes(credential.keyId.toLowerCase())) signals.push('tag-key-id')
  if (values.includes(credential.appId.toLowerCase())) signals.push('tag-app-id')
  const theirs = new Set(words(secret.name))
  const app = words(credential.appName).filter((w) => !shared.has(w))
  if (app.length > 0 && app.every((w) => theirs.has(w))) signals.push('name')
  if (
    near(secret.created, credential.startsAt, NEAR_MS) ||
    near(secret.updated, credential.startsAt, NEAR_MS)
  )
    signals.push('updated-near-start')
  if (near(secret.expires, credential.endsAt, DAY_MS)) signals.push('expiry')
  return signals
}

/** Secrets that seem to hold a credential, surest first; at most ten. */
export function proposalsFor(
  credential: CredentialFacts,
  secrets: Iterable<SecretFacts>,
  shared: ReadonlySet<string> = new Set(),
): Proposal[] {
  const found: Proposal[] = []
  for (const secret of secrets) {
    const signals = signalsOf(credential, secret, shared)
    if (signals.length === 0) continue
    const doubt = signals.reduce((left, s) => left * (1 - WORTH[s]), 1)
    const confidence = Math.round(100 * (1 - doubt))
    if (confidence >= LEAST_PERCENT) found.push({ secret: secret.asset, confidence, signals })
  }
  return found.toSorted((a, b) => b.confidence - a.confidence || (a.secret < b.secret ? -1 : 1)).slice(0, 10)
}
