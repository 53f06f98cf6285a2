import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import {
  type BadEvent,
  type ChainStart,
  type GoodChain,
  sameBytes,
  type Sha256,
  verifyChain,
} from '@attestry/contracts'
import { escapeLiteral, type Pool } from 'pg'
import { transaction } from '../postgres.ts'
import { copyOut, rowCutter } from './copy-out.ts'
import { readHead } from './read.ts'
import { LEDGER_ROLE } from './open.ts'

/** The platform's SHA-256. */
export const sha256: Sha256 = Object.assign(
  (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer'),
  {
    // By way of a text of one character a byte: to make a Buffer takes Node longer than to hash a link.
    into(bytes: Uint8Array, output: Uint8Array, at: number): void {
      const text = hash('sha256', bytes, 'binary')
      for (let i = 0; i < 32; i++) output[at + i] = text.charCodeAt(i)
    },
  },
)

export interface VerifyLedger {
  readonly tenant: string
  /**
   * Parse each envelope and check that its text is canonical and that the columns say the same. False checks the
   * hashes, seq, positions, time and tenant alone, about four times as fast. @default true
   */
  readonly canonical?: boolean
  /** Compute the tree's root. @default true */
  readonly tree?: boolean
  readonly signal?: AbortSignal
}

/** What a column says must be what the hashed text says: readers filter by the columns. Worked out by the server. */
const COLUMNS_AGREE = `
  right(envelope, length(tail)) = tail
  and starts_with(envelope, '{"at":"' || to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '","event":{')
  and strpos(envelope, '"id":"' || id || '"') > 0
  and starts_with(type, context || '.')`

/** Whether an event of the chain accounts for a body that is gone. */
const ACCOUNTED = `exists (select from ledger.event p, lateral (select p.envelope::jsonb #> '{event,data}' as d) x
  where p.tenant = e.tenant and p.context = 'ledger' and p.type = 'ledger.pruned' and p.seq > e.seq
    and e.seq <= (d ->> 'through')::bigint and e.at < (d ->> 'before')::timestamptz and (d -> 'types') ? e.type)`

const quickWalkOf = (tenant: string): string => `copy (
  select seq, leaf, link, envelope from ledger.event where tenant = ${escapeLiteral(tenant)} order by seq
) to stdout (format binary)`

const fullWalkOf = (tenant: string): string => `copy (
  select seq, leaf, link, envelope, context, context_prev_seq,
    case when envelope is null then ${ACCOUNTED} else ${COLUMNS_AGREE} end as agree
  from ledger.event e, lateral (select ',"position":' || position || ',"seq":' || seq || ',"stream":"' || stream
    || '","tenant":"' || tenant || '","type":"' || type || '"}' as tail) t
  where tenant = ${escapeLiteral(tenant)} order by seq
) to stdout (format binary)`

/**
 * Walks a tenant's chain in the database, from its genesis to its head, and names the first bad event: an edit, a
 * deletion, an insertion, another order, a column that disagrees with the hashed text, a body that is gone without a
 * pruning that accounts for it, or a head that tells of more.
 * Takes one snapshot; appends go on meanwhile.
 * @throws {Error} for a tenant without a chain; {Transient} when the database is away
 */
export const verifyLedger = async (pool: Pool, options: VerifyLedger): Promise<GoodChain | BadEvent> => {
  const { tenant, canonical = true, tree = true, signal } = options
  return await transaction(
    pool,
    { role: LEDGER_ROLE, tenant, snapshot: true, ...(signal ? { signal } : {}) },
    async (client) => {
      const head = await readHead(client, tenant)
      if (!head) throw new Error(`tenant "${tenant}" has no chain`)
      const verifier = verifyChain(sha256, { tenant, canonical, tree })
      const contexts = new Map<string, number>()
      let bad: BadEvent | null = null
      const push = rowCutter(([seqBytes, leaf, link, envelope, contextBytes, previousBytes, agree]) => {
        if (bad) return
        if (!seqBytes || !leaf || !link) throw new Error('a column of the ledger is null that cannot be')
        // Read in halves: a bigint an event costs more than two numbers.
        const seq = seqBytes.readUInt32BE(0) * 2 ** 32 + seqBytes.readUInt32BE(4)
        bad = verifier.push(envelope ? { seq, leaf, link, envelope } : { seq, leaf, link })
        if (bad || !contextBytes || !previousBytes || !agree) return
        const context = contextBytes.toString('latin1')
        const previous = Number(previousBytes.readBigInt64BE())
        if (agree[0] !== 1 && !envelope) bad = { ok: false, seq, reason: 'body-missing' }
        else if (agree[0] !== 1 || previous !== (contexts.get(context) ?? 0))
          bad = { ok: false, seq, reason: 'column-mismatch' }
        contexts.set(context, seq)
      })
      await copyOut(client, canonical ? fullWalkOf(tenant) : quickWalkOf(tenant), push)
      if (bad) return bad
      const result = verifier.result()
      if (!result.ok) return result
      // A cut tail leaves a chain that holds in itself; the head remembers how far it went.
      if (result.seq !== head.seq || !sameBytes(result.link, head.link))
        return { ok: false, seq: Math.min(result.seq, head.seq) + 1, reason: 'head-mismatch' }
      return result
    },
  )
}

export interface VerifyFile {
  /** The state before the first line, of `start.json`; omitted, the file begins at the genesis. */
  readonly start?: ChainStart
  readonly tenant?: string
  readonly canonical?: boolean
  readonly tree?: boolean
  /** Where the chain must end, as a checkpoint or the exporter says. */
  readonly head?: { readonly seq: number; readonly link: Uint8Array }
  readonly signal?: AbortSignal
}

const CHUNK_BYTES = 1 << 20
/** An envelope's own bound and its newline: a longer line is no line of ours. */
const MAX_LINE_BYTES = 131_072 + 2
const LEAF_LINE = /^\{"leaf":"([0-9a-f]{64})"\}$/
const LEAF_PREFIX = Buffer.from('{"leaf":')

/**
 * Walks an export: a file with one envelope a line, or `{"leaf":"<hex>"}` where the body was left out. Reads the
 * bytes as they are; memory does not grow with the file.
 */
export const verifyFile = async (path: string, options: VerifyFile = {}): Promise<GoodChain | BadEvent> => {
  const { head, signal, ...rules } = options
  const verifier = verifyChain(sha256, rules)
  await using file = await open(path, 'r')
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE_BYTES)
  let filled = 0
  let bad: BadEvent | null = null
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, null)
    const end = filled + bytesRead
    let at = 0
    for (let newline = buffer.indexOf(0x0a); newline >= 0 && newline < end && !bad; ) {
      bad = verifier.push(lineOf(buffer.subarray(at, newline)))
      at = newline + 1
      newline = buffer.indexOf(0x0a, at)
    }
    if (bad) return bad
    // A last line without its newline, and a line longer than any event, are judged as they stand.
    if ((bytesRead === 0 && at < end) || end - at > MAX_LINE_BYTES) {
      bad = verifier.push(lineOf(buffer.subarray(at, end)))
      if (bad) return bad
      at = end
    }
    if (bytesRead === 0) break
    buffer.copyWithin(0, at, end)
    filled = end - at
  }
  buffer = Buffer.alloc(0)
  const result = verifier.result()
  if (!result.ok || !head) return result
  if (result.seq !== head.seq || !sameBytes(result.link, head.link))
    return { ok: false, seq: Math.min(result.seq, head.seq) + 1, reason: 'head-mismatch' }
  return result
}

const lineOf = (bytes: Buffer): { envelope: Buffer } | { leaf: Buffer } | Record<string, never> => {
  if (!bytes.subarray(0, LEAF_PREFIX.length).equals(LEAF_PREFIX)) return { envelope: bytes }
  const leaf = LEAF_LINE.exec(bytes.toString('latin1'))?.[1]
  return leaf === undefined ? {} : { leaf: Buffer.from(leaf, 'hex') }
}
