import type { Connection, PoolClient, Submittable } from 'pg'
import { divertCopyData } from './copy-data.ts'

/**
 * Takes a row of `COPY … (FORMAT binary)`: field i of `count` stands in `bytes` from `spans[2 * i]` to
 * `spans[2 * i + 1]`, and null is -1. Both are valid only within the call; the bytes are the taker's to change.
 */
export type TakeRow = (bytes: Buffer, spans: Int32Array, count: number) => void

const HEADER_BYTES = 19
/** More than any statement here asks for. */
const MAX_FIELDS = 32

/**
 * Cuts the bytes of a binary COPY into rows, without an object for a row or a field.
 * @see PostgreSQL, COPY, "Binary Format"
 */
export const rowCutter = (take: TakeRow): ((chunk: Buffer) => void) => {
  const spans = new Int32Array(2 * MAX_FIELDS)
  let rest: Buffer | null = null
  let headerRead = false

  /** The end of the row that starts at `at`, or -1 where the bytes end first. A count of -1 is the trailer. */
  const cut = (bytes: Buffer, at: number): number => {
    if (at + 2 > bytes.length) return -1
    const count = bytes.readInt16BE(at)
    if (count > MAX_FIELDS) throw new Error(`a row of ${count} fields: at most ${MAX_FIELDS} are read`)
    let position = at + 2
    for (let i = 0; i < count; i++) {
      if (position + 4 > bytes.length) return -1
      const length = bytes.readInt32BE(position)
      position += 4
      spans[2 * i] = length < 0 ? -1 : position
      if (length > 0) position += length
      if (position > bytes.length) return -1
      spans[2 * i + 1] = position
    }
    if (count > 0) take(bytes, spans, count)
    return position
  }

  return (chunk) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk
    rest = null
    let at = 0
    if (!headerRead) {
      if (bytes.length < HEADER_BYTES) {
        rest = Buffer.from(bytes)
        return
      }
      // Signature, flags, and the length of an extension that is to be skipped.
      at = HEADER_BYTES + bytes.readInt32BE(15)
      headerRead = true
    }
    while (at < bytes.length) {
      const end = cut(bytes, at)
      if (end < 0) {
        rest = Buffer.from(bytes.subarray(at))
        return
      }
      at = end
    }
  }
}

/** What pg calls on a query under way, of which COPY OUT needs these. */
interface CopyQuery extends Submittable {
  handleCommandComplete(): void
  handleReadyForQuery(): void
  handleError(error: Error): void
}

/**
 * Runs a `COPY … TO STDOUT (FORMAT binary)` and hands over its bytes as they come, a row at a time and with no promise
 * a row: the fastest way out of Postgres. They are valid only within the call, and the taker's to change. A throw of
 * `onBytes` rejects, after the rest was drained.
 */
export const copyOut = async (
  client: PoolClient,
  statement: string,
  onBytes: (chunk: Buffer) => void,
): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let failed: unknown = null
  const take = (chunk: Buffer): void => {
    if (failed !== null) return
    try {
      onBytes(chunk)
    } catch (error) {
      failed = error ?? new Error('the reader failed')
    }
  }
  let giveBack = (): void => {}
  const query: CopyQuery = {
    submit(connection: Connection) {
      giveBack = divertCopyData(connection.stream, take)
      connection.query(statement)
    },
    handleCommandComplete() {},
    handleReadyForQuery() {
      giveBack()
      if (failed === null) resolve()
      else reject(failed)
    },
    // pg answers ReadyForQuery after an error as well, but no longer to this query.
    handleError(error) {
      giveBack()
      reject(error)
    },
  }
  client.query(query)
  await promise
}
