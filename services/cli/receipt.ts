import { readFile } from 'node:fs/promises'
import { inclusionHolds, leafOf, openNote, readReceipt } from '@attestry/contracts'
import { noteSigned, readVerifiers } from '@attestry/evidence/verify-file'
import { sha256 } from '@attestry/kit/ledger'

/**
 * Verifies the receipt of one event (C2SP tlog-proof) with the log's key.
 * @throws when a file cannot be read
 */
export async function receiptCommand(
  path: string,
  options: { readonly checkpointKey: string; readonly event: string },
  say: (line: string) => void,
): Promise<0 | 1> {
  const wrong = (why: string): 1 => {
    say(`This receipt does NOT verify: ${why}.`)
    return 1
  }
  const receipt = readReceipt(await readFile(path, 'utf8'))
  if ('problem' in receipt) return wrong(receipt.problem)
  const note = openNote(receipt.note)
  if ('problem' in note) return wrong(note.problem)
  const verifiers = readVerifiers(sha256, await readFile(options.checkpointKey, 'utf8'))
  if (verifiers === null) return wrong('the key that was given is no verifier’s line')
  if (!(await noteSigned(receipt.note, verifiers)))
    return wrong('its checkpoint is not signed with the log’s key that you were given')
  const { origin, size, root } = note.checkpoint
  const line = (await readFile(options.event, 'utf8')).replace(/\n$/, '')
  const claim = { leaf: leafOf(sha256, line), index: receipt.index, size, root }
  if (!inclusionHolds(sha256, claim, receipt.proof))
    return wrong('the event is not the one at this place of the log')
  say(`Event ${receipt.index + 1} is in the ledger ${origin}, under its checkpoint of ${size} events.`)
  return 0
}
