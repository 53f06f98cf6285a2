import { argon2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(argon2)

/**
 * Argon2id as OWASP's Password Storage Cheat Sheet asks (19 MiB, two passes, one lane); 16 bytes of salt and 32 of
 * tag as RFC 9106 4 has them. Raising a number rehashes at the next sign-in.
 */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const
const SALT_BYTES = 16
const TAG_BYTES = 32

/** The PHC string format: base64 without padding. */
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '')

const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

/** A password as it is typed may be composed in several ways of the same characters (NIST SP 800-63B 3.1.1.2). */
const bytesOf = (password: string) => Buffer.from(password.normalize('NFKC'))

/** The hash of a password as a PHC string. */
export async function hashPassword(password: string, random: (bytes: number) => Uint8Array): Promise<string> {
  const salt = random(SALT_BYTES)
  const tag = await derive('argon2id', {
    message: bytesOf(password),
    nonce: salt,
    tagLength: TAG_BYTES,
    ...COST,
  })
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${base64(salt)}$${base64(tag)}`
}

/**
 * Whether a password has this hash, in time that does not depend on where they differ.
 * @throws Error when the text is no hash of ours: the row is damaged
 */
export async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', tag = ''] = PHC.exec(phc) ?? []
  if (memory === undefined) throw new Error('a stored password hash is not an argon2id PHC string')
  const expected = Buffer.from(tag, 'base64')
  const actual = await derive('argon2id', {
    message: bytesOf(password),
    nonce: Buffer.from(salt, 'base64'),
    tagLength: expected.length,
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
  })
  return timingSafeEqual(actual, expected)
}

/** Whether a hash was made with other costs than today's. */
export const isOutdated = (phc: string): boolean =>
  !phc.startsWith(`$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$`)

/** Letters and digits that nobody confuses when reading them aloud: 32 of them, five bits each. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const GROUPS = 5
const GROUP = 4

/** A password for one use: five groups of four characters, 100 bits. */
export function oneTimePassword(random: (bytes: number) => Uint8Array): string {
  const characters = [...random(GROUPS * GROUP)].map((byte) => ALPHABET[byte % ALPHABET.length])
  return Array.from({ length: GROUPS }, (_, g) => characters.slice(g * GROUP, (g + 1) * GROUP).join('')).join(
    '-',
  )
}
