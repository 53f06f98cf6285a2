import { fact, type Fact, treeFrontier, toHex, fromHex, GENESIS_LINK, type Cause } from '@attestry/contracts'
import { type Host, iso } from '@attestry/kit'
import { sha256 } from '@attestry/kit/ledger'
import { adoptKeys, originOf } from '../key-ring.ts'
import type { EvidenceKeys } from '../keys.ts'
import type { Stamp } from '../timestamp.ts'
import { lastCheckpoint } from './checkpoints.ts'
import { type Copied, copyAnchor, type Place } from './places.ts'
import type { Stamper } from './stamps.ts'
import { readEdges, TileGrowth, writeTiles } from './tiles.ts'

export interface Anchoring {
  readonly keys: () => Promise<EvidenceKeys>
  readonly stamp: Stamper
  /** Where copies of checkpoints go, out of reach of who runs this install. */
  readonly places: readonly Place[]
}

/** Events by which anchoring speaks of itself: they alone are no reason to anchor again. */
const OWN = new Set(['evidence.anchored', 'evidence.anchor-stamped', 'evidence.anchor-copied'])

const by = { kind: 'service', id: 'evidence' } as const

/** A stamp as the chain records it. */
export const stampOf = (stamp: Stamp): Omit<Fact<'evidence.anchor-stamped'>['data'], 'size'> =>
  stamp.status === 'stamped'
    ? {
        status: 'stamped',
        token: stamp.token.toBase64(),
        tsa: stamp.authority,
        independent: stamp.independent,
        genTime: iso(Temporal.Instant.from(stamp.details.genTime)),
      }
    : { status: 'pending', token: null, tsa: null, independent: false, genTime: null }

/** Brings the stored tiles up to an event. Bears to be done again. */
async function growTiles(host: Host, tenant: string, upTo: number, signal: AbortSignal): Promise<void> {
  const growth = new TileGrowth(sha256, await host.tx(tenant, readEdges))
  for await (const page of host.chain(tenant, { after: growth.size, upTo, signal })) {
    for (const { leaf } of page) growth.push(Uint8Array.from(leaf))
    const tiles = growth.take()
    await host.tx(tenant, (tx) => writeTiles(tx, tiles))
  }
}

/**
 * Anchors the chain as it stands: signs a checkpoint over all its events, has it stamped, and puts note and token
 * into the chain as the next event, so that every event lies between two times that others vouch for. Without news
 * since the last anchor nothing is done.
 * @returns the size of the checkpoint that holds the present head, this one or the last
 */
export async function anchorChain(
  host: Host,
  { keys: open, stamp, places }: Anchoring,
  job: { readonly tenant: string; readonly cause: Cause; readonly signal: AbortSignal },
): Promise<number> {
  const { tenant, cause, signal } = job
  const keys = await open()
  await adoptKeys(host, tenant, keys, job)
  const last = await host.tx(tenant, lastCheckpoint)
  const head = await host.head(tenant)
  const nodes = (last?.frontier ?? []).map((node) => (node === null ? null : fromHex(node)))
  const tree = treeFrontier(sha256, nodes)
  const after = last?.size ?? 0
  let anchored = after
  let news = 0
  let link = last === null ? toHex(GENESIS_LINK) : last.link
  for await (const page of host.chain(tenant, { after, upTo: head.seq, signal }))
    for (const { seq, leaf, link: sealed, event } of page) {
      tree.push(Uint8Array.from(leaf))
      link = toHex(sealed)
      if (event?.type === 'evidence.anchored') anchored = Math.max(anchored, event.data.size)
      else if (event === null || !OWN.has(event.type)) news = seq
    }
  if (news <= anchored) return anchored
  const size = head.seq
  const root = tree.root()
  const note = keys.checkpoint.note({ origin: await originOf(host, tenant, signal), size, root })
  const stamped = await stamp(new TextEncoder().encode(note), signal)
  if (stamped.status === 'pending')
    host.log.warn({ size, reason: stamped.reason }, 'A checkpoint could not be stamped yet')
  await growTiles(host, tenant, size, signal)
  const frontier = tree.nodes().map((node) => (node === null ? null : toHex(node)))
  // A stream of its own a checkpoint: whoever anchored the same head first has done it.
  await host.append(tenant, {
    stream: checkpointStream(size),
    expected: 0,
    facts: [
      fact('evidence.anchored', { size, link, root: toHex(root), frontier, note, ...stampOf(stamped) }),
    ],
    by,
    cause,
  })
  if (stamped.status === 'stamped')
    await recordCopies(
      host,
      tenant,
      cause,
      size,
      await copyAnchor(places, { size, note, token: stamped.token }, signal),
    )
  return size
}

export const checkpointStream = (size: number): string => `checkpoint-${String(size).padStart(4, '0')}`

/** Records which second places took a copy. */
export async function recordCopies(
  host: Host,
  tenant: string,
  cause: Cause,
  size: number,
  copies: readonly Copied[],
): Promise<void> {
  if (copies.length === 0) return
  for (const { place, problem } of copies)
    if (problem !== null) host.log.warn({ size, place, problem }, 'A checkpoint could not be copied')
  await host.append(tenant, {
    stream: checkpointStream(size),
    expected: 'any',
    facts: copies.map(({ place, problem }) =>
      fact('evidence.anchor-copied', {
        size,
        place,
        status: problem === null ? 'copied' : 'failed',
        detail: (problem ?? 'a copy lies there').slice(0, 500),
      }),
    ),
    by,
    cause,
  })
}
