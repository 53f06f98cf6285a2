import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  type Actor,
  type Cause,
  type EventOf,
  fact,
  KeyPurpose,
  ReportFormat,
  type ReportType,
} from '@attestry/contracts'
import { type BundleRow, evidenceHttp } from '@attestry/contracts/http'
import {
  badPlace,
  bind,
  type Caller,
  eventStream,
  type Guard,
  type Handlers,
  type Host,
  iso,
  isRefused,
  pause,
  refuse,
  type Send,
  type Tx,
  wholeNumber,
} from '@attestry/kit'
import { checkpointOf, listCheckpoints } from './anchors/checkpoints.ts'
import { consistencyOf, receiptOf } from './anchors/receipts.ts'
import { anchorWish } from './anchors/schedule.ts'
import { bundlePath } from './bundle-folder.ts'
import { readRetention } from './audit/retention.ts'
import { buildCommand, bundleLife, requestBundle, resumeBundle } from './bundle-life.ts'
import { bundleHmacKey } from './hmac.ts'
import { adoptKeys, originOf, readKeys, signerRing, verifierRing } from './key-ring.ts'
import type { EvidenceKeys } from './keys.ts'
import { reportHandlers } from './report-routes.ts'
import { scopeHandlers } from './scope-routes.ts'
import { fingerprint } from './sign.ts'
import { createTurns } from './turns.ts'

interface Row {
  bundle: string
  state: 'queued' | 'sealed' | 'failed' | 'cancelled' | 'expired'
  reports: ReportType[]
  framework: BundleRow['framework']
  formats: ReportFormat[] | null
  scope: BundleRow['scope']
  assertion: BundleRow['assertion']
  attempts: number
  downloads: number
  downloaded_at: string | null
  expired_at: string | null
  period_from: string
  period_to: string
  requested_at: string
  requested_by: string
  sealed_at: string | null
  bytes: number | null
  sums_sha256: string | null
  signing_key: string | null
  stamp: BundleRow['timestamp']
  problem: string | null
  seq: number
}

const WATCH_MS = 250
/** A watch that outlives any sane build ends, and the page asks again. */
const WATCH_TURNS = 4 * 60 * 30

const expiryOf = (sealedAt: string, days: number): string =>
  iso(Temporal.Instant.from(sealedAt).add({ hours: 24 * days }))

/** The work of building a bundle. */
export const buildSend = (bundle: string, attempts: number, by: Actor, cause: Cause): Send => ({
  command: 'build',
  id: buildCommand(bundle, attempts),
  session: bundle,
  body: { bundle },
  by,
  cause,
})

export interface RouteOptions {
  readonly stateDir: string
  readonly keys: () => Promise<EvidenceKeys>
  /** Replaces the local key of a purpose; false when it lives in Key Vault. */
  readonly rotate: (purpose: KeyPurpose) => Promise<boolean>
}

