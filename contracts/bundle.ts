import * as z from 'zod'
import { ControlStatement, FrameworkId, FrameworkStatement, RuleResult } from './compliance.ts'
import { Count, Digest, Instant, OpaqueId, Pairs } from './event.ts'
import { EvidenceScope, Period, ReportFormat, ReportType } from './evidence.ts'

/** The name of the format: the first word of the signed list, so that its signature can stand for nothing else. */
export const BUNDLE_FORMAT = 'evidence-bundle/v1'

/** Where things lie in a bundle. */
export const bundlePaths = {
  sums: 'SHA256SUMS',
  dataSums: 'DATA.SHA256SUMS',
  dataToken: 'DATA.tsr',
  manifest: 'manifest.json',
  readme: 'README.txt',
  events: 'log/events.jsonl',
  start: 'log/start.json',
  disclosures: 'log/disclosures.jsonl',
  /** `<size>.checkpoint`, and `<size>.tsr` where it is stamped. */
  anchors: 'log/anchors/',
  /** Files under it are the only ones that the signed list omits. */
  signatures: 'sig/',
  signature: 'sig/SHA256SUMS.es256',
  signatureToken: 'sig/SHA256SUMS.es256.tsr',
  hmac: 'sig/SHA256SUMS.hmac',
  signerHint: 'sig/signer.pem',
  tsaHint: 'sig/tsa-chain.pem',
} as const

/** A named whole number that the reader can compare with his own count. */
const ControlTotals = z.array(z.tuple([z.string(), Count]))

/** A file that the manifest names. */
const NamedFile = z.strictObject({ path: z.string(), bytes: Count, sha256: Digest })

/** One column of a report: enough for a reader who has only the file. */
export const ReportColumn = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['text', 'integer', 'instant', 'boolean', 'id', 'digest']),
  /** What an integer counts, such as days. */
  unit: z.string().nullable(),
  says: z.string().min(1),
  /** The event and field that the cell comes from. */
  source: z.string().min(1),
})
export type ReportColumn = z.infer<typeof ReportColumn>

/** One report of a bundle: what was asked of the ledger and what came out. */
export const ReportEntry = z.strictObject({
  type: ReportType,
  title: z.string().min(1),
  /** `events`: a row an event of the period. `posture`: a row a stretch of time in which a state held. */
  kind: z.enum(['events', 'posture']),
  /** In words: what was selected, over what, in which order. */
  query: z.string().min(1),
  parameters: Pairs,
  rulesetDigest: Digest.nullable(),
  columns: z.array(ReportColumn).min(1),
  /** All rows of all parts. */
  rows: Count,
  controlTotals: ControlTotals,
  /** CSV parts in order; more than one when a spreadsheet could not open the whole. */
  csv: z.array(NamedFile.extend({ rows: Count })).min(1),
  /** The same rows as JSON; null where it was not asked for. */
  json: NamedFile.nullable(),
  /** The printable form; a tier-2 file, so its digest stands in `SHA256SUMS` alone. */
  pdf: z.string().nullable(),
  /** What a reader must not conclude from this report, a sentence each. */
  limits: z.array(z.string().min(1)),
})
export type ReportEntry = z.infer<typeof ReportEntry>

/** A place in a tenant's chain. `at` is the time of the event there; null before the first event. */
const ChainPlace = z.strictObject({ seq: Count, link: Digest, at: Instant.nullable() })

/** What the operator said is in scope, what was there, and by name what was not reached. */
export const ScopeReconciliation = z.strictObject({
  declared: z.array(z.string()),
  listed: z.array(z.string()),
  reached: z.array(z.string()),
  /** Sentences that name each difference. */
  differences: z.array(z.string()),
  /** The operator’s own statement of what is in scope; null where none was made. */
  statement: z
    .strictObject({
      text: z.string(),
      subscriptions: z.array(z.string()),
      vaults: z.array(z.string()),
      by: z.string(),
      at: Instant,
    })
    .nullable(),
  /** A listing that another identity made, held against what was scanned; null where none was handed in. */
  imported: z
    .strictObject({
      sha256: Digest,
      at: Instant,
      by: z.string(),
      resources: Count,
      vaults: Count,
      /** Vaults that the listing has and no scan found, and the other way round. */
      onlyListed: z.array(z.string()),
      onlyScanned: z.array(z.string()),
    })
    .nullable(),
})
export type ScopeReconciliation = z.infer<typeof ScopeReconciliation>

