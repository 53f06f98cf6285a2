import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import {
  type BadEvent,
  type ChainStart,
  type ChainVerifier,
  type GoodChain,
  sameBytes,
  type Sha256,
  standsAt,
  verifyChain,
} from '@attestry/contracts'
import { escapeLiteral, type Pool } from 'pg'
import { type PoolClient, transaction } from '../postgres.ts'
import { blockOpener, blocksOf } from './blocks.ts'
import { COMPARED_COLUMNS, columnsAgree, endOf, FIELD, int64At, startOf } from './columns.ts'
import { copyOut, rowCutter, type TakeRow } from './copy-out.ts'
import { readHead } from './read.ts'
import { LEDGER_ROLE } from './open.ts'

/** The length is said because Node looks up whether the algorithm has one where it is not. */
const AS_TEXT = { outputEncoding: 'latin1', outputLength: 32 } as const

/** The platform's SHA-256. */
export const sha256: Sha256 = Object.assign(
  (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer'),
  {
    // By way of a text of one character a byte: to make a Buffer takes Node longer than to hash a link.
    into(bytes: Uint8Array, output: Uint8Array, at: number): void {
      const text = hash('sha256', bytes, AS_TEXT)
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
  /** Events that one statement reads; the walk stops behind the one that holds the first bad event. @default 65536 */
  readonly span?: number
  readonly signal?: AbortSignal
}

/** Whether an event of the chain accounts for a body that is gone. Asked of no other. */
const ACCOUNTED = `envelope is not null or exists (
  select from ledger.event p, lateral (select p.envelope::jsonb #> '{event,data}' as d) x
  where p.tenant = e.tenant and p.context = 'ledger' and p.type = 'ledger.pruned' and p.seq > e.seq
    and e.seq <= (d ->> 'through')::bigint and e.at < (d ->> 'before')::timestamptz and (d -> 'types') ? e.type)`

/** Events a row each: those outside of the blocks, of which a chain that holds has none, and those without a body. */
const rowsOf = (tenant: string, columns: boolean, condition: string): string => `copy (
  select seq, leaf, link, envelope, ${ACCOUNTED}${columns ? `, ${COMPARED_COLUMNS.join(', ')}` : ''}
  from ledger.event e where tenant = ${escapeLiteral(tenant)} and ${condition} order by seq
) to stdout (format binary)`

/**
 * Walks a tenant's chain in the database, from its genesis to its head, and names the first bad event: an edit, a
 * deletion, an insertion, another order, a column that disagrees with the hashed text, a body that is gone without a
 * pruning that accounts for it, or a head that tells of more.
 * Takes one snapshot; appends go on meanwhile.
 * @throws {Error} for a tenant without a chain; {Transient} when the database is away
 */
export const verifyLedger = async (pool: Pool, options: VerifyLedger): Promise<GoodChain | BadEvent> => {
  const { tenant, canonical = true, tree = true, span = 65_536, signal } = options
  return await transaction(
    pool,
    { role: LEDGER_ROLE, tenant, snapshot: true, ...(signal ? { signal } : {}) },
    async (client) => {
      const head = await readHead(client, tenant)
      if (!head) throw new Error(`tenant "${tenant}" has no chain`)
      const walked = await walk(client, tenant, head.seq, { canonical, tree, span })
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
  last: number,
  { canonical, tree, span }: Required<Pick<VerifyLedger, 'canonical' | 'tree' | 'span'>>,
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
      // The byte before an envelope was read, as the end of its length or of the envelope before: it becomes the 0x00.
      if (from > 0) bytes[from - 1] = 0
      bad = verifier.pushRow({ bytes, seq, leaf, link, from, to: endOf(spans, FIELD.envelope) })
    }
    if (bad) return
    if (from < 0 && bytes[startOf(spans, FIELD.accounted)] !== 1)
      bad = { ok: false, seq, reason: 'body-missing' }
    else if (canonical && !agree(bytes, spans)) bad = { ok: false, seq, reason: 'column-mismatch' }
  }
  const verified = (): number => verifier.result().seq
  const allGoodUpTo = (seq: number): boolean => !bad && verified() === seq
  // To compile so plain a plan takes longer than to run it.
  await client.query('set local jit = off')
  const readRows = (condition: string): Promise<void> =>
    copyOut(client, rowsOf(tenant, canonical, condition), rowCutter(take))
  await readRows('seq < 1')
  let upTo = 0
  while (allGoodUpTo(upTo) && upTo < last) {
    const after = upTo
    upTo = Math.min(after + span, last)
    const block = blockOpener(take)
    await copyOut(client, blocksOf(tenant, canonical, after, upTo), rowCutter(block.take))
    if (!bad && block.stopped()) await readRows(`seq > ${verified()} and seq <= ${upTo}`)
  }
  // Where something is missing, the event after it tells; beyond the head there is none.
  if (!bad) await readRows(`seq > ${upTo}`)
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
/** Where in a buffer a chunk begins: before it is room for the line that the one before it cut, and for a 0x00. */
const BASE = 1 + MAX_LINE_BYTES
const NEWLINE = 0x0a
const LEAF_LINE = /^\{"leaf":"([0-9a-f]{64})"\}$/
const LEAF_PREFIX = Buffer.from('{"leaf":')

/**
 * Walks an export: a file with one envelope a line, or `{"leaf":"<hex>"}` where the body was left out. Reads the
 * bytes where they stand, and the next ones while these are judged; memory does not grow with the file.
 */
export const verifyFile = async (path: string, options: VerifyFile = {}): Promise<GoodChain | BadEvent> => {
  const { head, signal, ...rules } = options
  const verifier = verifyChain(sha256, rules)
  await using file = await open(path, 'r')
  const buffers = [0, 1].map(() => Buffer.allocUnsafe(BASE + CHUNK_BYTES)) as [Buffer, Buffer]
  const readInto = async (buffer: Buffer): Promise<number> =>
    (await file.read(buffer, BASE, CHUNK_BYTES, null)).bytesRead

  let [now, next] = buffers
  let start = BASE
  let bytesRead = await readInto(now)
  for (;;) {
    signal?.throwIfAborted()
    const end = BASE + bytesRead
    const reading = bytesRead > 0 ? readInto(next) : 0
    const cut = judgeLines(verifier, now, start, end, bytesRead === 0)
    const following = await reading
    if (typeof cut !== 'number') return cut
    if (bytesRead === 0) break
    start = BASE - (end - cut)
    now.copy(next, start, cut, end)
    ;[now, next] = [next, now]
    bytesRead = following
  }
  const result = verifier.result()
  if (!result.ok || !head) return result
  if (result.seq !== head.seq || !sameBytes(result.link, head.link))
    return { ok: false, seq: Math.min(result.seq, head.seq) + 1, reason: 'head-mismatch' }
  return result
}

/** Takes the whole lines between two places; answers where the first cut one begins, or the first bad event. */
const judgeLines = (
  verifier: ChainVerifier,
  bytes: Buffer,
  start: number,
  end: number,
  last: boolean,
): number | BadEvent => {
  let at = start
  while (at < end) {
    let to = bytes.indexOf(NEWLINE, at)
    if (to < 0 || to >= end) {
      // A last line without its newline, and a line longer than any event, are judged as they stand.
      if (!last && end - at <= MAX_LINE_BYTES) return at
      to = end
    }
    const bad = judgeLine(verifier, bytes, at, to)
    if (bad) return bad
    at = to + 1
  }
  return end
}

const judgeLine = (verifier: ChainVerifier, bytes: Buffer, from: number, to: number): BadEvent | null => {
  if (to - from > LEAF_PREFIX.length && standsAt(LEAF_PREFIX, bytes, from)) {
    const leaf = LEAF_LINE.exec(bytes.toString('latin1', from, to))?.[1]
    return verifier.push(leaf === undefined ? {} : { leaf: Buffer.from(leaf, 'hex') })
  }
  // The byte before a line is read: it becomes the 0x00 before the envelope.
  bytes[from - 1] = 0
  return verifier.pushRow({ bytes, seq: -1, leaf: -1, link: -1, from, to })
}
