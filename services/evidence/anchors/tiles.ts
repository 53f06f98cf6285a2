import { foldSubtrees, nodeOf, type Sha256, type Subtree } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'

/*
 * The tree's hashes in tiles of 256, as tlog-tiles lays them out: a receipt of any event reads a handful of rows,
 * and the tiles stay when events are pruned.
 * @see https://c2sp.org/tlog-tiles
 */

const WIDTH = 256
const HASH = 32
const LEVELS_A_TILE = 8

/** The last, still growing tile of a level. */
interface Edge {
  n: number
  hashes: Uint8Array[]
}

/** Grows the tiles of a tree leaf by leaf. Only the edge of each level is held. */
export class TileGrowth {
  readonly #sha256: Sha256
  readonly #edges: Edge[]
  readonly #written = new Map<string, { level: number; n: number; hashes: readonly Uint8Array[] }>()

  constructor(
    sha256: Sha256,
    edges: readonly { readonly n: number; readonly hashes: readonly Uint8Array[] }[],
  ) {
    this.#sha256 = sha256
    this.#edges = edges.map(({ n, hashes }) => ({ n, hashes: [...hashes] }))
  }

  /** Leaves so far. */
  get size(): number {
    const [edge] = this.#edges
    return edge === undefined ? 0 : edge.n * WIDTH + edge.hashes.length
  }

  push(leaf: Uint8Array): void {
    let hash = leaf
    // Ends: a level is full once in 256 times, and each higher one 256 times more rarely.
    for (let level = 0; ; level++) {
      const edge = (this.#edges[level] ??= { n: 0, hashes: [] })
      if (edge.hashes.length === WIDTH) {
        edge.n++
        edge.hashes = []
      }
      edge.hashes.push(hash)
      this.#written.set(`${level}/${edge.n}`, { level, n: edge.n, hashes: [...edge.hashes] })
      if (edge.hashes.length < WIDTH) return
      hash = subtreeRoot(this.#sha256, edge.hashes)
    }
  }

  /** The tiles that changed since the last call, to be stored. */
  take(): { level: number; n: number; hashes: readonly Uint8Array[] }[] {
    const changed = [...this.#written.values()]
    this.#written.clear()
    return changed
  }
}

/** The root over a power of two of hashes. */
function subtreeRoot(sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes
  while (row.length > 1)
    row = Array.from({ length: row.length / 2 }, (_, i) =>
      nodeOf(sha256, row[2 * i] ?? new Uint8Array(HASH), row[2 * i + 1] ?? new Uint8Array(HASH)),
    )
  return row[0] ?? sha256(new Uint8Array(0))
}

const cut = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / HASH }, (_, i) =>
    Uint8Array.from(bytes.subarray(i * HASH, (i + 1) * HASH)),
  )

/** The edge of every level, lowest first. */
export async function readEdges(tx: Tx): Promise<{ n: number; hashes: Uint8Array[] }[]> {
  const rows = await tx.rows<{ n: number; hashes: Uint8Array }>(
    'select distinct on (level) n, hashes from tile where tenant = $1 order by level, n desc',
    [tx.tenant],
  )
  return rows.map(({ n, hashes }) => ({ n, hashes: cut(hashes) }))
}

export async function writeTiles(
  tx: Tx,
  tiles: readonly { readonly level: number; readonly n: number; readonly hashes: readonly Uint8Array[] }[],
): Promise<void> {
  if (tiles.length === 0) return
  // Another process may have grown the same tile further: the longer one holds the shorter.
  await tx.rows(
    `insert into tile (tenant, level, n, hashes)
     select $1, * from unnest($2::int[], $3::bigint[], $4::bytea[])
     on conflict (tenant, level, n) do update set hashes = excluded.hashes
     where length(excluded.hashes) > length(tile.hashes)`,
    [
      tx.tenant,
      tiles.map(({ level }) => level),
      tiles.map(({ n }) => n),
      tiles.map(({ hashes }) => Buffer.concat(hashes)),
    ],
  )
}

/** The hash of each list of complete subtrees, read from the tiles. @throws when the tiles do not reach so far */
export async function readHashes(
  tx: Tx,
  sha256: Sha256,
  plan: readonly (readonly Subtree[])[],
): Promise<Uint8Array[]> {
  const tileOf = ({ level, index }: Subtree) => {
    const tileLevel = Math.floor(level / LEVELS_A_TILE)
    const span = 2 ** (level % LEVELS_A_TILE)
    const first = index * span
    return { level: tileLevel, n: Math.floor(first / WIDTH), from: first % WIDTH, span }
  }
  const wanted = new Map(
    plan
      .flat()
      .map((s) => tileOf(s))
      .map((t) => [`${t.level}/${t.n}`, t]),
  )
  const rows = await tx.rows<{ level: number; n: number; hashes: Uint8Array }>(
    `select t.level, t.n, t.hashes from unnest($2::int[], $3::bigint[]) w(level, n)
     join tile t on t.tenant = $1 and t.level = w.level and t.n = w.n`,
    [tx.tenant, [...wanted.values()].map((t) => t.level), [...wanted.values()].map((t) => t.n)],
  )
  const tiles = new Map(rows.map((row) => [`${row.level}/${row.n}`, cut(row.hashes)]))
  const hashOf = (subtree: Subtree): Uint8Array => {
    const { level, n, from, span } = tileOf(subtree)
    const hashes = tiles.get(`${level}/${n}`)?.slice(from, from + span) ?? []
    if (hashes.length < span) throw new Error('the tiles of the tree do not reach so far')
    return subtreeRoot(sha256, hashes)
  }
  return plan.map((subtrees) => foldSubtrees(sha256, subtrees.map(hashOf)))
}
