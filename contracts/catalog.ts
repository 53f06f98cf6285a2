import type * as z from 'zod'
import { complianceEvents } from './compliance.ts'
import { discoveryEvents } from './discovery.ts'
import type { Actor, Cause, EventDefinition } from './event.ts'
import { evidenceEvents } from './evidence.ts'
import { gatewayEvents } from './gateway.ts'
import { ledgerEvents } from './ledger-events.ts'
import { licensingEvents } from './licensing.ts'
import { rotationEvents } from './rotation.ts'
import { syncEvents } from './sync.ts'

/** Every event there is, by type. */
export const catalog = {
  ...ledgerEvents,
  ...discoveryEvents,
  ...complianceEvents,
  ...rotationEvents,
  ...syncEvents,
  ...evidenceEvents,
  ...gatewayEvents,
  ...licensingEvents,
}

export type EventType = keyof typeof catalog
export type DataOf<T extends EventType> = z.infer<(typeof catalog)[T]['data']>

/** The definition of a type, or undefined for one that this version does not know. */
export const definitionOf = (type: string): EventDefinition | undefined =>
  Object.hasOwn(catalog, type) ? catalog[type as EventType] : undefined

/** An event as the domain sees it: committed fields carry their values again. */
export type EventOf<T extends EventType = EventType> = {
  [K in T]: {
    readonly tenant: string
    readonly seq: number
    readonly stream: string
    readonly position: number
    readonly type: K
    readonly at: string
    readonly id: string
    readonly by: Actor
    readonly cause: Cause
    readonly env?: string
    readonly run?: string
    readonly data: DataOf<K>
  }
}[T]

/** An event that a service wants to be recorded: the kit adds ids, commitments and its place in the chain. */
export type Fact<T extends EventType = EventType> = {
  [K in T]: { readonly type: K; readonly data: DataOf<K>; readonly env?: string; readonly run?: string }
}[T]

/** Makes a fact with its type inferred. */
export const fact = <T extends EventType>(
  type: T,
  data: DataOf<T>,
  where: { env?: string; run?: string } = {},
): Fact<T> => ({ type, data, ...where })
