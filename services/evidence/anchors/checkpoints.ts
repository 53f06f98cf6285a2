import type { EventOf } from '@attestry/contracts'
import type { CheckpointRow } from '@attestry/contracts/http'
import type { Fold, Tx } from '@attestry/kit'

/** A checkpoint as it is kept. */
export interface StoredCheckpoint extends CheckpointRow {
  readonly seq: number
  readonly link: string
  readonly frontier: readonly (string | null)[]
  readonly note: string
  /** The TimeStampResp in base64. */
  readonly token: string | null
}

async function apply(event: EventOf, tx: Tx): Promise<void> {
  switch (event.type) {
    case 'evidence.anchored': {
      const d = event.data
      await tx.rows(
        `insert into checkpoint (tenant, size, seq, at, root, link, frontier, note, status, token, tsa, independent, gen_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing`,
        [
          tx.tenant,
          d.size,
          event.seq,
          event.at,
          d.root,
          d.link,
          JSON.stringify(d.frontier),
          d.note,
          d.status,
          d.token,
          d.tsa,
          d.independent,
          d.genTime,
        ],
      )
      return
    }
    case 'evidence.anchor-stamped': {
      const { size, status, token, tsa, independent, genTime } = event.data
      await tx.rows(
        `update checkpoint set status = $3, token = $4, tsa = $5, independent = $6, gen_time = $7
         where tenant = $1 and size = $2 and status = 'pending'`,
        [tx.tenant, size, status, token, tsa, independent, genTime],
      )
      return
    }
    case 'evidence.anchor-copied': {
      const { size, place, status } = event.data
      if (status === 'copied')
        await tx.rows(
          `update checkpoint set copies = array_append(copies, $3)
           where tenant = $1 and size = $2 and not ($3 = any (copies))`,
          [tx.tenant, size, place],
        )
      return
    }
    default:
  }
}

/** Checkpoints as rows. */
export const checkpointView: Fold = {
  name: 'checkpoints',
  contexts: ['evidence'],
  version: 1,
  apply: async (events, tx) => {
    for (const event of events) await apply(event, tx)
  },
  clear: async (tx) => {
    await tx.rows('delete from checkpoint where tenant = $1', [tx.tenant])
  },
}

interface Row {
  size: number
  seq: number
  at: string
  root: string
  link: string
  frontier: (string | null)[]
  note: string
  status: 'stamped' | 'pending'
  token: string | null
  tsa: string | null
  independent: boolean
  gen_time: string | null
  copies: CheckpointRow['copies']
}

const stored = (row: Row): StoredCheckpoint => ({
  size: row.size,
  seq: row.seq,
  at: row.at,
  root: row.root,
  link: row.link,
  frontier: row.frontier,
  note: row.note,
  token: row.token,
  timestamp: { status: row.status, tsa: row.tsa, independent: row.independent, genTime: row.gen_time },
  copies: row.copies,
})

const one = async (tx: Tx, where: string, values: readonly unknown[]): Promise<StoredCheckpoint | null> => {
  const [row] = await tx.rows<Row>(`select * from checkpoint where tenant = $1 and ${where} limit 1`, [
    tx.tenant,
    ...values,
  ])
  return row ? stored(row) : null
}

export const lastCheckpoint = (tx: Tx) => one(tx, 'true order by size desc', [])
export const checkpointOf = (tx: Tx, size: number) => one(tx, 'size = $2', [size])
/** The first checkpoint that holds an event. */
export const checkpointHolding = (tx: Tx, seq: number) => one(tx, 'size >= $2 order by size', [seq])

/** Checkpoints that wait for their timestamp, oldest first. */
export const pendingCheckpoints = async (tx: Tx, limit: number): Promise<StoredCheckpoint[]> =>
  (
    await tx.rows<Row>(
      `select * from checkpoint where tenant = $1 and status = 'pending' order by size limit $2`,
      [tx.tenant, limit],
    )
  ).map(stored)

/** Stamped checkpoints that one of these places has no copy of, newest first: the newest says the most. */
export const uncopiedCheckpoints = async (
  tx: Tx,
  places: readonly string[],
  limit: number,
): Promise<StoredCheckpoint[]> =>
  (
    await tx.rows<Row>(
      `select * from checkpoint where tenant = $1 and status = 'stamped' and not copies @> $2
       order by size desc limit $3`,
      [tx.tenant, places, limit],
    )
  ).map(stored)

/** A page of checkpoints, newest first. */
export async function listCheckpoints(
  tx: Tx,
  { after, limit }: { readonly after: number | null; readonly limit: number },
): Promise<{ items: CheckpointRow[]; next: string | null; total: number }> {
  const rows = await tx.rows<Row>(
    'select * from checkpoint where tenant = $1 and ($2::bigint is null or size < $2) order by size desc limit $3',
    [tx.tenant, after, limit],
  )
  const [count] = await tx.rows<{ n: number }>('select count(*) as n from checkpoint where tenant = $1', [
    tx.tenant,
  ])
  return {
    items: rows.map(rowOf),
    next: rows.length === limit ? String(rows.at(-1)?.size) : null,
    total: count?.n ?? 0,
  }
}

const rowOf = (row: Row): CheckpointRow => {
  const { size, root, at, timestamp, copies } = stored(row)
  return { size, root, at, timestamp, copies }
}
