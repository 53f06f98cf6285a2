import {
  bytesOfBlob,
  type Check,
  openZip,
  sha256InScript,
  type Trust,
  type Verdict,
  verifyBundle,
} from '@attestry/evidence/verify'

/** Files that a person chose. Everything but the bundle came another way than it. */
export interface GivenFiles {
  readonly bundle: Blob
  readonly signer: Blob | null
  readonly roots: Blob | null
  readonly checkpoint: Blob | null
  /** Another bundle of the same ledger. */
  readonly against: Blob | null
  readonly from: string
  readonly to: string
}

const textOf = async (file: Blob | null): Promise<string | null> => (await file?.text()) ?? null

/** Verifies in the page: nothing is sent anywhere, and files are read piece by piece. */
export async function verifyFiles(given: GivenFiles, now: Date): Promise<Verdict> {
  const checkpoint = await textOf(given.checkpoint)
  const { from, to } = given
  const trust: Trust = {
    signerPublicKeyPem: await textOf(given.signer),
    tsaRootsPem: await textOf(given.roots),
    ...(checkpoint === null ? {} : { checkpointVerifiers: checkpoint }),
    ...(from || to ? { period: { from, to } } : {}),
    now,
    sha256: sha256InScript,
  }
  const verdictOf = async (file: Blob, more: Partial<Trust> = {}) =>
    verifyBundle(await openZip(bytesOfBlob(file)), { ...trust, ...more })
  const other = given.against === null ? null : await verdictOf(given.against)
  const head = other?.manifest?.ledger.head
  const verdict = await verdictOf(given.bundle, head ? { known: [{ seq: head.seq, link: head.link }] } : {})
  if (given.against === null || other === null) return verdict
  const own = verdict.manifest?.ledger.head
  const title = 'Both bundles are of one ledger'
  const say = (problem: string | null): Verdict => {
    const check: Check = {
      id: 'known',
      ok: problem === null,
      title,
      detail: problem ?? 'one only adds to the other',
    }
    return { ...verdict, ok: verdict.ok && problem === null, checks: [...verdict.checks, check] }
  }
  if (!other.ok || !head) return say('the other bundle does not verify itself; look at it first')
  if (other.manifest?.tenant !== verdict.manifest?.tenant) return say('the other bundle is of another tenant')
  // The later of two is asked whether it holds the earlier one's end.
  if (!own || head.seq <= own.seq) return verdict
  const later = await verdictOf(given.against, { known: [{ seq: own.seq, link: own.link }] })
  const forked = later.checks.some(({ id, ok }) => id === 'known' && ok === false)
  return say(forked ? 'the other one does not contain this one: the ledger was rewritten or forked' : null)
}

/** The verdict in one sentence. */
export const verdictWords = ({ ok, timestamped }: Verdict): string => {
  if (!ok) return 'This bundle does NOT verify.'
  return timestamped ? 'This bundle verifies.' : 'This bundle verifies, but nobody vouches for its time yet.'
}
