import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  knownFromNote,
  type KnownPlace,
  openZipFile,
  readVerifiers,
  type Trust,
  type Verdict,
  verifyBundle,
} from '@attestry/evidence/verify-file'
import { sha256 } from '@attestry/kit/ledger'
import { BadOption } from './bad-option.ts'

/**
 * How a verification ended, as an exit code: 0 it holds and others vouch for its time, 1 it does not hold, 3 it holds
 * and its time is pending. (2: it could not be run.)
 */
export type VerifyExit = 0 | 1 | 3

export interface VerifyOptions {
  readonly key: string | undefined
  readonly tsaRoot: string | undefined
  readonly hmacKey?: string | undefined
  /** File with the verifier's line of the log. */
  readonly checkpointKey?: string | undefined
  readonly period?: string | undefined
  readonly rederive?: boolean
  /** Another bundle of the same ledger, or a checkpoint that was kept. */
  readonly against?: readonly string[]
  readonly now: Date
}

const MARK = { true: 'ok  ', false: 'FAIL', 'not-checked': '--  ' } as const

function periodOf(text: string | undefined): { from: string; to: string } | undefined {
  if (text === undefined) return undefined
  const [from, to, ...rest] = text.split('/')
  const good = (instant: string | undefined): instant is string =>
    instant !== undefined && instant.endsWith('Z') && !Number.isNaN(Date.parse(instant))
  if (!good(from) || !good(to) || rest.length > 0)
    throw new BadOption('--period takes two instants: 2026-01-01T00:00:00Z/2026-04-01T00:00:00Z')
  return { from, to }
}

/** Where a verified bundle's chain ends. */
const headOf = ({ manifest }: Verdict): KnownPlace | null =>
  manifest === null
    ? null
    : { seq: manifest.ledger.head.seq, link: manifest.ledger.head.link, root: manifest.ledger.head.root }

/**
 * Verifies a bundle with keys that came another way, a line a check. Memory does not grow with the bundle.
 * @throws when a file cannot be read, or an option is none
 */
export async function verifyCommand(
  path: string,
  options: VerifyOptions,
  say: (line: string) => void,
): Promise<VerifyExit> {
  const text = async (file: string | undefined) => (file ? await readFile(file, 'utf8') : null)
  const hmac = await text(options.hmacKey)
  const period = periodOf(options.period)
  const checkpointVerifiers = await text(options.checkpointKey)
  const trust: Trust = {
    signerPublicKeyPem: await text(options.key),
    tsaRootsPem: await text(options.tsaRoot),
    ...(hmac ? { hmacKey: Uint8Array.fromHex(hmac.trim()) } : {}),
    ...(checkpointVerifiers === null ? {} : { checkpointVerifiers }),
    now: options.now,
    sha256,
    hasher: () => createHash('sha256'),
  }
  const verdictOf = async (file: string, more: Partial<Trust>) => {
    await using zip = await openZipFile(file)
    // Awaited here: the file is closed when this function ends.
    return await verifyBundle(zip.source, { ...trust, ...more })
  }

  const known: KnownPlace[] = []
  const others: { path: string; verdict: Verdict }[] = []
  for (const other of options.against ?? []) {
    if (other.endsWith('.checkpoint')) {
      const verifiers = checkpointVerifiers === null ? null : readVerifiers(sha256, checkpointVerifiers)
      const place = await knownFromNote(await readFile(other, 'utf8'), verifiers)
      if (place === null) throw new BadOption(`${other} is not a checkpoint signed with the key given`)
      known.push(place)
    } else {
      const verdict = await verdictOf(other, {})
      const head = headOf(verdict)
      if (!verdict.ok || head === null)
        throw new BadOption(`${other} does not verify itself; look at it first`)
      others.push({ path: other, verdict })
      known.push(head)
    }
  }
  const rederive = options.rederive ? (await import('@attestry/evidence/rederive')).rederive : undefined
  const verdict = await verdictOf(path, {
    known,
    ...(period ? { period } : {}),
    ...(rederive ? { rederive } : {}),
  })
  for (const check of verdict.checks) say(`${MARK[`${check.ok}`]}  ${check.title}: ${check.detail}`)
  let ok = verdict.ok
  // A bundle that is older than the other one is looked up in it.
  const own = headOf(verdict)
  for (const { path: other, verdict: theirs } of others) {
    const head = headOf(theirs)
    if (own === null || head === null) continue
    const tenants = [verdict.manifest?.tenant, theirs.manifest?.tenant]
    const later = head.seq > own.seq ? await verdictOf(other, { known: [own] }) : null
    const forked = later?.checks.some(({ id, ok: held }) => id === 'known' && held === false) ?? false
    const problem =
      tenants[0] !== tenants[1]
        ? 'it is of another tenant'
        : forked
          ? 'it does not contain this one: the ledger was rewritten or forked'
          : null
    if (problem !== null) ok = false
    say(
      `${problem === null ? MARK.true : MARK.false}  One ledger with ${other}: ${problem ?? 'one only adds to the other'}`,
    )
  }
  if (!ok) {
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
