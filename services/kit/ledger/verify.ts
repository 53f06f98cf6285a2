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
import { type PoolClient, transaction } from '../postgres.ts'
import { columnsAgree, endOf, FIELD, int64At, startOf } from './columns.ts'
import { copyOut, rowCutter, type TakeRow } from './copy-out.ts'
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
   * Read each envelope whole and check that its text is canonical and that the columns say the same. False checks the
   * hashes, seq, positions, time and tenant alone, which is faster. @default true
   */
  readonly canonical?: boolean
  /** Compute the tree's root. @default true */
  readonly tree?: boolean
  readonly signal?: AbortSignal
}

/** Whether an event of the chain accounts for a body that is gone. Asked of no other. */
const ACCOUNTED = `envelope is not null or exists (
  select from ledger.event p, lateral (select p.envelope::jsonb #> '{event,data}' as d) x
  where p.tenant = e.tenant and p.context = 'ledger' and p.type = 'ledger.pruned' and p.seq > e.seq
    and e.seq <= (d ->> 'through')::bigint and e.at < (d ->> 'before')::timestamptz and (d -> 'types') ? e.type)`

/** A tenant's events in order, in fields as FIELD counts them: those that `columnsAgree()` compares only where it does. */
const eventsOf = (tenant: string, columns: boolean): string => `copy (
  select seq, leaf, link, envelope, ${ACCOUNTED}
    ${columns ? ', at, position, id, context, context_prev_seq, stream, tenant, type' : ''}
  from ledger.event e where tenant = ${escapeLiteral(tenant)} order by seq
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
      const walked = await walk(client, tenant, { canonical, tree })
      if (!walked.ok) return walked
      // A cut tail leaves a chain that holds in itself; the head remembers how far it went.
      if (walked.seq !== head.seq || !sameBytes(walked.link, head.link))
        return { ok: false, seq: Math.min(walked.seq, head.seq) + 1, reason: 'head-mismatch' }
      return walked
    },
  )
}

const walk = async (
  client: PoolClient,
  tenant: string,
  { canonical, tree }: Required<Pick<VerifyLedger, 'canonical' | 'tree'>>,
): Promise<GoodChain | BadEvent> => {
  const verifier = verifyChain(sha256, { tenant, canonical, tree })
  const agree = columnsAgree()
  let bad: BadEvent | null = null
  const take: TakeRow = (bytes, spans) => {
    if (bad) return
    const [seqAt, leaf, link, from] = [
      startOf(spans, FIELD.seq),
      startOf(spans, FIELD.leaf),
      startOf(spans, FIELD.link),
      startOf(spans, FIELD.envelope),
    ]
    if (seqAt < 0 || leaf < 0 || link < 0) throw new Error('a column of the ledger is null that cannot be')
    const seq = int64At(bytes, seqAt)
    if (endOf(spans, FIELD.leaf) - leaf !== 32) bad = { ok: false, seq, reason: 'leaf-mismatch' }
    else if (endOf(spans, FIELD.link) - link !== 32) bad = { ok: false, seq, reason: 'link-mismatch' }
    else {
      // The last byte of the envelope's length, which was read, becomes the 0x00 before it.
      if (from > 0) bytes[from - 1] = 0
      bad = verifier.pushRow({ bytes, seq, leaf, link, from, to: endOf(spans, FIELD.envelope) })
    }
    if (bad) return
    if (bytes[startOf(spans, FIELD.accounted)] !== 1) bad = { ok: false, seq, reason: 'body-missing' }
    else if (canonical && !agree(bytes, spans)) bad = { ok: false, seq, reason: 'column-mismatch' }
  }
  await copyOut(client, eventsOf(tenant, canonical), rowCutter(take))
  return bad ?? verifier.result()
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
