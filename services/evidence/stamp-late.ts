import { rm } from 'node:fs/promises'
import { bundlePaths, fact } from '@attestry/contracts'
import { type Host, type Job, Transient } from '@attestry/kit'
import type { Stamper } from './anchors/stamps.ts'
import { stampedFact } from './build.ts'
import { bundlePath, keepZip, workPath } from './bundle-folder.ts'
import { bundleLife } from './bundle-life.ts'
import { wholeFile } from './bundle-source.ts'
import { openZipFile } from './zip-file.ts'
import type { Packable } from './zip-write.ts'

/** Bundles that one turn completes at most. */
const MOST_A_TURN = 5
/** Of an ES256 signature in DER. */
const LARGEST_SIGNATURE = 80

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
    await using zip = await openZipFile(path)
    const { source } = zip
    if ('problem' in source) throw new Error(`the file of ${bundle} cannot be read: ${source.problem}`)
    const signature = await wholeFile(source, bundlePaths.signature, LARGEST_SIGNATURE)
    if (signature === null || signature.length === 0)
      throw new Error(`the file of ${bundle} has no signature`)
    const stamped = await stamp(signature, signal)
    if (stamped.status === 'pending') return
    const files = new Map<string, Packable>(
      source.paths.map((file) => [file, { chunks: () => source.chunks(file) }]),
    )
    const { zipSha256, bytes } = await keepZip(
      files.set(bundlePaths.signatureToken, stamped.token),
      `${workPath(stateDir, tenant, bundle)}.zip`,
      (digest) => bundlePath(stateDir, tenant, bundle, digest),
    )
    const result = await host.append(tenant, {
      stream: bundle,
      expected: life.position,
      facts: [stampedFact(bundle, stamped), fact('evidence.bundle-completed', { bundle, zipSha256, bytes })],
      by: { kind: 'service', id: 'evidence' },
      cause,
    })
    if (!result.ok) throw new Transient('the bundle moved while it was stamped')
    await rm(path, { force: true })
  }
}