/** How much of the period scans of one environment vouch for. */
export const Observation = z.strictObject({
  environment: OpaqueId,
  name: z.string(),
  /** Hours between scheduled scans; null without a schedule. */
  everyHours: Count.nullable(),
  /** Scans of the period that ended well, those of them that could not read everything, and those that failed. */
  scans: Count,
  scansIncomplete: Count,
  scansFailed: Count,
  /** Share of the period that was observed, in hundredths of a percent, rounded down. */
  observedBasisPoints: z.int().min(0).max(10_000),
  /** Times for which no scan vouches: at most 100, the rest counted. */
  gaps: z.array(Period.strict()),
  gapsNotListed: Count,
})
export type Observation = z.infer<typeof Observation>

/** A framework as it was mapped when the period ended, each control with what the last evaluation says of its rules. */
export const FrameworkPacket = FrameworkStatement.omit({ controls: true })
  .extend({
    /** When the last evaluation before the period’s end was made; null: there was none. */
    evaluatedAt: Instant.nullable(),
    controls: z.array(ControlStatement.extend({ results: z.array(RuleResult) })),
  })
  .strict()
export type FrameworkPacket = z.infer<typeof FrameworkPacket>

/** `manifest.json`: what a bundle is. It never says whether it was timestamped; that lies beside, in the tokens. */
export const BundleManifest = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  bundle: OpaqueId,
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** `demo` marks a chain that never held a real estate. */
  origin: z.enum(['real', 'demo']),
  product: z.strictObject({ name: z.string(), version: z.string() }),
  generatedAt: Instant,
  period: Period.strict(),
  /** What was asked for beside the period; null: nothing was left out. */
  request: z.strictObject({
    scope: EvidenceScope.nullable(),
    framework: FrameworkId.nullable(),
    formats: z.array(ReportFormat).min(1),
  }),
  /** What a named person asserted for management when the bundle was asked for; absent: nobody did. */
  assertion: z
    .strictObject({ name: z.string(), title: z.string(), statement: z.string(), at: Instant })
    .optional(),
  /** What the rules say of the controls of the framework that was asked for. */
  framework: FrameworkPacket.nullable(),
  reports: z.array(ReportEntry).min(1),
  csvDialect: z.record(z.string(), z.string()),
  ledger: z.strictObject({
    start: ChainPlace,
    head: ChainPlace.extend({ root: Digest }),
    /** Lines of `log/events.jsonl`, and how many of them are a leaf only. */
    events: Count,
    hidden: Count,
    /** Checkpoints under `log/anchors/` by size, their log's name and its verifier (a hint); null where there is none. */
    anchors: z
      .strictObject({ origin: z.string(), verifier: z.string(), sizes: z.array(Count).min(1) })
      .nullable(),
  }),
  scope: ScopeReconciliation,
  /** How much of the period was looked at, by environment. */
  observation: z.array(Observation),
  /** Results of the rules for each framework as OSCAL assessment results. */
  oscal: z.array(NamedFile.extend({ framework: FrameworkId })),
  signing: z.strictObject({
    algorithm: z.literal('ES256'),
    kind: z.enum(['local', 'key-vault']),
    keyId: z.string().min(1),
    /** SHA-256 of the public key's SubjectPublicKeyInfo. Compare it with the one you were given another way. */
    fingerprint: Digest,
    /** SHA-256 of the certificate that the PDF files are signed with; null where they are not. */
    document: Digest.nullable(),
  }),
  hmac: z
    .strictObject({ algorithm: z.literal('HMAC-SHA-256'), keyId: z.string(), note: z.string() })
    .nullable(),
  timestampAuthorities: z.array(z.strictObject({ name: z.string(), independent: z.boolean() })),
  /** What this bundle does not prove or cover, a sentence each. */
  limits: z.array(z.string().min(1)),
  /** What the customer has to do beside the product, a sentence each. */
  customerActions: z.array(z.string().min(1)),
})
export type BundleManifest = z.infer<typeof BundleManifest>

/** The manifest's one text: its keys in the order given, two spaces, one line end. Anything else is not it. */
export const manifestText = (manifest: BundleManifest): string => `${JSON.stringify(manifest, null, 2)}\n`

/** `log/start.json`: the chain before the first line of `log/events.jsonl`, so that it can be walked from there. */
export const LogStart = z.strictObject({
  /** Complete subtrees of the RFC 6962 tree, smallest first; null where a level has none. */
  frontier: z.array(Digest.nullable()).max(53),
  prev: Digest,
  size: Count,
})
export type LogStart = z.infer<typeof LogStart>

/**
 * One line of `log/disclosures.jsonl`: the commitments of one event that are opened. Each is path (a JSON pointer
 * into the envelope's `event`), salt (hexadecimal, 16 bytes) and value.
 */
export const DisclosureLine = z.strictObject({
  open: z
    .array(z.tuple([z.string().startsWith('/'), z.string().regex(/^[0-9a-f]{32}$/), z.unknown()]))
    .min(1),
  seq: z.int().min(1),
})
export type DisclosureLine = z.infer<typeof DisclosureLine>
