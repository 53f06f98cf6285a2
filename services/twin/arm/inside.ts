import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Caller } from '../entra/tokens.ts'
import type { Subscription } from '../estate/estate.ts'
import type { Call, Cloud, operations } from '../operation.ts'
import type { apiVersions } from './access.ts'

export type ArmApp = Hono<{ Bindings: HttpBindings }>

/** What the resource types share: Resource Manager's door, names and pages. */
export interface InsideArm {
  readonly app: ArmApp
  readonly cloud: Cloud
  readonly operation: ReturnType<typeof operations>
  readonly inSubscription: (
    call: Call,
    type: keyof typeof apiVersions,
    kind?: 'arm.read' | 'arm.write',
  ) => Promise<{ caller: Caller; subscription: Subscription }>
  readonly named: <T extends { name: string; subscription: string; resourceGroup: string }>(
    items: readonly T[],
    call: Call,
    type: string,
  ) => T
  readonly paged: <T>(call: Call, items: readonly T[], render: (item: T) => unknown) => Response
}

/** The path of what lies in a resource group. */
export const groupPath = '/subscriptions/:subscription/resourcegroups/:group'
