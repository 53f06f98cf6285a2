import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BUNDLE_FORMAT, type BundleManifest, type FrameworkId, type ReportEntry } from '@attestry/contracts'
import type { Host } from '@attestry/kit'
import type { BundleLife } from './bundle-life.ts'
import { csvDialect } from './csv.ts'
import { type Gathering, packetOf } from './gather.ts'
import type { EvidenceKeys } from './keys.ts'
import { customerActionsOf, limitsOf } from './limits.ts'
import { assessmentResults } from './oscal/assessment-results.ts'
import { fingerprint } from './sign.ts'

/*
 * What is said about the files that one walk over the chain gave: the manifest, and OSCAL documents.
 */

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A walk, what was asked for, and with what it is going to be signed. */
export interface Assembly {
  readonly life: Pick<BundleLife, 'bundle' | 'period' | 'scope' | 'framework' | 'formats' | 'assertion'>
  readonly tenant: string
  readonly gathering: Gathering
  readonly keys: Pick<EvidenceKeys, 'signer' | 'document' | 'hmac' | 'authorities'>
  readonly host: Host
  readonly generatedAt: string
  readonly anchors: BundleManifest['ledger']['anchors']
}

/** OSCAL documents, one a framework: that of the packet, or all that the chain knows. */
export function oscalOf({ life, tenant, gathering, host, generatedAt }: Assembly): OscalFile[] {
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

export interface OscalFile {
  readonly framework: FrameworkId
  readonly path: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The manifest of a bundle. */
export function manifestOf(
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

/** A CSV above this is not attached to its PDF, which says so: the paper would weigh more than the bundle. */
const LARGEST_ATTACHED = 8 * 2 ** 20

/** The parts of a report's CSV that are attached to its PDF. */
export async function attachmentsOf(
  { csv }: ReportEntry,
  pathOf: (file: string) => string,
): Promise<Map<string, Uint8Array>> {
  const attached = csv.filter(({ bytes }) => bytes <= LARGEST_ATTACHED)
  const files = attached.map(async ({ path }) => [path, await readFile(pathOf(path))] as const)
  return new Map(await Promise.all(files))
}
