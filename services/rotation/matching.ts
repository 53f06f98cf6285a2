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

/** So many secrets are shown to a person for one credential. */
const MOST = 10
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

const ms = (at: string | null): number => (at === null ? Number.NaN : Date.parse(at))
/** False where either is not known. */
const near = (a: number, b: number, within: number): boolean => Math.abs(a - b) <= within

/** Words that tell nothing here because more than half of the applications have them: an organisation's prefix. */
export function sharedWords(names: readonly string[]): ReadonlySet<string> {
  if (names.length < 3) return new Set()
  const count = new Map<string, number>()
  for (const name of names) for (const w of new Set(words(name))) count.set(w, (count.get(w) ?? 0) + 1)
  return new Set([...count].filter(([, n]) => n > names.length / 2).map(([w]) => w))
}

/** A secret with what is compared of it worked out once: each is looked at for many credentials. */
interface Prepared {
  readonly asset: string
  readonly values: ReadonlySet<string>
  readonly words: ReadonlySet<string>
  readonly created: number
  readonly updated: number
  readonly expires: number
}

function signalsOf(
  { keyId, appId, appWords, startsAt, endsAt }: Looked,
  { values, words: theirs, created, updated, expires }: Prepared,
): Signal[] {
  const signals: Signal[] = []
  if (values.has(keyId)) signals.push('tag-key-id')
  if (values.has(appId)) signals.push('tag-app-id')
  if (appWords.length > 0 && appWords.every((w) => theirs.has(w))) signals.push('name')
  if (near(created, startsAt, NEAR_MS) || near(updated, startsAt, NEAR_MS)) signals.push('updated-near-start')
  if (near(expires, endsAt, DAY_MS)) signals.push('expiry')
  return signals
}

interface Looked {
  readonly keyId: string
  readonly appId: string
  readonly appWords: readonly string[]
  readonly startsAt: number
  readonly endsAt: number
}

/** Secrets by something of theirs, so that a credential meets those alone that may be its own. */
function indexed(secrets: readonly Prepared[], keysOf: (secret: Prepared) => Iterable<string | number>) {
  const index = new Map<string | number, Prepared[]>()
  for (const secret of secrets)
    for (const key of new Set(keysOf(secret))) {
      const held = index.get(key)
      if (held) held.push(secret)
      else index.set(key, [secret])
    }
  return (key: string | number): readonly Prepared[] => index.get(key) ?? []
}

const spanOf = (at: number): number => Math.floor(at / NEAR_MS)

/**
 * Answers, for a credential, the secrets that seem to hold it, surest first; at most ten. An end alone ties nothing, so
 * only secrets that share a tag, a word or the time of the start are looked at.
 */
export function matcher(
  secrets: Iterable<SecretFacts>,
  shared: ReadonlySet<string> = new Set(),
): (credential: CredentialFacts) => Proposal[] {
  const prepared = Array.from(
    secrets,
    ({ asset, name, tags, created, updated, expires }): Prepared => ({
      asset,
      values: new Set(tags.map(([, value]) => value.toLowerCase())),
      words: new Set(words(name)),
      created: ms(created),
      updated: ms(updated),
      expires: ms(expires),
    }),
  )
  const byValue = indexed(prepared, ({ values }) => values)
  const byWord = indexed(prepared, (one) => one.words)
  const byTime = indexed(prepared, ({ created, updated }) =>
    [created, updated].filter((at) => !Number.isNaN(at)).map(spanOf),
  )
  return ({ keyId, appId, appName, startsAt, endsAt }) => {
    const looked: Looked = {
      keyId: keyId.toLowerCase(),
      appId: appId.toLowerCase(),
      appWords: words(appName).filter((w) => !shared.has(w)),
      startsAt: ms(startsAt),
      endsAt: ms(endsAt),
    }
    const [rarest] = looked.appWords.map(byWord).toSorted((a, b) => a.length - b.length)
    const span = spanOf(looked.startsAt)
    const may = new Set([
      ...byValue(looked.keyId),
      ...byValue(looked.appId),
      ...(rarest ?? []),
      ...[span - 1, span, span + 1].flatMap(byTime),
    ])
    const found: (Proposal & { readonly alike: number })[] = []
    for (const secret of may) {
      const signals = signalsOf(looked, secret)
      if (signals.length === 0) continue
      const doubt = signals.reduce((left, s) => left * (1 - WORTH[s]), 1)
      const confidence = Math.round(100 * (1 - doubt))
      if (confidence < LEAST_PERCENT) continue
      const alike = looked.appWords.filter((w) => secret.words.has(w)).length
      found.push({ secret: secret.asset, confidence, signals, alike })
    }
    // Where many were stored in one hour, those that have a word of the name in common come before strangers.
    return found
      .toSorted((a, b) => b.confidence - a.confidence || b.alike - a.alike || (a.secret < b.secret ? -1 : 1))
      .slice(0, MOST)
      .map(({ secret, confidence, signals }) => ({ secret, confidence, signals }))
  }
}
