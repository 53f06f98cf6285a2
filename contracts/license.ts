import * as z from 'zod'
import { Instant } from './event.ts'
import { Feature, LicenseLimits, Tier } from './licensing.ts'

/*
 * What passes between an install and the vendor's licence service: the request, the signed answer, the licence
 * file, and the closed list of counts. Imported by both sides, and nothing else passes.
 */

/** Counts that an install may send: whole numbers about the install as a whole, no name, no address, no finding. */
export const COUNTERS = [
  'environments',
  'subscriptions',
  'vaults',
  'secrets',
  'keys',
  'certificates',
  'applications',
  'credentials',
  'resources',
  'operators',
  'scans',
  'evaluations',
  'policies',
  'rotationsCompleted',
  'rotationsFailed',
  'routes',
  'copies',
  'copiesFailed',
  'bundles',
] as const
export type Counter = (typeof COUNTERS)[number]
export type Counters = Readonly<Partial<Record<Counter, number>>>

/** The text of counts may have this many bytes; measured before it is parsed. */
export const STATS_BYTES = 4096
/** A whole request may have this many bytes; measured before it is parsed. */
export const REQUEST_BYTES = 16_384

const Version = z.string().regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/, 'a version such as 1.2.3')
/** The name of a signing key, as answers carry it. */
export const KeyId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'lower-case letters, digits and dashes')

/** What an install sends to the licence service. */
export const ValidateRequest = z.strictObject({
  key: z.string().min(20).max(80),
  install: z.uuid(),
  version: Version,
  /** Echoed in the signed answer, so that an old answer cannot be played back. */
  nonce: z.string().regex(/^[0-9a-f]{32}$/, '32 hexadecimal digits'),
  /** Signing keys that the install trusts; the service signs with the newest of its own among them. */
  kids: z.array(KeyId).max(8).optional(),
  /**
   * The JSON text of `Counters`, exactly as the console shows it. Text and not an object: its bytes are counted
   * before it is parsed. Whatever else stands here is refused without refusing the licence check.
   */
  stats: z.unknown().optional(),
})
export type ValidateRequest = z.infer<typeof ValidateRequest>

/** `INVALID` answers for unknown and revoked alike, so that keys cannot be told apart by asking. */
export const LicenseVerdict = z.enum(['VALID', 'EXPIRED', 'SUSPENDED', 'TOO_MANY_INSTALLS', 'INVALID'])
export type LicenseVerdict = z.infer<typeof LicenseVerdict>

/** What became of the counts of a request. Everything but `accepted` and `none` says why they were refused. */
export const StatsOutcome = z.enum([
  'accepted',
  'none',
  'not-text',
  'too-large',
  'not-an-object-of-counts',
  'unknown-counter',
  'repeated-counter',
])
export type StatsOutcome = z.infer<typeof StatsOutcome>

const Signed = {
  tier: Tier.nullable(),
  features: z.array(Feature),
  limits: LicenseLimits.nullable(),
  expiresAt: Instant.nullable(),
  /** Issued at, and the instant after which an install no longer relies on this. */
  iat: Instant,
  exp: Instant,
}

/** The payload of an answer. `kind` keeps an answer from passing as a file and the other way round. */
export const AnswerPayload = z.object({
  kind: z.literal('answer'),
  verdict: LicenseVerdict,
  ...Signed,
  install: z.uuid(),
  nonce: z.string(),
  stats: StatsOutcome,
  /** The newest version there is, and a sentence about it. */
  latest: z.object({ version: Version, notice: z.string().max(300) }).nullable(),
})
export type AnswerPayload = z.infer<typeof AnswerPayload>

/** The payload of a licence file, for an install that reaches nobody. It counts for one install alone. */
export const FilePayload = z.object({
  kind: z.literal('file'),
  license: z.string().max(80),
  ...Signed,
  tier: Tier,
  limits: LicenseLimits,
  expiresAt: Instant,
  install: z.uuid(),
})
export type FilePayload = z.infer<typeof FilePayload>

/** The exact signed text and its Ed25519 signature (base64url) over the text's UTF-8 bytes, with the id of the key. */
export const SignedLicense = z.object({
  payload: z.string().max(8192),
  sig: z.string().regex(/^[\w-]{86}$/, 'an Ed25519 signature in base64url'),
  alg: z.literal('Ed25519'),
  kid: KeyId,
})
export type SignedLicense = z.infer<typeof SignedLicense>

/*
 * A licence key: `ATT-`, six groups of five characters of Crockford's base 32. 29 are random (145 bits), the last is
 * a check character: the number they spell modulo 37, drawn again until it is below 32. Modulo 37, a prime, finds
 * every single wrong character and every swap of two neighbours.
 */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_CHARACTERS = 29
const CHECK_MODULUS = 37
/** A draw fails with probability 5 in 37; so many failures in a row mean that the source is not random. */
const MOST_DRAWS = 200

const SPELLED = /^ATT(?:-[0-9A-HJKMNP-TV-Z]{5}){6}$/

/** What a character counts, by its code; asked of characters of the alphabet alone. */
const NUMBERS = Uint8Array.from({ length: 128 }, (_, code) =>
  Math.max(0, ALPHABET.indexOf(String.fromCharCode(code))),
)

const DASH = 0x2d

/** Of what is spelled between two places, with its dashes or without. */
function checkOf(text: string, from: number, to: number): number {
  let sum = 0
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at)
    if (code !== DASH) sum = (sum * 32 + (NUMBERS[code] ?? 0)) % CHECK_MODULUS
  }
  return sum
}

const spelled = (characters: string): string => `ATT-${(characters.match(/.{5}/g) ?? []).join('-')}`

/** Whether this is a key in the one spelling in which keys are stored and sent. */
export function isLicenseKey(text: string): boolean {
  const last = text.length - 1
  return SPELLED.test(text) && checkOf(text, 'ATT-'.length, last) === NUMBERS[text.charCodeAt(last)]
}

/** A new key. `random` gives so many random bytes. */
export function newLicenseKey(random: (bytes: number) => Uint8Array): string {
  for (let draws = 0; draws < MOST_DRAWS; draws++) {
    // Five of eight random bits, so that every character is equally likely.
    const drawn = [...random(RANDOM_CHARACTERS)].map((byte) => ALPHABET.charAt(byte & 31)).join('')
    const check = checkOf(drawn, 0, drawn.length)
    if (check < ALPHABET.length) return spelled(drawn + ALPHABET.charAt(check))
  }
  throw new Error('the source of random bytes keeps giving the same')
}

/**
 * The key as it is stored and sent, from what a person typed: case, spaces, and the letters that look like digits
 * do not matter. Null where it cannot be a key: too short, too long, or a check character that does not fit.
 */
export function readLicenseKey(typed: string): string | null {
  const characters = typed
    .toUpperCase()
    .replaceAll(/[\s-]/g, '')
    .replace(/^ATT/, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1')
  const key = spelled(characters)
  return characters.length === RANDOM_CHARACTERS + 1 && isLicenseKey(key) ? key : null
}

/** The readable beginning of a key, by which people speak of it: 20 of its 145 bits, so 125 stay unknown. */
export const prefixOf = (key: string): string => key.slice(0, 8)
