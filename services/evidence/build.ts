import { createHash } from 'node:crypto'
import { type EventOf, type Fact, fact, verifierText } from '@attestry/contracts'
import { CANCELLED, type Host, iso, type Job, messageOf, Transient } from '@attestry/kit'
import { anchorChain, type Anchoring } from './anchors/anchor.ts'
import { anchorFiles } from './anchors/chosen.ts'
import { attachmentsOf, manifestOf, oscalOf } from './assembly.ts'
import { type DataFile, type FirstTier, sealBundle } from './bundle.ts'
import { bundlePath, fileChunks, keepZip, openFolder, workPath } from './bundle-folder.ts'
import { bundleLife } from './bundle-life.ts'
import { gather } from './gather.ts'
import { originOf } from './key-ring.ts'
import { loadFonts } from './pdf/fonts.ts'
import { signPdf } from './pdf-sign.ts'
import { printAll } from './print.ts'
import type { Stamp } from './timestamp.ts'

export interface BuildOptions {
  readonly stateDir: string
  readonly anchoring: Anchoring
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export const stampedFact = (bundle: string, stamp: Stamp): Fact =>
  fact('evidence.bundle-timestamped', {
    bundle,
    status: stamp.status,
    tsa: stamp.status === 'stamped' ? stamp.authority : null,
    independent: stamp.status === 'stamped' && stamp.independent,
    genTime: stamp.status === 'stamped' ? iso(Temporal.Instant.from(stamp.details.genTime)) : null,
    tokenSha256: stamp.status === 'stamped' ? sha256(stamp.token) : null,
  })

/**
 * Builds one bundle: walks the chain up to its present head, renders, seals, keeps the file, and records it.
 * Run again after a crash it starts from the beginning; a bundle that is sealed stays as it is.
 */
export const buildBundle =
  (host: Host, options: BuildOptions) =>
  async (job: Job<{ bundle: string }>): Promise<void> => {
    const { tenant, signal } = job
    const { bundle } = job.body
    const stream: readonly EventOf[] = await host.stream(tenant, bundle)
    const life = bundleLife(stream)
    if (!life) throw new Transient('the request is not in the ledger yet')
    if (life.state !== 'building') return
    const record = async (facts: readonly Fact[]) => {
      const by = { kind: 'service', id: 'evidence' } as const
      const expected = life.position
      const result = await host.append(tenant, { stream: bundle, expected, facts, by, cause: job.cause })
      // Another process took the lease and ended it first: the next look finds what it recorded.
      if (!result.ok) throw new Transient('the bundle was ended elsewhere')
    }
    try {
      const [keys, fonts] = await Promise.all([options.anchoring.keys(), loadFonts()])
      await job.progress({ step: 'anchoring the ledger', done: 0, total: 0 })
      // The newest checkpoint brackets the period from above; its token stands in the chain that the bundle carries.
      await anchorChain(host, options.anchoring, job)
      const { seq } = await host.head(tenant)
      await job.progress({ step: 'reading the ledger', done: 0, total: seq })
      await using folder = await openFolder(workPath(options.stateDir, tenant, bundle))
      const gathering = await gather(
        host.chain(tenant, { after: 0, upTo: seq, signal }),
        life,
        folder.outlet,
        (done) => void job.progress({ step: 'reading the ledger', done, total: seq }),
      )
      const generatedAt = iso(host.clock.now())
      const origin = await originOf(host, tenant, signal)
      const anchors = anchorFiles(gathering.anchors, verifierText(keys.checkpoint.verifier(origin)))
      const assembly = {
        life,
        tenant,
        gathering,
        keys,
        host,
        generatedAt,
        anchors: anchors?.told ?? null,
      }
      const oscal = oscalOf(assembly)
      const manifest = manifestOf(assembly, oscal)
      const data = new Map<string, DataFile>([
        ...gathering.files.map(
          (file) => [file.path, { ...file, ...fileChunks(folder.pathOf(file.path)) }] as const,
        ),
        ...(anchors?.files ?? []),
        ...oscal.map(({ path, bytes }) => [path, bytes] as const),
      ])
      const sealed = await sealBundle({
        manifest,
        data,
        print: async (tier: FirstTier, stop: AbortSignal) => {
          const printed = manifest.reports.filter(({ pdf }) => pdf !== null)
          const documents = await printAll(
            printed.map((report) => async () => {
              const sample = gathering.reports.find((g) => g.report.type === report.type)?.sample ?? []
              const attachments = await attachmentsOf(report, folder.pathOf)
              return { manifest, report, sample, tier, attachments, fonts }
            }),
            stop,
            (done) => void job.progress({ step: 'printing', done, total: printed.length }),
          )
          const signed = new Map<string, Uint8Array>()
          for (const [index, bytes] of documents.entries()) {
            await job.progress({ step: 'signing the print', done: index, total: documents.length })
            const { pdf, title } = printed[index] ?? {}
            const reason = `${title ?? ''} of bundle ${bundle}`
            const { stamp } = options.anchoring
            const document = await signPdf(bytes, keys.document, {
              at: generatedAt,
              reason,
              stamp,
              signal: stop,
            })
            signed.set(pdf ?? '', document)
          }
          return signed
        },
        signer: keys.signer,
        hmacMaster: keys.hmac.master,
        timestamp: async (bytes, stop) => {
          const stamp = await options.anchoring.stamp(bytes, stop)
          if (stamp.status === 'pending')
            host.log.warn({ bundle, reason: stamp.reason }, 'A bundle could not be stamped')
          return stamp
        },
        tsaChainPem: null,
        tsaRootsPem: keys.tsaRootsPem,
        progress: (step, done, total) => void job.progress({ step: step.replaceAll('-', ' '), done, total }),
        signal,
      })
      await job.progress({ step: 'packing', done: 0, total: 0 })
      signal.throwIfAborted()
      const kept = await keepZip(sealed.files, folder.pathOf('bundle.zip'), (digest) =>
        bundlePath(options.stateDir, tenant, bundle, digest),
      )
      await record([
        ...manifest.reports.map((r) =>
          fact('evidence.report-rendered', {
            bundle,
            report: r.type,
            rows: r.rows,
            sha256: r.csv[0]?.sha256 ?? sha256(new Uint8Array()),
          }),
        ),
        stampedFact(bundle, sealed.signatureStamp),
        fact('evidence.bundle-sealed', {
          bundle,
          sumsSha256: sealed.sumsSha256,
          zipSha256: kept.zipSha256,
          bytes: kept.bytes,
          signingKey: manifest.signing.fingerprint,
          hmacKey: keys.hmac.keyId,
          checkpoint: { size: gathering.head.seq, link: gathering.head.link, root: gathering.head.root },
          timestamp: sealed.signatureStamp.status,
        }),
      ])
    } catch (error) {
      const cancelled = signal.reason === CANCELLED
      // The process stops, the lease was lost, the database is away: whoever comes next starts over.
      if (!cancelled && (signal.aborted || error instanceof Transient)) throw error
      await record([
        fact('evidence.bundle-failed', {
          bundle,
          reason: cancelled ? 'cancelled' : 'error',
          detail: cancelled ? CANCELLED : messageOf(error).slice(0, 500),
        }),
      ])
      if (!cancelled) throw error
    }
  }
