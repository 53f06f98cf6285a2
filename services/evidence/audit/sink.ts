import type { AuditTarget } from '@attestry/contracts'
import type { AuditRecord, BareRecord } from './record.ts'

export type Entry = AuditRecord | BareRecord

/** What a target remembers between two deliveries, beside how far it is; plain JSON. */
export type SinkState = Readonly<Record<string, string | number>>

/** A place that the audit log is sent to as it happens. */
export interface AuditSink {
  readonly target: AuditTarget
  /** Where that is, for people: never a credential. */
  readonly where: string
  /** How many entries it takes at most in one delivery. */
  readonly most: number
  /**
   * Delivers entries in order, all or a beginning of them; what is delivered may come again after a crash.
   * @returns the seq of the last that arrived, and what to remember
   * @throws Transient to be tried again, later if it says so; anything else is tried again as well
   */
  deliver(
    entries: readonly Entry[],
    state: SinkState,
    signal: AbortSignal,
  ): Promise<{ readonly through: number; readonly state?: SinkState }>
  close(): void
}

/** A delivery that takes longer has failed. */
export const DELIVER_WITHIN_MS = 20_000
