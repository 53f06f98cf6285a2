import { fact } from '@attestry/contracts'
import { type Host, type Job, Transient } from '@attestry/kit'
import { type Anchoring, checkpointStream, recordCopies, stampOf } from './anchor.ts'
import { pendingCheckpoints, uncopiedCheckpoints } from './checkpoints.ts'
import { copyAnchor } from './places.ts'

/** Checkpoints that one turn stamps at most: public authorities allow few requests. */
const MOST_A_TURN = 20

const by = { kind: 'service', id: 'evidence' } as const

/** Stamps the checkpoints that had to wait, oldest first, until an authority says no. */
export async function stampCheckpoints(
  host: Host,
  { stamp, places }: Anchoring,
  { tenant, cause, signal }: Pick<Job<unknown>, 'tenant' | 'cause' | 'signal'>,
): Promise<void> {
  for (const { size, note } of await host.tx(tenant, (tx) => pendingCheckpoints(tx, MOST_A_TURN))) {
    const stream = checkpointStream(size)
    const known = await host.stream(tenant, stream)
    // The rows may be behind the chain.
    if (known.some((e) => e.type === 'evidence.anchor-stamped' && e.data.status === 'stamped')) continue
    const stamped = await stamp(new TextEncoder().encode(note), signal)
    if (stamped.status === 'pending') return
    const result = await host.append(tenant, {
      stream,
      expected: known.at(-1)?.position ?? 0,
      facts: [fact('evidence.anchor-stamped', { size, ...stampOf(stamped) })],
      by,
      cause,
    })
    if (!result.ok) throw new Transient('another process stamped the checkpoint')
    await recordCopies(
      host,
      tenant,
      cause,
      size,
      await copyAnchor(places, { size, note, token: stamped.token }, signal),
    )
  }
}

/** Tries again to hand over what a second place could not take; only what succeeds is recorded. */
export async function copyCheckpoints(
  host: Host,
  { places }: Anchoring,
  { tenant, cause, signal }: Pick<Job<unknown>, 'tenant' | 'cause' | 'signal'>,
): Promise<void> {
  const kinds = places.map(({ kind }) => kind)
  for (const checkpoint of await host.tx(tenant, (tx) => uncopiedCheckpoints(tx, kinds, MOST_A_TURN))) {
    const { size, note, token, copies } = checkpoint
    if (token === null) continue
    const missing = places.filter(({ kind }) => !copies.includes(kind))
    const tried = await copyAnchor(missing, { size, note, token: Uint8Array.fromBase64(token) }, signal)
    await recordCopies(
      host,
      tenant,
      cause,
      size,
      tried.filter(({ problem }) => problem === null),
    )
    // A place that does not answer now is not asked for the older ones either.
    if (tried.some(({ problem }) => problem !== null)) return
  }
}
