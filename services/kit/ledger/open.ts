import type { Pool } from 'pg'
import { rows, transaction, look } from '../postgres.ts'
import { asDenial, eventBody } from './append.ts'

/** Whether a chain holds facts of real clouds or of a demonstration; fixed by its first event, for ever. */
export type Origin = 'real' | 'demo'

/** The kit's own role. */
export const LEDGER_ROLE = 'attestry_ledger'

export interface OpenTenant {
  readonly tenant: string
  readonly origin: Origin
  readonly productVersion: string
  /** UUIDv7 of the event. */
  readonly id: string
  /** 32 random bytes: keys the tenant's opaque ids. Used only when the chain is new. */
  readonly streamKey: Uint8Array
  readonly by: unknown
  readonly cause: unknown
  readonly signal?: AbortSignal
}

/**
 * Opens a tenant's chain with `ledger.opened`. Idempotent.
 * @throws {AppendDenied} 'other-origin' where the chain was opened as the other kind
 */
export const openTenant = async (pool: Pool, open: OpenTenant): Promise<void> => {
  const { tenant, origin, productVersion, id, streamKey, by, cause, signal } = open
  const body = eventBody({ type: 'ledger.opened', v: 1, id, data: { origin, productVersion }, by, cause })
  try {
    await transaction(pool, { role: LEDGER_ROLE, tenant, ...(signal ? { signal } : {}) }, (client) =>
      client.query('select ledger.open_tenant($1, $2, $3, $4, $5)', [
        tenant,
        origin,
        Buffer.from(streamKey),
        id,
        body,
      ]),
    )
  } catch (error) {
    throw asDenial(error)
  }
}

/** A tenant with a chain. */
export interface TenantChain {
  readonly tenant: string
  readonly origin: Origin
  readonly streamKey: Uint8Array
  /** The last event's seq and link. */
  readonly seq: number
  readonly link: Uint8Array
}

/** All tenants with a chain, the reserved one included, by name. */
export const tenantChains = async (pool: Pool): Promise<TenantChain[]> => {
  const [chains = []] = await look(pool, { role: LEDGER_ROLE }, [
    `select tenant, origin, stream_key as "streamKey", seq, link from ledger.tenant join ledger.head using (tenant)
      order by tenant`,
  ])
  // The columns are ours.
  return chains as TenantChain[]
}

/** Audit facts are kept at least this long. */
const KEEP_DAYS = 365

export interface Erase {
  readonly tenant: string
  readonly seqs: readonly number[]
  readonly why: string
  /** The duty under which it is done, such as `GDPR Art. 17`. */
  readonly duty: string
  readonly by: unknown
  readonly cause: unknown
  readonly id: string
  /** Set when a person with the right to do so approved erasure within the time for which events are kept. */
  readonly approved?: boolean
}

export type EraseResult =
  | { readonly ok: true; readonly erased: number }
  | { readonly ok: false; readonly refused: 'duty-to-keep'; readonly seqs: readonly number[] }

/**
 * Removes the private values of events: first appends `ledger.erased`, then nulls them, in one transaction. The
 * envelopes and every hash stay.
 * @returns 'duty-to-keep' with the events younger than 365 days, unless `approved`
 */
export const erase = async (pool: Pool, request: Erase): Promise<EraseResult> => {
  const { tenant, why, duty, by, cause, id } = request
  const seqs = [...new Set(request.seqs)].sort((a, b) => a - b)
  const body = eventBody({ type: 'ledger.erased', v: 1, id, data: { duty, seqs, why }, by, cause })
  try {
    return await transaction(pool, { role: LEDGER_ROLE, tenant }, async (client) => {
      if (!request.approved) {
        const young = await rows<{ seq: number }>(
          client,
          `select seq from ledger.event where tenant = $1 and seq = any ($2) and at > now() - make_interval(days => $3)
            order by seq`,
          [tenant, seqs, KEEP_DAYS],
        )
        if (young.length > 0) return { ok: false, refused: 'duty-to-keep', seqs: young.map((row) => row.seq) }
      }
      const [row] = await rows<{ erased: number }>(
        client,
        'select ledger.erase($1, $2::bigint[], $3, $4, null) as erased',
        [tenant, seqs, id, body],
      )
      return { ok: true, erased: row?.erased ?? 0 }
    })
  } catch (error) {
    throw asDenial(error)
  }
}
