import { escapeLiteral } from 'pg'
import { COMPARED_COLUMNS, FIELD } from './columns.ts'
import type { TakeRow } from './copy-out.ts'

/*
 * Events that travel as one row: a row costs the server more than the bytes of an event, and a value of an array more
 * than the bytes of a value. So leaves, links and envelopes are strung together, and the lengths of the envelopes told.
 */

const BLOCK = 128
const HASH_BYTES = 32

/** The fields of a block: of those strung together, and of the lengths. All others are arrays, as in a row of FIELD. */
const LENGTHS = FIELD.accounted

/**
 * A COPY of the events after `after` up to `upTo`, in blocks. A series is walked in its order, whatever is joined to it:
 * to sort the blocks as well would write the whole of them down first.
 * @param columns whether those that `columnsAgree()` compares travel too
 */
export const blocksOf = (tenant: string, columns: boolean, after: number, upTo: number): string => `copy (
  select events.* from generate_series(${after}::bigint, ${upTo - 1}, ${BLOCK}) first, lateral (
    select array_agg(seq), string_agg(leaf, ''), string_agg(link, ''), string_agg(envelope, ''),
      array_agg(octet_length(envelope))${columns ? COMPARED_COLUMNS.map((column) => `, array_agg(${column})`).join('') : ''}
    from (
      select * from ledger.event
      where tenant = ${escapeLiteral(tenant)} and seq > first and seq <= least(first + ${BLOCK}, ${upTo}) order by seq
    ) event
  ) events
) to stdout (format binary)`

/** What stands before an array's elements: dimensions, whether there are nulls, the type, length and first index. */
const ARRAY_HEADER_BYTES = 20
/** A length and an int4. */
const INT4_BYTES = 8

/**
 * Hands over the events of blocks as rows of FIELD, up to the first block in which a body is gone or a hash has another
 * length than a hash: from there on nothing, and `stopped()` tells.
 * @see PostgreSQL, array_send()
 */
export const blockOpener = (take: TakeRow): { readonly take: TakeRow; readonly stopped: () => boolean } => {
  const count = FIELD.accounted + 1 + COMPARED_COLUMNS.length
  const places = new Int32Array(count)
  const fields = new Int32Array(2 * count).fill(-1)
  let stopped = false

  /** How many events, where each is whole; else -1. */
  const wholeEvents = (bytes: Buffer, spans: Int32Array): number => {
    const size = (field: number): number => (spans[2 * field + 1] ?? 0) - (spans[2 * field] ?? 0)
    const events = bytes.readInt32BE((spans[0] ?? 0) + 12)
    const lengths = (spans[2 * LENGTHS] ?? 0) + ARRAY_HEADER_BYTES
    if (
      (spans[2 * FIELD.envelope] ?? -1) < 0 ||
      size(FIELD.leaf) !== events * HASH_BYTES ||
      size(FIELD.link) !== events * HASH_BYTES ||
      // A null has a length and no value.
      size(LENGTHS) !== ARRAY_HEADER_BYTES + events * INT4_BYTES
    )
      return -1
    let total = 0
    for (let event = 0; event < events; event++) total += bytes.readInt32BE(lengths + event * INT4_BYTES + 4)
    return total === size(FIELD.envelope) ? events : -1
  }

  const put = (field: number, from: number, to: number): void => {
    fields[2 * field] = from
    fields[2 * field + 1] = to
  }

  return {
    stopped: () => stopped,
    take(bytes, spans, given) {
      if (stopped || (spans[0] ?? -1) < 0) return
      const events = wholeEvents(bytes, spans)
      if (events < 0) {
        stopped = true
        return
      }
      const start = (field: number): number => spans[2 * field] ?? 0
      let seq = start(FIELD.seq) + ARRAY_HEADER_BYTES
      let leaf = start(FIELD.leaf)
      let link = start(FIELD.link)
      let envelope = start(FIELD.envelope)
      let length = start(LENGTHS) + ARRAY_HEADER_BYTES + 4
      for (let field = LENGTHS + 1; field < given; field++) places[field] = start(field) + ARRAY_HEADER_BYTES
      for (let event = 0; event < events; event++) {
        put(FIELD.seq, seq + 4, seq + 12)
        seq += 12
        put(FIELD.leaf, leaf, leaf + HASH_BYTES)
        leaf += HASH_BYTES
        put(FIELD.link, link, link + HASH_BYTES)
        link += HASH_BYTES
        const end = envelope + bytes.readInt32BE(length)
        put(FIELD.envelope, envelope, end)
        envelope = end
        length += INT4_BYTES
        for (let field = LENGTHS + 1; field < given; field++) {
          const place = (places[field] ?? 0) + 4
          const size = bytes.readInt32BE(place - 4)
          put(field, size < 0 ? -1 : place, size < 0 ? -1 : place + size)
          places[field] = place + Math.max(size, 0)
        }
        take(bytes, fields, given)
      }
    },
  }
}