/** The evidence endpoints. */
export function evidenceFetch(host: Host, guard: Guard, options: RouteOptions) {
  const rowOf = async (tx: Tx, row: Row, bundleDays: number): Promise<BundleRow> => {
    const asked = [buildCommand(row.bundle, row.attempts)]
    const [command] = row.state === 'queued' ? await host.commands(tx, asked) : []
    const progress = command?.progress ?? {}
    return {
      bundle: row.bundle,
      state: row.state === 'queued' && command?.state === 'running' ? 'building' : row.state,
      reports: row.reports,
      framework: row.framework,
      formats: row.formats ?? ReportFormat.options,
      scope: row.scope,
      assertion: row.assertion,
      period: { from: row.period_from, to: row.period_to },
      requestedAt: row.requested_at,
      requestedBy: row.requested_by,
      progress: {
        step: typeof progress['step'] === 'string' ? progress['step'] : row.state,
        done: Number(progress['done'] ?? 0),
        total: Number(progress['total'] ?? 0),
      },
      sealedAt: row.sealed_at,
      bytes: row.bytes,
      sumsSha256: row.sums_sha256,
      signingKey: row.signing_key,
      downloads: row.downloads,
      downloadedAt: row.downloaded_at,
      expiresAt: row.expired_at ?? (row.sealed_at && expiryOf(row.sealed_at, bundleDays)),
      timestamp: row.stamp,
      problem: row.problem ?? (command?.state === 'failed' ? command.problem : null),
    }
  }
  const read = async (tenant: string, bundle: string): Promise<BundleRow | null> => {
    const { bundleDays } = await readRetention(host, tenant)
    return host.tx(tenant, async (tx) => {
      const [row] = await tx.rows<Row>('select * from bundle where tenant = $1 and bundle = $2', [
        tenant,
        bundle,
      ])
      if (row) return rowOf(tx, row, bundleDays)
      // Just requested, and the view has not seen it yet.
      const requested = (await host.stream(tx, bundle))[0]
      return requested?.type === 'evidence.bundle-requested' ? rowOf(tx, fresh(requested), bundleDays) : null
    })
  }
  const fresh = (event: EventOf<'evidence.bundle-requested'>): Row => ({
    bundle: event.data.bundle,
    state: 'queued',
    reports: event.data.reports,
    framework: event.data.framework ?? null,
    formats: event.data.formats ?? null,
    scope: event.data.scope ?? null,
    assertion: null,
    attempts: 1,
    downloads: 0,
    downloaded_at: null,
    expired_at: null,
    period_from: event.data.period.from,
    period_to: event.data.period.to,
    requested_at: event.at,
    requested_by: event.by.id,
    sealed_at: null,
    bytes: null,
    sums_sha256: null,
    signing_key: null,
    stamp: null,
    problem: null,
    seq: event.seq,
  })
  /** What a guest was not shown is not there for them. */
  const within = (who: Caller, bundle: string): boolean => who.bundles?.includes(bundle) ?? true
  const noSuch = (bundle: string) => refuse('no-such-bundle', `There is no bundle ${bundle}.`)
  const actor = (who: Caller, address: string) => ({
    kind: 'operator' as const,
    id: who.operator,
    ...(address ? { address } : {}),
  })

  const inTurn = createTurns()
  const lifeOf = async (tenant: string, bundle: string) => bundleLife(await host.stream(tenant, bundle))
  const building = async (tenant: string): Promise<number> => {
    const [row] = await host.tx(tenant, (tx) =>
      tx.rows<{ n: number }>(`select count(*) as n from bundle where tenant = $1 and state = 'queued'`, [
        tenant,
      ]),
    )
    return row?.n ?? 0
  }

  async function* watch(tenant: string, bundle: string, signal: AbortSignal) {
    let shown = ''
    for (let turn = 0; turn < WATCH_TURNS && !signal.aborted; turn++) {
      const row = await read(tenant, bundle)
      if (!row) return
      const text = JSON.stringify(row)
      if (text !== shown) yield { event: 'bundle', data: row }
      shown = text
      if (row.state !== 'queued' && row.state !== 'building') return
      await pause(WATCH_MS, signal)
    }
  }

  const handlers: Handlers<typeof evidenceHttp> = {
    ...scopeHandlers(host),
    ...reportHandlers(host, options),
    async requestBundle({ who, body, address, correlation }) {
      const bundle = host.ids.opaque('bundle')
      const { reports, scope, framework, formats, assertion } = body
      const period = { from: body.from, to: body.to }
      const wish = { bundle, reports, period, scope, framework, formats, assertion }
      const facts = requestBundle(wish, host.clock.now(), await building(who.tenant))
      if (isRefused(facts)) return facts
      const by = actor(who, address)
      const cause = { correlation, causation: correlation }
      await host.append(who.tenant, { stream: bundle, expected: 0, facts, by, cause })
      await host.tx(who.tenant, (tx) => host.send(tx, [buildSend(bundle, 1, by, cause)]))
      return { bundle }
    },

    async listBundles({ who, query }) {
      const after = query.after === undefined ? null : wholeNumber(query.after)
      if (query.after !== undefined && after === null) return badPlace()
      const { bundleDays } = await readRetention(host, who.tenant)
      const shown = who.bundles ?? null
      return host.tx(who.tenant, async (tx) => {
        const rows = await tx.rows<Row>(
          `select * from bundle where tenant = $1 and ($2::bigint is null or seq < $2)
             and ($4::text[] is null or bundle = any ($4)) order by seq desc limit $3`,
          [who.tenant, after, query.limit, shown],
        )
        const [count] = await tx.rows<{ n: number }>(
          'select count(*) as n from bundle where tenant = $1 and ($2::text[] is null or bundle = any ($2))',
          [who.tenant, shown],
        )
        const items: BundleRow[] = []
        for (const row of rows) items.push(await rowOf(tx, row, bundleDays))
        return {
          items,
          next: rows.length === query.limit ? String(rows.at(-1)?.seq) : null,
          total: count?.n ?? 0,
        }
      })
    },

    async readBundle({ who, params }) {
      if (!within(who, params.bundle)) return noSuch(params.bundle)
      return (await read(who.tenant, params.bundle)) ?? noSuch(params.bundle)
    },

    async watchBundle({ who, params, signal }) {
      if (!within(who, params.bundle) || !(await read(who.tenant, params.bundle)))
        return noSuch(params.bundle)
      return eventStream(watch(who.tenant, params.bundle, signal), signal)
    },

    async cancelBundle({ who, params }) {
      const life = within(who, params.bundle) ? await lifeOf(who.tenant, params.bundle) : null
      if (!life) return noSuch(params.bundle)
      const command = buildCommand(params.bundle, life.attempts)
      const asked = await host.tx(who.tenant, (tx) => host.cancel(tx, command))
      if (!asked) return refuse('not-building', 'This bundle is not being built any more.')
      return undefined
    },

    async resumeBundle({ who, params, address, correlation }) {
      const life = within(who, params.bundle) ? await lifeOf(who.tenant, params.bundle) : null
      const facts = resumeBundle(life, await building(who.tenant))
      if (isRefused(facts) || !life) return isRefused(facts) ? facts : noSuch(params.bundle)
      const by = actor(who, address)
      const cause = { correlation, causation: correlation }
      const stream = params.bundle
      const appended = await host.append(who.tenant, { stream, expected: life.position, facts, by, cause })
      if (!appended.ok) return refuse('not-ended', 'Somebody else has just asked for it.')
      await host.tx(who.tenant, (tx) => host.send(tx, [buildSend(stream, life.attempts + 1, by, cause)]))
      return undefined
    },

    async downloadBundle({ who, params, address, correlation }) {
      const life = within(who, params.bundle) ? await lifeOf(who.tenant, params.bundle) : null
      if (!life) return noSuch(params.bundle)
      if (life.state === 'expired')
        return refuse(
          'bundle-expired',
          'Its retention is over and the file was deleted; build it anew from the same facts.',
        )
      if (life.state !== 'sealed' || life.zipSha256 === null)
        return refuse('not-sealed', 'This bundle is not sealed; there is nothing to hand out.')
      const path = bundlePath(options.stateDir, who.tenant, params.bundle, life.zipSha256)
      let size: number
      try {
        size = (await stat(path)).size
      } catch (error) {
        host.log.error({ error, bundle: params.bundle }, 'The file of a sealed bundle is missing')
        return refuse(
          'bundle-file-missing',
          'The file is not on this machine; restore the state folder or build it anew.',
        )
      }
      await host.append(who.tenant, {
        stream: params.bundle,
        expected: 'any',
        facts: [fact('evidence.bundle-downloaded', { bundle: params.bundle })],
        by: actor(who, address),
        cause: { correlation, causation: correlation },
      })
      // Node's stream and the platform's are the same thing under two type names.
      const body = Readable.toWeb(createReadStream(path)) as unknown as ReadableStream<Uint8Array>
      return new Response(body, {
        headers: {
          'content-type': 'application/zip',
          'content-length': String(size),
          'content-disposition': `attachment; filename="attestry-${params.bundle}.zip"`,
          'cache-control': 'no-store',
        },
      })
    },

    async readKeys({ who, signal }) {
      const { signer, checkpoint, authorities } = await options.keys()
      const ring = await host.tx(who.tenant, readKeys)
      const origin = await originOf(host, who.tenant, signal)
      return {
        signer: {
          kind: signer.kind,
          fingerprint: fingerprint(signer.publicKeyPem),
          pem: signer.publicKeyPem,
        },
        signerPem: signerRing(ring, signer.publicKeyPem),
        checkpointVerifiers: verifierRing(ring, checkpoint.verifier(origin)),
        ring,
        tsa: authorities.map((a) => ({ name: a.name, independent: a.independent, rootPem: a.rootsPem })),
      }
    },

    rotateKey({ who, params, address, correlation, signal }) {
      // In turn: each writes a key file, opens it, and says in the chain what it holds.
      return inTurn(async () => {
        const purpose = KeyPurpose.safeParse(params.purpose)
        if (!purpose.success)
          return refuse('no-such-purpose', `Keys are for ${KeyPurpose.options.join(', ')}.`)
        if (!(await options.rotate(purpose.data)))
          return refuse('key-in-vault', 'This key lives elsewhere; make a new version there and restart.')
        const cause = { correlation, causation: correlation }
        const keys = await options.keys()
        await adoptKeys(host, who.tenant, keys, { cause, signal, by: actor(who, address) })
        const fingerprints: Record<KeyPurpose, string> = {
          bundle: fingerprint(keys.signer.publicKeyPem),
          document: keys.document.certificateSha256,
          checkpoint: keys.checkpoint.fingerprint,
          hmac: keys.hmac.fingerprint,
        }
        return { fingerprint: fingerprints[purpose.data] }
      })
    },

    async readBundleHmacKey({ who, params }) {
      const sealed = (await host.stream(who.tenant, params.bundle)).find(
        (e) => e.type === 'evidence.bundle-sealed',
      )
      if (!sealed)
        return (await read(who.tenant, params.bundle))
          ? refuse('not-sealed', 'This bundle is not sealed; it has no HMAC.')
          : noSuch(params.bundle)
      const { hmacKey: keyId } = sealed.data
      const master = (await options.keys()).hmac.of(keyId)
      if (master === null)
        return refuse('hmac-key-gone', `The master key ${keyId} is not on this machine any more.`)
      return { keyId, key: (await bundleHmacKey(master, params.bundle)).toHex() }
    },

    async listCheckpoints({ who, query }) {
      const after = query.after === undefined ? null : wholeNumber(query.after)
      if (query.after !== undefined && after === null) return badPlace()
      return host.tx(who.tenant, (tx) => listCheckpoints(tx, { after, limit: query.limit }))
    },

    async readCheckpoint({ who, params }) {
      const size = wholeNumber(params.size)
      const found = size === null ? null : await host.tx(who.tenant, (tx) => checkpointOf(tx, size))
      if (!found) return refuse('no-such-checkpoint', `There is no checkpoint of ${params.size} events.`)
      const { root, at, timestamp, copies, note, token } = found
      return { size: found.size, root, at, timestamp, copies, note, token }
    },

    async anchorNow({ who, address, correlation }) {
      const cause = { correlation, causation: correlation }
      await host.tx(who.tenant, (tx) => host.send(tx, [anchorWish(host.clock, actor(who, address), cause)]))
      return undefined
    },

    async readReceipt({ who, params }) {
      const seq = wholeNumber(params.seq)
      const { seq: head } = await host.head(who.tenant)
      // A guest who was shown single bundles sees nothing of the ledger.
      if (seq === null || seq < 1 || seq > head || who.bundles)
        return refuse('no-such-event', `There is no event ${params.seq}; the last one is ${head}.`)
      const receipt = await host.tx(who.tenant, (tx) => receiptOf(tx, seq))
      if (isRefused(receipt)) return receipt
      return new Response(receipt, {
        headers: {
          'content-type': 'text/plain; charset=utf-8',
          'content-disposition': `attachment; filename="event-${seq}.tlog-proof"`,
          'cache-control': 'no-store',
        },
      })
    },

    async readConsistency({ who, query: { from, to } }) {
      const proof = await host.tx(who.tenant, (tx) => consistencyOf(tx, from, to))
      return isRefused(proof) ? proof : { from, to, proof }
    },
  }
  return bind(evidenceHttp, handlers, guard, host.log)
}
