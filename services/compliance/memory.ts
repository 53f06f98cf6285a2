import { RuleResult } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'
import * as z from 'zod'
import { Estate, type Touched } from './estate.ts'
import { Standing } from './evaluate.ts'
import { mappingDigest } from './frameworks/mapping.ts'
import type { FindingRefLike } from './findings.ts'
import { CONTEXTS, type EstateRecord } from './record.ts'
import type { Ruleset } from './ruleset.ts'

/** How far a context was folded into rows, and how far it was judged. */
export interface Horizon {
  readonly folded: number
  readonly judged: number
}

/** What is known of every context; one that was never seen reads as nothing. */
export async function readHorizon(tx: Tx): Promise<ReadonlyMap<string, Horizon>> {
  const rows = await tx.rows<{ context: string; folded: number; judged: number }>(
    'select context, folded::int as folded, judged::int as judged from horizon where tenant = $1',
    [tx.tenant],
  )
  return new Map(rows.map(({ context, folded, judged }) => [context, { folded, judged }]))
}

/** Columns of an estate row as a record. */
export const RECORD = 'e.id, e.kind, e.holder, e.name, e.gone, e.facts'

interface LoadedRow extends EstateRecord {
  readonly context: string
  readonly folded: number
}

/** A finding of the record with its state. */
interface FindingRow {
  readonly rule: string
  readonly subject: string
  readonly state: 'open' | 'resolved'
}

/** What the last evaluation said, to tell whether a new one says anything else. */
export interface Before {
  readonly results: readonly RuleResult[]
  readonly ruleset: string
}

/**
 * What one process keeps in memory of one tenant between evaluations: the estate, where it stands, and which
 * findings are on record. All of it can be lost at any time and is then read from rows.
 */
export class Memory {
  readonly #estate = new Estate()
  readonly standing: Standing
  readonly #ruleset: Ruleset
  /** How far each context is in the estate. */
  readonly asOf = new Map<string, number>()
  #touched: Touched = new Map()
  #record = new Map<string, Map<string, 'open' | 'resolved'>>()
  #adopted: string | null = null
  #mapped: string | null = null
  #before: Before | null = null
  /** Up to which seq of our own context the record tells; -1 when it must be read. */
  #recordedTo = -1

  constructor(ruleset: Ruleset) {
    this.#ruleset = ruleset
    this.standing = new Standing(this.#estate, ruleset)
  }

  get record(): ReadonlyMap<string, ReadonlyMap<string, 'open' | 'resolved'>> {
    return this.#record
  }
  /** Digest of the ruleset that was adopted last. */
  get adopted(): string | null {
    return this.#adopted
  }
  /** Digest of the mapping to frameworks that was adopted last. */
  get mapped(): string | null {
    return this.#mapped
  }
  get before(): Before | null {
    return this.#before
  }

  /** Whether the record already tells what was appended up to a seq. */
  recordedTo(seq: number): boolean {
    return this.#recordedTo >= seq && this.#recordedTo !== -1
  }

  /** Reads what the rows have more than memory. One statement, so that `asOf` and the rows are of one moment. */
  async refresh(tx: Tx): Promise<void> {
    const rows = await tx.rows<LoadedRow>(
      `select h.context, h.folded::int as folded, ${RECORD}
       from horizon h left join estate e on e.tenant = h.tenant and e.context = h.context
         and e.seq > coalesce(($2::jsonb ->> h.context)::bigint, 0)
       where h.tenant = $1 and h.context = any($3)`,
      [tx.tenant, JSON.stringify(Object.fromEntries(this.asOf)), CONTEXTS],
    )
    for (const row of rows) this.asOf.set(row.context, row.folded)
    // The join leaves one row without an id for a context in which nothing changed.
    const touched = this.#estate.load(rows.filter((r) => r.id !== null))
    for (const [kind, ids] of touched) {
      const before = this.#touched.get(kind)
      if (before) for (const id of ids) before.add(id)
      else this.#touched.set(kind, ids)
    }
  }

  /** Whether an environment is being scanned for the first time, or none was ever scanned: too early to judge. */
  get tooEarly(): boolean {
    let scanned = false
    for (const { facts } of this.#estate.of('environment')) {
      if (facts.scanning && !facts.scanned) return true
      scanned ||= facts.scanned === true
    }
    return !scanned
  }

  /** Judges what changed and what time turned. Epoch milliseconds. */
  judge(now: number): void {
    this.standing.advance(this.#touched, now)
    this.#touched = new Map()
  }

  /** Reads which findings are on record and what the last evaluation said. */
  async readRecord(tx: Tx, upTo: number): Promise<void> {
    const rows = await tx.rows<FindingRow>('select rule, subject, state from finding where tenant = $1', [
      tx.tenant,
    ])
    this.#record = new Map()
    for (const row of rows) this.#note(row, row.state)
    const [adopted] = await tx.rows<{ digest: string }>('select digest from ruleset where tenant = $1', [
      tx.tenant,
    ])
    this.#adopted = adopted?.digest ?? null
    const [mapped] = await tx.rows<{ digest: string }>('select digest from mapping where tenant = $1', [
      tx.tenant,
    ])
    this.#mapped = mapped?.digest ?? null
    const [last] = await tx.rows<{ results: unknown; ruleset_digest: string }>(
      'select results, ruleset_digest from evaluation where tenant = $1 order by seq desc limit 1',
      [tx.tenant],
    )
    this.#before = last
      ? { results: z.array(RuleResult).parse(last.results), ruleset: last.ruleset_digest }
      : null
    this.#recordedTo = upTo
  }

  #note({ rule, subject }: FindingRefLike, state: 'open' | 'resolved'): void {
    const known = this.#record.get(rule)
    if (known) known.set(subject, state)
    else this.#record.set(rule, new Map([[subject, state]]))
  }

  /** Takes over what was appended up to a seq. */
  recorded(
    change: {
      readonly opened: readonly FindingRefLike[]
      readonly reopened: readonly FindingRefLike[]
      readonly resolved: readonly FindingRefLike[]
    },
    results: readonly RuleResult[],
    seq: number,
  ): void {
    for (const ref of change.opened) this.#note(ref, 'open')
    for (const ref of change.reopened) this.#note(ref, 'open')
    for (const ref of change.resolved) this.#note(ref, 'resolved')
    this.#adopted = this.#ruleset.digest
    this.#mapped = mappingDigest
    this.#before = { results, ruleset: this.#ruleset.digest }
    this.#recordedTo = seq
    this.standing.settle()
  }

  /** Forgets the record: somebody else appended, or it is not known whether an append went through. */
  forgetRecord(): void {
    this.#recordedTo = -1
  }
}
