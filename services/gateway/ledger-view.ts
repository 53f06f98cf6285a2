/*
 * What the gateway shows of the ledger and of the host's work. Ports: the process that hosts the gateway has the
 * database and the consumers, and gives these.
 */

/** One event as the activity page lists it. */
export interface LedgerRow {
  readonly seq: number
  readonly at: string
  readonly type: string
  readonly stream: string
  readonly actorKind: string
  readonly actorId: string
  readonly address: string | null
  readonly reason: string | null
  /** Hexadecimal link of the chain after this event. */
  readonly link: string
}

export interface LedgerView {
  /** Newest first, below `before` if given; `total` counts all that match. */
  page(
    tenant: string,
    filter: {
      readonly before: number | null
      readonly limit: number
      readonly type?: string
      readonly actor?: string
      readonly kind?: string
      /** Instants; `to` is exclusive. */
      readonly from?: string
      readonly to?: string
    },
  ): Promise<{ readonly rows: readonly LedgerRow[]; readonly total: number }>
  /** Walks the whole chain. */
  verify(
    tenant: string,
    signal: AbortSignal,
  ): Promise<{
    readonly ok: boolean
    readonly events: number
    readonly head: string
    readonly firstBad: { readonly seq: number; readonly reason: string } | null
  }>
  /** How far each consumer is behind. */
  lag(tenant: string): Promise<
    readonly {
      readonly service: string
      readonly consumer: string
      readonly context: string
      readonly cursor: number
      readonly head: number
    }[]
  >
}

/** Work that was set aside because it cannot be digested. */
export interface StuckWork {
  list(tenant: string): Promise<
    readonly {
      readonly id: string
      readonly service: string
      readonly consumer: string
      readonly seq: number | null
      readonly reason: string
      readonly since: string
    }[]
  >
  /** False if there is no such work. */
  replay(tenant: string, service: string, id: string): Promise<boolean>
}
