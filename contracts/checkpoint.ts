import { fromHex, type Sha256, toHex } from './ledger.ts'

/*
 * Checkpoints of a chain's tree as signed notes, the keys they are verified with, and receipts for one event.
 * Text alone: whoever signs or verifies brings Ed25519.
 * @see https://c2sp.org/tlog-checkpoint https://c2sp.org/signed-note https://c2sp.org/tlog-proof
 */

const utf8 = new TextEncoder()
const ED25519 = 0x01
const DASH = '\u2014'
/** Signatures that a note may carry at most; verifiers must take sixteen. */
const MOST_SIGNATURES = 16
const LONGEST_NOTE = 16_384

/** A key name: no spaces, no plus, no control characters. */
const NAME = /^[^\s+\p{C}]+$/u
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

const toBase64 = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** Standard base64 in its one form; null for anything else. */
const fromBase64 = (text: string): Uint8Array | null => {
  if (text.length % 4 !== 0 || !BASE64.test(text)) return null
  const binary = atob(text)
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0))
  return toBase64(bytes) === text ? bytes : null
}

/** What a checkpoint says. */
export interface Checkpoint {
  /** Which log: no other one may have it. */
  readonly origin: string
  /** Events from the first on. */
  readonly size: number
  /** RFC 6962 root over their leaves. */
  readonly root: Uint8Array
}

/** A key that notes are verified with. Its name is the origin of the log that it signs for. */
export interface NoteVerifier {
  readonly name: string
  /** Eight hexadecimal digits. */
  readonly keyId: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** A note that was taken apart; nothing of it is verified yet. */
export interface OpenNote {
  readonly text: string
  readonly checkpoint: Checkpoint
  readonly signatures: readonly {
    readonly name: string
    readonly keyId: string
    readonly signature: Uint8Array
  }[]
}

/** Events that a tenant's log holds are those of one chain; its first leaf tells it from every other chain of that name. */
export const logOrigin = (tenant: string, firstLeaf: Uint8Array): string =>
  `attestry/${tenant}/${toHex(firstLeaf).slice(0, 16)}`

/** The tenant that an origin names; null where it is none of ours. */
export const originTenant = (origin: string): string | null =>
  /^attestry\/([a-z0-9][a-z0-9-]{0,62})\/[0-9a-f]{16}$/.exec(origin)?.[1] ?? null

/** First four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)`. */
export const noteKeyId = (sha256: Sha256, name: string, publicKey: Uint8Array): string => {
  const head = utf8.encode(`${name}\n`)
  const input = new Uint8Array(head.length + 33)
  input.set(head)
  input[head.length] = ED25519
  input.set(publicKey, head.length + 1)
  return toHex(sha256(input)).slice(0, 8)
}

/** A verifier's one line, `name+keyId+base64(0x01 ‖ key)`: what an auditor is given by another way. */
export const verifierText = ({ name, keyId, publicKey }: NoteVerifier): string =>
  `${name}+${keyId}+${toBase64(Uint8Array.of(ED25519, ...publicKey))}`

/** Reads such a line; null when it is none, or names another key than it holds. */
export const readVerifier = (sha256: Sha256, line: string): NoteVerifier | null => {
  const [, name = '', keyId = '', coded = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line) ?? []
  const bytes = fromBase64(coded)
  if (!NAME.test(name) || bytes === null || bytes.length !== 33 || bytes[0] !== ED25519) return null
  const publicKey = bytes.slice(1)
  return noteKeyId(sha256, name, publicKey) === keyId ? { name, keyId, publicKey } : null
}

/** The text that is signed. */
export const checkpointText = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${toBase64(root)}\n`

/** A signed note: the text, an empty line, and a line a signature. */
export const noteOf = (
  text: string,
  signatures: readonly { readonly name: string; readonly keyId: string; readonly signature: Uint8Array }[],
): string => {
  const lines = signatures.map(
    ({ name, keyId, signature }) =>
      `${DASH} ${name} ${toBase64(Uint8Array.of(...(fromHex(keyId) ?? []), ...signature))}\n`,
  )
  return `${text}\n${lines.join('')}`
}

/** Takes a checkpoint's note apart, strictly: three lines, no extension, signatures in their one form. */
export const openNote = (note: string): OpenNote | { readonly problem: string } => {
  if (note.length > LONGEST_NOTE) return { problem: 'the note is too long' }
  const split = note.lastIndexOf('\n\n')
  if (split < 0 || !note.endsWith('\n')) return { problem: 'the note has no signatures' }
  const text = note.slice(0, split + 1)
  const [origin = '', sizeText = '', rootText = '', rest, ...more] = text.split('\n')
  if (rest !== '' || more.length > 0) return { problem: 'the checkpoint does not have exactly three lines' }
  const root = fromBase64(rootText)
  if (!NAME.test(origin)) return { problem: 'the checkpoint names no log' }
  if (!/^(0|[1-9]\d{0,15})$/.test(sizeText)) return { problem: 'the checkpoint gives no size' }
  if (root?.length !== 32) return { problem: 'the checkpoint gives no root' }
  const lines = note.slice(split + 2, -1).split('\n')
  if (lines.length > MOST_SIGNATURES) return { problem: 'the note has too many signatures' }
  const signatures = []
  for (const line of lines) {
    const [mark, name = '', coded = '', ...extra] = line.split(' ')
    const bytes = fromBase64(coded)
    if (mark !== DASH || !NAME.test(name) || extra.length > 0 || bytes === null || bytes.length < 5)
      return { problem: 'a signature line of the note cannot be read' }
    signatures.push({ name, keyId: toHex(bytes.subarray(0, 4)), signature: bytes.slice(4) })
  }
  return { text, checkpoint: { origin, size: Number(sizeText), root }, signatures }
}

const PROOF_LINE = 'c2sp.org/tlog-proof@v1'
/** More levels than a tree of 2^53 events has. */
const LONGEST_PROOF = 64

/** A receipt: that one event is in the tree of a checkpoint. Verified with no more than the log's key. */
export interface Receipt {
  /** Counted from 0: an event's seq less one. */
  readonly index: number
  readonly proof: readonly Uint8Array[]
  readonly note: string
  /** Out of band and not vouched for, such as the event's own text. */
  readonly extra: Uint8Array | null
}

export const receiptText = ({ index, proof, note, extra }: Receipt): string =>
  [
    PROOF_LINE,
    ...(extra === null ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(toBase64),
    '',
    note,
  ].join('\n')

/** Reads a receipt strictly. */
export const readReceipt = (text: string): Receipt | { readonly problem: string } => {
  const split = text.indexOf('\n\n')
  const [first, ...lines] = text.slice(0, Math.max(split, 0)).split('\n')
  if (first !== PROOF_LINE) return { problem: `the first line is not ${PROOF_LINE}` }
  const extraLine = lines[0]?.startsWith('extra ') === true ? lines.shift() : undefined
  const extra = extraLine === undefined ? null : fromBase64(extraLine.slice(6))
  if (extraLine !== undefined && extra === null) return { problem: 'the extra data are not base64' }
  const index = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '')?.[1]
  if (index === undefined) return { problem: 'the receipt gives no index' }
  if (lines.length > LONGEST_PROOF) return { problem: 'the proof is longer than any tree is high' }
  const proof: Uint8Array[] = []
  for (const line of lines) {
    const hash = fromBase64(line)
    if (hash?.length !== 32) return { problem: 'a line of the proof is no hash' }
    proof.push(hash)
  }
  return { index: Number(index), proof, note: text.slice(split + 2), extra }
}
