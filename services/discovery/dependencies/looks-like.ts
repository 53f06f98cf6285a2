import type { HardCoded } from '@attestry/contracts'

type Looks = HardCoded['looksLike']

/** Parts of connection strings that carry a credential. */
const CONNECTION_SECRET =
  /(^|;)\s*(password|pwd|accountkey|sharedaccesskey|sharedsecretvalue|sharedaccesssignature)\s*=\s*[^;\s]+/i
/** `amqps://user:password@host`, `postgres://…`, `redis://:password@…`. */
const URL_WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i
/** A storage or Cosmos account key: 64 bytes in base64, 88 characters with two equals signs. */
const ACCOUNT_KEY = /^[A-Za-z0-9+/]{86}==$/
/** An Entra client secret: three characters, a digit, `Q~`, then 31 to 34 more. */
const CLIENT_SECRET = /^[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}$/
/** JSON web tokens, GitHub, Slack and shared-access-signature tokens. */
const TOKEN =
  /^(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|xox[abpr]-[A-Za-z0-9-]{10,}|.*[?&]sig=[A-Za-z0-9%+/]{20,}.*)$/
const NAMED_SECRET = /(client[-_.]?secret|app[-_.]?secret)$/i
const NAMED_PASSWORD = /(password|passwd|pwd|passphrase)$/i
const NAMED_KEY =
  /(account[-_.]?key|storage[-_.]?key|access[-_.]?key|shared[-_.]?key|api[-_.]?key|primary[-_.]?key)$/i
const NAMED_TOKEN = /(token|pat|sas)$/i
const NAMED_SECRET_LOOSELY = /(^|[-_.])(secret|key)$/i

/** Values that are no credential whatever the setting is called. */
const HARMLESS =
  /^(true|false|null|none|yes|no|on|off|\d+|https?:\/\/[^@\s]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i

/** A reference that the platform resolves; the value behind it never stands in the setting. */
const REFERENCE = /^@Microsoft\.(KeyVault|AppConfiguration)\(.*\)$/is

/** Bits of information a character, by how often each stands in the text (Shannon). */
function entropy(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

/**
 * What kind of credential a setting holds in plain sight, or null. Pure: it says nothing of the value but its kind.
 * Strong shapes decide alone; where only the name speaks, the value must be one that could be a credential.
 */
export function looksLike(name: string, value: string): Looks | null {
  const text = value.trim()
  if (text === '' || REFERENCE.test(text)) return null
  if (CONNECTION_SECRET.test(text) || URL_WITH_PASSWORD.test(text)) return 'connection-string'
  if (ACCOUNT_KEY.test(text)) return 'account-key'
  if (CLIENT_SECRET.test(text)) return 'client-secret'
  if (TOKEN.test(text)) return 'token'
  if (HARMLESS.test(text) || /\s/.test(text)) return null
  if (text.length < 6) return null
  if (NAMED_SECRET.test(name)) return 'client-secret'
  if (NAMED_PASSWORD.test(name)) return 'password'
  const random = text.length >= 16 && entropy(text) >= 3
  if (NAMED_KEY.test(name) && random) return 'account-key'
  if (NAMED_TOKEN.test(name) && random) return 'token'
  if (NAMED_SECRET_LOOSELY.test(name) && random) return 'password'
  return null
}
