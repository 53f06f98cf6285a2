import type { Connection, PoolClient, Submittable } from 'pg'

/** A row of `COPY … (FORMAT binary)`: one buffer a field, null for null. Valid only within the call. */
export type BinaryRow = readonly (Buffer | null)[]

const HEADER_BYTES = 19

/**
 * Cuts the bytes of a binary COPY into rows.
 * @see PostgreSQL, COPY, "Binary Format"
 */
export const rowCutter = (onRow: (row: BinaryRow) => void): ((chunk: Buffer) => void) => {
  let rest: Buffer | null = null
  let headerRead = false

  /** The end of the row that starts at `at`, or -1 where the bytes end first; fills `fields`. */
  const cut = (bytes: Buffer, at: number, fields: (Buffer | null)[]): number => {
    if (at + 2 > bytes.length) return -1
    const count = bytes.readInt16BE(at)
    let position = at + 2
    for (let i = 0; i < count; i++) {
      if (position + 4 > bytes.length) return -1
      const length = bytes.readInt32BE(position)
      position += 4
      if (length < 0) {
        fields.push(null)
        continue
      }
      if (position + length > bytes.length) return -1
      fields.push(bytes.subarray(position, position + length))
      position += length
    }
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
      const fields: (Buffer | null)[] = []
      const end = cut(bytes, at, fields)
      if (end < 0) {
        rest = Buffer.from(bytes.subarray(at))
        return
      }
      // A count of -1 is the trailer.
      if (fields.length > 0) onRow(fields)
      at = end
    }
  }
}

/** What pg calls on a query under way, of which COPY OUT needs these. */
interface CopyQuery extends Submittable {
  handleCopyData(message: { readonly chunk: Buffer }): void
  handleCommandComplete(): void
  handleReadyForQuery(): void
  handleError(error: Error): void
}

/**
 * Runs a `COPY … TO STDOUT (FORMAT binary)` and hands over its bytes as they come, with no promise a row: the fastest
 * way out of Postgres. A throw of `onBytes` rejects, after the rest was drained.
 */
export const copyOut = async (
  client: PoolClient,
  statement: string,
  onBytes: (chunk: Buffer) => void,
): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let failed: unknown = null
  const query: CopyQuery = {
    submit: (connection: Connection) => connection.query(statement),
    handleCopyData({ chunk }) {
      if (failed !== null) return
      try {
        onBytes(chunk)
      } catch (error) {
        failed = error ?? new Error('the reader failed')
      }
    },
    handleCommandComplete() {},
    handleReadyForQuery() {
      if (failed === null) resolve()
      else reject(failed)
    },
    // pg answers ReadyForQuery after an error as well, but no longer to this query.
    handleError: reject,
  }
  client.query(query)
  await promise
}
