import { createHash } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BUNDLE_FORMAT,
  type BundleManifest,
  type EventOf,
  type Fact,
  fact,
  type FrameworkId,
  verifierText,
} from '@attestry/contracts'
import { CANCELLED, type Host, iso, type Job, messageOf, Transient } from '@attestry/kit'
import { anchorChain, type Anchoring } from './anchors/anchor.ts'
import { anchorFiles } from './anchors/chosen.ts'
import { type FirstTier, sealBundle } from './bundle.ts'
import { type BundleLife, bundleLife } from './bundle-life.ts'
import { csvDialect } from './csv.ts'
import { gather, type Gathering, packetOf } from './gather.ts'
import { originOf } from './key-ring.ts'
import type { EvidenceKeys } from './keys.ts'
import { customerActionsOf, limitsOf } from './limits.ts'
import { assessmentResults } from './oscal/assessment-results.ts'
import { loadFonts } from './pdf/fonts.ts'
import { signPdf } from './pdf-sign.ts'
import { printAll } from './print.ts'
import { fingerprint } from './sign.ts'
import type { Stamp } from './timestamp.ts'
import { memoryOutlet } from './written-file.ts'

/** Where a sealed bundle lies. Its digest is in the name, so that two who build the same one never share a file. */
export const bundlePath = (stateDir: string, tenant: string, bundle: string, zipSha256: string): string =>
  join(stateDir, 'bundles', tenant, `${bundle}.${zipSha256.slice(0, 16)}.zip`)

