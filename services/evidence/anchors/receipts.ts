import { consistencyPlan, inclusionPlan, receiptText, toHex } from '@attestry/contracts'
import { refuse, type Refused, type Tx } from '@attestry/kit'
import { sha256 } from '@attestry/kit/ledger'
import { checkpointHolding, checkpointOf } from './checkpoints.ts'
import { readHashes } from './tiles.ts'

/**
 * The receipt of one event, against the first checkpoint that holds it. Small enough to print, and verified with
 * nothing but the log's key, even after the event was pruned.
 * @refuses 'not-anchored' when no checkpoint holds the event yet
 */
export async function receiptOf(tx: Tx, seq: number): Promise<string | Refused<'not-anchored'>> {
  const checkpoint = await checkpointHolding(tx, seq)
  if (!checkpoint)
    return refuse(
      'not-anchored',
      `No checkpoint holds event ${seq} yet; the next one is due within the hour.`,
    )
  const proof = await readHashes(tx, sha256, inclusionPlan(seq - 1, checkpoint.size))
  return receiptText({ index: seq - 1, proof, note: checkpoint.note, extra: null })
}

/**
 * The proof that a later checkpoint only added to an earlier one, as hashes.
 * @refuses 'no-such-checkpoint', 'reversed'
 */
export async function consistencyOf(
  tx: Tx,
  from: number,
  to: number,
): Promise<string[] | Refused<'no-such-checkpoint' | 'reversed'>> {
  if (from > to)
    return refuse('reversed', 'The first checkpoint must not be larger than the second.', [
      { field: 'query.from', message: 'must not be above to' },
    ])
  for (const size of [from, to])
    if (!(await checkpointOf(tx, size)))
      return refuse('no-such-checkpoint', `There is no checkpoint of ${size} events.`)
  return (await readHashes(tx, sha256, consistencyPlan(from, to))).map(toHex)
}
