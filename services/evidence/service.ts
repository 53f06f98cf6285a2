import { randomBytes } from 'node:crypto'
import { command, type Guard, type Host, type Secret, type Service } from '@attestry/kit'
import type { AzureAccess } from '@attestry/kit/azure'
import * as z from 'zod'
import { anchorChain, type Anchoring } from './anchors/anchor.ts'
import { blobPlace } from './anchors/blob-place.ts'
import { checkpointView } from './anchors/checkpoints.ts'
import { mailPlace } from './anchors/mail-place.ts'
import type { Place } from './anchors/places.ts'
import { anchorSchedule } from './anchors/schedule.ts'
import { copyCheckpoints, stampCheckpoints } from './anchors/stamp-late.ts'
import { stampQueue } from './anchors/stamps.ts'
import { webhookPlace } from './anchors/webhook-place.ts'
import { expireBundles, pruneLedger, retentionSchedule } from './audit/retention.ts'
import { auditFetch } from './audit/routes.ts'
import { type SinkOptions, sinksOf } from './audit/sinks.ts'
import { startStreams } from './audit/stream.ts'
import { buildBundle } from './build.ts'
import { bundleLife } from './bundle-life.ts'
import { keyRing } from './key-ring.ts'
import { type EvidenceKeys, type KeyOptions, openKeys, rotateLocalKey } from './keys.ts'
import { buildSend, evidenceFetch } from './routes.ts'
import { completeBundles } from './stamp-late.ts'
import { bundles } from './views.ts'

export interface EvidenceOptions extends KeyOptions {
  /** Least seconds between two requests to one time-stamp authority elsewhere. */
  readonly tsaSpacingSeconds?: number
  /** How often the chain is anchored while events arrive. */
  readonly anchorMinutes?: number
  /** A write-once container, an address and a mailbox that get a copy of each checkpoint. */
  readonly anchorBlob?: string | undefined
  readonly anchorWebhook?: string | undefined
  readonly anchorMail?: Secret | undefined
  /** Where the audit log is sent as it happens. */
  readonly audit?: SinkOptions
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** Builds bundles that an auditor verifies offline, and anchors the chain that they are folded from. */
export function evidenceService(host: Host, guard: Guard, options: EvidenceOptions): Service {
  const { stateDir, anchorMinutes = 60, tsaSpacingSeconds = 5 } = options
  const request = options.fetch ?? fetch
  const date = () => new Date(host.clock.now().epochMilliseconds)
  let opened: Promise<EvidenceKeys> | null = null
  const keys = () => {
    opened ??= openKeys(options).catch((error: unknown) => {
      // A key that could not be opened is tried again at the next need.
      opened = null
      throw error
    })
    return opened
  }
  const rotate: Parameters<typeof evidenceFetch>[2]['rotate'] = async (purpose) => {
    const done = await rotateLocalKey(options, purpose)
    opened = null
    return done
  }
  const anchoring: Anchoring = {
    keys,
    stamp: stampQueue(async () => (await keys()).authorities, {
      world: { fetch: request, clock: date, random: (length) => new Uint8Array(randomBytes(length)) },
      spacingMs: tsaSpacingSeconds * 1000,
    }),
    places: placesOf(options, request, date),
  }
  const nothing = z.object({})
  const sinks = sinksOf(options.audit ?? {}, { clock: host.clock, fetch: request })
  const audit = auditFetch(host, guard, sinks)
  const own = evidenceFetch(host, guard, { stateDir, keys, rotate })
  return {
    name: 'evidence',
    schema: new URL('./schema/', import.meta.url),
    fetch: (asked) => (new URL(asked.url).pathname.startsWith('/api/audit/') ? audit(asked) : own(asked)),
    commands: [
      command({
        name: 'build',
        body: z.object({ bundle: z.string() }),
        work: buildBundle(host, { stateDir, anchoring }),
      }),
      command({
        name: 'anchor',
        body: nothing,
        work: async (job) => void (await anchorChain(host, anchoring, job)),
      }),
      command({
        name: 'stamp',
        body: nothing,
        work: async (job) => {
          await stampCheckpoints(host, anchoring, job)
          await copyCheckpoints(host, anchoring, job)
          await completeBundles(host, stateDir, anchoring.stamp, job)
        },
      }),
      command({ name: 'expire-bundles', body: nothing, work: expireBundles(host, options.stateDir) }),
      command({ name: 'prune-ledger', body: nothing, work: pruneLedger(host) }),
    ],
    reactions: [
      {
        // The request sends it too, at once; this is for a process that ended between its event and its command.
        name: 'build-requested',
        on: ['evidence.bundle-requested', 'evidence.bundle-resumed'],
        react: async ({ type, stream, by, cause, position }, tx) => {
          if (type === 'evidence.bundle-requested') return { send: [buildSend(stream, 1, by, cause)] }
          const life = bundleLife((await host.stream(tx, stream)).filter((e) => e.position <= position))
          return life ? { send: [buildSend(stream, life.attempts, by, cause)] } : {}
        },
      },
    ],
    views: [bundles, checkpointView, keyRing],
    schedules: [
      retentionSchedule,
      anchorSchedule(
        anchorMinutes,
        anchoring.places.map(({ kind }) => kind),
      ),
    ],
    start: async () => startStreams(host, sinks),
  }
}

function placesOf(
  { anchorBlob, anchorWebhook, anchorMail, azure }: EvidenceOptions,
  request: (url: string, init: RequestInit) => Promise<Response>,
  date: () => Date,
): Place[] {
  const access = (): AzureAccess => {
    if (!azure) throw new Error('A container for checkpoints needs access to Azure')
    return azure()
  }
  return [
    ...(anchorBlob ? [blobPlace(anchorBlob, access, date)] : []),
    ...(anchorWebhook ? [webhookPlace(anchorWebhook, request)] : []),
    ...(anchorMail ? [mailPlace(anchorMail.text())] : []),
  ]
}
