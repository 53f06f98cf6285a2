import { readFile } from 'node:fs/promises'
import { verifyBundle } from '@attestry/evidence/verify'
import { sha256 } from '@attestry/kit/ledger'

/** How a verification ended, as an exit code: 0 it holds, 1 it does not, 3 it holds and its time is not vouched for. */
export type VerifyExit = 0 | 1 | 3

const MARK = { true: 'ok  ', false: 'FAIL', 'not-checked': '--  ' } as const

/**
 * Verifies a bundle with keys that came another way, a line a check.
 * @throws when a file cannot be read
 */
export async function verifyCommand(
  path: string,
  options: { key: string | undefined; tsaRoot: string | undefined; hmacKey: string | undefined; now: Date },
  say: (line: string) => void,
): Promise<VerifyExit> {
  const text = async (file: string | undefined) => (file ? await readFile(file, 'utf8') : null)
  const hmac = await text(options.hmacKey)
  const verdict = await verifyBundle(await readFile(path), {
    signerPublicKeyPem: await text(options.key),
    tsaRootsPem: await text(options.tsaRoot),
    ...(hmac ? { hmacKey: Uint8Array.fromHex(hmac.trim()) } : {}),
    now: options.now,
    sha256,
  })
  for (const check of verdict.checks) say(`${MARK[`${check.ok}`]}  ${check.title}: ${check.detail}`)
  if (!verdict.ok) {
    say('This bundle does NOT verify.')
    return 1
  }
  say(
    verdict.timestamped
      ? 'This bundle verifies.'
      : 'This bundle verifies, but nobody vouches for its time yet.',
  )
  return verdict.timestamped ? 0 : 3
}
