import { createHash } from 'node:crypto'
import type { PlannedDependent } from '@attestry/contracts'
import { Denied, Transient } from '@attestry/kit'
import type { Revision } from '@azure/arm-appcontainers'
import { type Azure, call, readOptions, unlessAbsent, writeOptions } from '../azure/call.ts'
import type { ResourceManager } from '../azure/rights.ts'
import { type Place, placeOf } from '../issuers/resource.ts'
import type { Goal, Switcher } from './dependent.ts'
import type { Order, Work } from '../issuers/issuer.ts'

/*
 * Container Apps: a new revision starts with the secrets that the platform fetches for it. It is confirmed once it is up,
 * healthy and has the traffic; one that does not come up leaves the old revision serving.
 */

const TYPE = 'Microsoft.App/containerApps'
/** The platform fetches referenced secrets again by itself after so long. */
const CACHE_MS = 30 * 60_000

const appOf = ({ at }: PlannedDependent): Place & { id: string } => {
  if (at === null) throw new Denied('NoResource', 'The plan does not say which container app this is')
  return { ...placeOf(at, TYPE), id: at }
}

/** A suffix that follows from what the revision is for, so that a second call finds the first one's revision. */
const suffixOf = (order: Order, what: string): string =>
  `attestry-${createHash('sha256').update(`${order.rotation} ${order.attempt} ${what}`).digest('hex').slice(0, 12)}`

const goalText = (goal: Goal): string => goal.versions.map(({ version }) => version).join(' ')

export function containerApps(azure: Azure, manager: ResourceManager): Switcher {
  const { credential } = azure.access
  // Loaded when first needed: an install without container apps never pays for it.
  const client = async (subscription: string, options: ReturnType<typeof readOptions>) => {
    const { ContainerAppsAPIClient } = await import('@azure/arm-appcontainers')
    return new ContainerAppsAPIClient(credential, subscription, options)
  }
  const reader = (subscription: string) => client(subscription, readOptions(azure))
  const writer = (subscription: string) => client(subscription, writeOptions(azure))

  const revision = (dependent: PlannedDependent, suffix: string, work: Work): Promise<Revision | null> => {
    const { subscription, group, name } = appOf(dependent)
    return unlessAbsent(
      call(azure, work.signal, async (abortSignal) =>
        (await reader(subscription)).containerAppsRevisions.getRevision(group, name, `${name}--${suffix}`, {
          abortSignal,
        }),
      ),
    )
  }

  async function renew(dependent: PlannedDependent, suffix: string, work: Work): Promise<void> {
    if (await revision(dependent, suffix, work)) return
    const { subscription, group, name } = appOf(dependent)
    try {
      await call(azure, work.signal, async (abortSignal) => {
        const app = await (await reader(subscription)).containerApps.get(group, name, { abortSignal })
        // Only the request: whether the revision comes up is looked at by whoever confirms.
        await (await writer(subscription)).containerApps
          .update(
            group,
            name,
            { location: app.location, template: { revisionSuffix: suffix } },
            { abortSignal },
          )
          .submitted()
      })
    } catch (error) {
      if (!(error instanceof Transient) || work.signal.aborted) throw error
      // The answer may be lost and the revision made.
      if (!(await revision(dependent, suffix, work))) throw error
    }
  }

  return {
    kind: 'container-app',
    possible: async (_, dependent, work) => {
      const { id } = appOf(dependent)
      const rights = await manager.rights(id, work.signal)
      const missing = ['read', 'write', 'revisions/read'].filter((action) => !rights.may(`${TYPE}/${action}`))
      return missing.length === 0
        ? null
        : `the identity lacks ${missing.map((action) => `${TYPE}/${action}`).join(' and ')} there`
    },
    switch: async (order, dependent, goal, work) => {
      await renew(dependent, suffixOf(order, goalText(goal)), work)
      return { cacheMs: CACHE_MS, says: 'A new revision was started with the new value.' }
    },
    confirm: async (order, dependent, goal, work) => {
      const found = await revision(dependent, suffixOf(order, goalText(goal)), work)
      if (!found) return { state: 'unconfirmed', why: 'The new revision is not there yet.' }
      const { healthState, provisioningState, runningState, trafficWeight } = found
      if (provisioningState === 'Failed' || runningState === 'Failed' || healthState === 'Unhealthy')
        return { state: 'failed', why: 'The new revision does not come up; the old one goes on serving.' }
      if (healthState !== 'Healthy') return { state: 'unconfirmed', why: 'The new revision is starting.' }
      if ((trafficWeight ?? 0) > 0) return { state: 'confirmed' }
      return {
        state: 'unconfirmed',
        why: 'The new revision is healthy and has no traffic: in multiple-revision mode a person moves it.',
      }
    },
    back: (order, dependent, work) => renew(dependent, suffixOf(order, 'back'), work),
  }
}
