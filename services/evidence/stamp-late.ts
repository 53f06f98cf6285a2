import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { bundlePaths, fact } from '@attestry/contracts'
import { type Host, type Job, Transient } from '@attestry/kit'
import type { Stamper } from './anchors/stamps.ts'
import { bundlePath, keepBundle, stampedFact } from './build.ts'
import { withSignatureToken } from './bundle.ts'
import { bundleLife } from './bundle-life.ts'
import { readZip } from './zip-source.ts'

/** Bundles that one turn completes at most. */
const MOST_A_TURN = 5

/**
 * Puts the timestamp that was pending beside the signature of sealed bundles. What is signed stays as it is: a PDF
 * that says PENDING goes on saying so, and a bundle built anew supersedes it.
 */
export async function completeBundles(
  host: Host,
  stateDir: string,
  stamp: Stamper,
  { tenant, cause, signal }: Pick<Job<unknown>, 'tenant' | 'cause' | 'signal'>,
): Promise<void> {
  const waiting = await host.tx(tenant, (tx) =>
    tx.rows<{ bundle: string }>(
      `select bundle from bundle where tenant = $1 and state = 'sealed' and stamp->>'status' = 'pending'
       order by seq limit $2`,
      [tenant, MOST_A_TURN],
    ),
  )
  for (const { bundle } of waiting) {
    const life = bundleLife(await host.stream(tenant, bundle))
    if (life?.state !== 'sealed' || life.zipSha256 === null || life.completed) continue
    const path = bundlePath(stateDir, tenant, bundle, life.zipSha256)
    const read = await readZip(await readFile(path))
    if ('problem' in read) throw new Error(`the file of ${bundle} cannot be read: ${read.problem}`)
    const signature = read.files.get(bundlePaths.signature)
    if (signature === undefined) throw new Error(`the file of ${bundle} has no signature`)
    const stamped = await stamp(signature, signal)
    if (stamped.status === 'pending') return
    const { zip } = withSignatureToken(read.files, stamped.token)
    const zipSha256 = createHash('sha256').update(zip).digest('hex')
    await keepBundle(bundlePath(stateDir, tenant, bundle, zipSha256), zip)
    const result = await host.append(tenant, {
      stream: bundle,
      expected: life.position,
      facts: [
        stampedFact(bundle, stamped),
        fact('evidence.bundle-completed', { bundle, zipSha256, bytes: zip.length }),
      ],
      by: { kind: 'service', id: 'evidence' },
      cause,
    })
    if (!result.ok) throw new Transient('the bundle moved while it was stamped')
    await rm(path, { force: true })
  }
}
