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
import { type PoolClient, rows, transaction } from '../postgres.ts'
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
   * Read each envelope whole and check that its text is canonical and that the columns say the same. False checks the
   * hashes, seq, positions, time and tenant alone, about twice as fast. @default true
   */
  readonly canonical?: boolean
  /** Compute the tree's root. @default true */
  readonly tree?: boolean
  readonly signal?: AbortSignal
}

/** What a column says must be what the hashed text says: readers filter by the columns. Worked out by the server. */
const TAIL = `, lateral (select convert_to(envelope, 'UTF8') as bytes, convert_to(',"position":' || position || ',"seq":'
    || seq || ',"stream":"' || stream || '","tenant":"' || tenant || '","type":"' || type || '"}', 'UTF8') as tail) t`
const COLUMNS_AGREE = `
  substr(bytes, length(bytes) - length(tail) + 1) = tail
  and starts_with(envelope, '{"at":"' || to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '","event":{')
  -- Mostly the id stands right before the version and the tail: to look there is cheaper than to search.
  and (substr(bytes, length(bytes) - length(tail) - 50, 51) =
      convert_to('"id":"' || id || '","v":' || chr(get_byte(bytes, greatest(length(bytes) - length(tail) - 2, 0))) || '}', 'UTF8')
    or strpos(envelope, '"id":"' || id || '"') > 0)
  and starts_with(type, context || '.')`

/** Whether an event of the chain accounts for a body that is gone. */
const ACCOUNTED = `exists (select from ledger.event p, lateral (select p.envelope::jsonb #> '{event,data}' as d) x
  where p.tenant = e.tenant and p.context = 'ledger' and p.type = 'ledger.pruned' and p.seq > e.seq
    and e.seq <= (d ->> 'through')::bigint and e.at < (d ->> 'before')::timestamptz and (d -> 'types') ? e.type)`

/** A body that is gone has nothing to be compared with; the chain must say why it is gone. */
const AGREE = `case when envelope is null then ${ACCOUNTED} else ${COLUMNS_AGREE} end`

/** Events that travel as one row: a row costs the reader as much as some hundred bytes. */
const BLOCK = 64

/** What `pushBlock()` takes, and where columns are compared as well, each event's context and the one before it. */
const blocksOf = (tenant: string, last: number, columns: boolean): string => `copy (
  select joined.*
  from generate_series(0, ${Math.floor((last - 1) / BLOCK)}) block, lateral (
    select string_agg(coalesce(bytes, ''), '\\x00'::bytea), string_agg(leaf, ''::bytea), string_agg(link, ''::bytea),
      max(greatest(length(leaf), length(link)))
      ${columns ? `, string_agg(context || ' ' || context_prev_seq, E'\\n'), bool_and(agree)` : ''}
    from (
      select leaf, link
      ${columns ? `, bytes, context, context_prev_seq, ${AGREE} as agree` : `, convert_to(envelope, 'UTF8') as bytes`}
      from ledger.event e ${columns ? TAIL : ''}
      where tenant = ${escapeLiteral(tenant)} and seq > block * ${BLOCK} and seq <= (block + 1) * ${BLOCK}
      order by seq
    ) event
  ) joined
  order by block
) to stdout (format binary)`

const rowsOf = (tenant: string): string => `copy (
  select seq, leaf, link, envelope, context, context_prev_seq, ${AGREE} as agree
  from ledger.event e ${TAIL}
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
      const good = await walkBlocks(client, tenant, head.seq, { canonical, tree })
      if (good && good.seq === head.seq && sameBytes(good.link, head.link)) return good
      // Something is wrong: which event is the first, a walk row by row tells.
      const named = await walkRows(client, tenant, { canonical, tree })
      if (!named.ok) return named
      // A cut tail leaves a chain that holds in itself; the head remembers how far it went.
      if (named.seq !== head.seq || !sameBytes(named.link, head.link))
        return { ok: false, seq: Math.min(named.seq, head.seq) + 1, reason: 'head-mismatch' }
      throw new Error('two walks over one chain disagree')
    },
  )
}

type Checks = Required<Pick<VerifyLedger, 'canonical' | 'tree'>>

/** Walks up to `last` in blocks; null where anything at all is not as it should be. */
const walkBlocks = async (
  client: PoolClient,
  tenant: string,
  last: number,
  { canonical, tree }: Checks,
): Promise<GoodChain | null> => {
  // Two looks at the index: asked in one, every row would be looked at.
  const beyond = await rows(
    client,
    `(select 1 from ledger.event where tenant = $1 and seq < 1 limit 1)
     union all (select 1 from ledger.event where tenant = $1 and seq > $2 limit 1)`,
    [tenant, last],
  )
  if (beyond.length > 0 || last < 1) return null
  const verifier = verifyChain(sha256, { tenant, canonical, tree })
  const contexts = contextOrder()
  let holds = true
  let block = 0
  let seq = 0
  const push = rowCutter(([envelopes, leaves, links, longest, contextText, agree]) => {
    if (!holds) return
    holds = false
    // As many as the block's seqs, which are unique: so none is missing, and no hash is longer or shorter than another.
    const count = Math.min(BLOCK, last - BLOCK * block++)
    if (!envelopes || leaves?.length !== 32 * count || links?.length !== 32 * count) return
    if (longest?.readInt32BE(0) !== 32 || verifier.pushBlock({ envelopes, leaves, links })) return
    if (canonical) {
      if (!contextText || agree?.[0] !== 1) return
      for (const line of contextText.toString('latin1').split('\n')) {
        const space = line.indexOf(' ')
        seq++
        if (!contexts(line.slice(0, space), Number(line.slice(space + 1)), seq)) return
      }
    }
    holds = true
  })
  await copyOut(client, blocksOf(tenant, last, canonical), push)
  const result = verifier.result()
  return holds && result.ok ? result : null
}

/** Walks row by row, and so names the first bad event. */
const walkRows = async (
  client: PoolClient,
  tenant: string,
  { canonical, tree }: Checks,
): Promise<GoodChain | BadEvent> => {
  const verifier = verifyChain(sha256, { tenant, canonical, tree })
  const contexts = contextOrder()
  let bad: BadEvent | null = null
  const push = rowCutter(([seqBytes, leaf, link, envelope, context, previous, agree]) => {
    if (bad) return
    if (!seqBytes || !leaf || !link || !context || !previous)
      throw new Error('a column of the ledger is null that cannot be')
    const seq = Number(seqBytes.readBigInt64BE())
    bad = verifier.push(envelope ? { seq, leaf, link, envelope } : { seq, leaf, link })
    if (bad || !canonical) return
    if (!contexts(context.toString('latin1'), Number(previous.readBigInt64BE()), seq) || agree?.[0] !== 1)
      bad = { ok: false, seq, reason: envelope || agree?.[0] === 1 ? 'column-mismatch' : 'body-missing' }
  })
  await copyOut(client, rowsOf(tenant), push)
  return bad ?? verifier.result()
}

/** Whether each event names the one before it of its own context. */
const contextOrder = (): ((context: string, previous: number, seq: number) => boolean) => {
  const last = new Map<string, number>()
  return (context, previous, seq) => {
    const holds = previous === (last.get(context) ?? 0)
    last.set(context, seq)
    return holds
  }
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