export interface BuildOptions {
  readonly stateDir: string
  readonly anchoring: Anchoring
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

interface Assembly {
  readonly life: BundleLife
  readonly tenant: string
  readonly gathering: Gathering
  readonly keys: EvidenceKeys
  readonly host: Host
  readonly generatedAt: string
  readonly anchors: BundleManifest['ledger']['anchors']
}

/** OSCAL documents, one a framework: that of the packet, or all that the chain knows. */
function oscalOf({ life, tenant, gathering, host, generatedAt }: Assembly): OscalFile[] {
  if (!life.formats.includes('oscal')) return []
  const { judgement } = gathering.known
  const wanted = life.framework ? [life.framework] : judgement.frameworks.map((f) => f.framework)
  const violations = gathering.reports.find((r) => r.report.type === 'rule-violations')
  return wanted.flatMap((framework) => {
    const packet = packetOf(judgement, framework)
    if (!packet) return []
    const document = assessmentResults(packet, gathering.known, {
      bundle: life.bundle,
      tenant,
      product: { name: 'Attestry', version: host.productVersion },
      generatedAt,
      period: life.period,
      demonstration: host.origin === 'demo',
      evidence: violations?.csv ?? [],
      limits: limitsOf(null),
    })
    const bytes = new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`)
    return [{ framework, path: `report/${framework}.oscal.json`, bytes }]
  })
}

interface OscalFile {
  readonly framework: FrameworkId
  readonly path: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

function manifestOf(
  { life, tenant, gathering, keys, host, generatedAt, anchors }: Assembly,
  oscal: readonly OscalFile[],
): BundleManifest {
  const { scope, framework, formats } = life
  const parameters: [string, string][] = [
    ['from', life.period.from],
    ['to', life.period.to],
    ...(framework ? [['framework', framework] satisfies [string, string]] : []),
    ...(scope?.subscriptions ?? []).map((s): [string, string] => ['subscription', s]),
    ...(scope?.vaults ?? []).map((v): [string, string] => ['vault', v]),
    ...(scope?.tags ?? []).map(([name, value]): [string, string] => ['tag', `${name}=${value}`]),
  ]
  const entries = gathering.reports.map(({ report, rows, totals, csv, json }) => ({
    type: report.type,
    title: report.title,
    kind: report.kind,
    query: report.says,
    parameters,
    rulesetDigest:
      report.type === 'rule-violations' ? (gathering.known.judgement.last?.data.rulesetDigest ?? null) : null,
    columns: report.columns.map((c) => ({ ...c })),
    rows,
    controlTotals: totals.map((t): [string, number] => [t.name, t.value]),
    csv: [...csv],
    json,
    pdf: formats.includes('pdf') ? `report/${report.type}.pdf` : null,
    limits: [...report.limits],
  }))
  const { signer } = keys
  return {
    format: BUNDLE_FORMAT,
    bundle: life.bundle,
    tenant,
    origin: host.origin,
    product: { name: 'Attestry', version: host.productVersion },
    generatedAt,
    period: life.period,
    request: { scope, framework, formats: [...formats] },
    ...(life.assertion ? { assertion: life.assertion } : {}),
    framework: gathering.framework,
    reports: entries,
    csvDialect: { ...csvDialect },
    ledger: {
      start: { seq: 0, link: '00'.repeat(32), at: null },
      head: gathering.head,
      events: gathering.events,
      hidden: gathering.hidden,
      anchors,
    },
    scope: gathering.scope,
    observation: gathering.observation,
    oscal: oscal.map(({ framework, path, bytes }) => ({
      framework,
      path,
      bytes: bytes.length,
      sha256: sha256(bytes),
    })),
    signing: {
      algorithm: 'ES256',
      kind: signer.kind,
      keyId: signer.keyId,
      fingerprint: fingerprint(signer.publicKeyPem),
      document: formats.includes('pdf') ? keys.document.certificateSha256 : null,
    },
    hmac: {
      algorithm: 'HMAC-SHA-256',
      keyId: keys.hmac.keyId,
      note: 'Not independent proof: whoever can check it could have made it.',
    },
    timestampAuthorities: keys.authorities.map(({ name, independent }) => ({ name, independent })),
    limits: limitsOf(gathering.framework),
    customerActions: customerActionsOf(gathering.framework),
  }
}

export const stampedFact = (bundle: string, stamp: Stamp): Fact =>
  fact('evidence.bundle-timestamped', {
    bundle,
    status: stamp.status,
    tsa: stamp.status === 'stamped' ? stamp.authority : null,
    independent: stamp.status === 'stamped' && stamp.independent,
    genTime: stamp.status === 'stamped' ? iso(Temporal.Instant.from(stamp.details.genTime)) : null,
    tokenSha256: stamp.status === 'stamped' ? sha256(stamp.token) : null,
  })

/** Written whole or not at all: a reader never sees half a bundle. */
export async function keepBundle(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
  await writeFile(`${path}.new`, bytes, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

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
      const { outlet, files } = memoryOutlet(() => createHash('sha256'))
      const gathering = await gather(
        host.chain(tenant, { after: 0, upTo: seq, signal }),
        life,
        outlet,
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
      const data = new Map([
        ...files,
        ...(anchors?.files ?? []),
        ...oscal.map(({ path, bytes }) => [path, bytes] as const),
      ])
      const sealed = await sealBundle({
        manifest,
        data,
        print: async (tier: FirstTier, stop: AbortSignal) => {
          const jobs = manifest.reports.flatMap((report) => {
            const sample = gathering.reports.find((g) => g.report.type === report.type)?.sample ?? []
            const attachments = new Map(report.csv.map((c) => [c.path, data.get(c.path) ?? new Uint8Array()]))
            return report.pdf === null
              ? []
              : [{ path: report.pdf, job: { manifest, report, sample, tier, attachments, fonts } }]
          })
          const documents = await printAll(
            jobs.map(({ job: print }) => print),
            stop,
            (done) => void job.progress({ step: 'printing', done, total: jobs.length }),
          )
          const signed = new Map<string, Uint8Array>()
          for (const [index, bytes] of documents.entries()) {
            await job.progress({ step: 'signing the print', done: index, total: documents.length })
            const { path = '', job: print } = jobs[index] ?? {}
            const reason = `${print?.report.title ?? ''} of bundle ${bundle}`
            signed.set(
              path,
              await signPdf(bytes, keys.document, {
                at: generatedAt,
                reason,
                stamp: options.anchoring.stamp,
                signal: stop,
              }),
            )
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
      await keepBundle(bundlePath(options.stateDir, tenant, bundle, sealed.zipSha256), sealed.zip)
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
          zipSha256: sealed.zipSha256,
          bytes: sealed.zip.length,
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
