import type { Caller, Guard, Host, Secret, Service } from '@attestry/kit'
import { azureAccess } from '@attestry/kit/azure'
import { askForFirstConnectors, demonstrationConnectors, firstConnectorsCommand } from './demonstration.ts'
import { createKeyring } from './keyring.ts'
import { releaseReaction, releaseSchedule } from './release.ts'
import { syncRoutes } from './routes.ts'
import { runCommand } from './run.ts'
import type { World } from './targets/access.ts'
import { changeReactions, lookForLost, lostCommand, scheduledRuns } from './triggers.ts'
import { sourceView, syncView } from './views.ts'
import { createWorker } from './worker.ts'

export interface SyncOptions {
  /** A stand-in for every cloud on this machine; unset, the real ones. */
  readonly endpoint: string | undefined
  /** Variables that the clouds' own libraries read. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What stored credentials are encrypted under. */
  readonly secretKey: Secret
  /** Whether the licence admits sync and writes to clouds. */
  readonly licensed: () => Promise<boolean>
  /** Accounts that a demonstration is connected to at its first start, as JSON; none by default. */
  readonly demonstration?: string
  /** How often the worker gives a sign of life, in milliseconds. @default 10,000 */
  readonly beatMs?: number
}

/** Copies secrets to other clouds and proves which version is where. */
export function syncService(host: Host, guard: Guard, options: SyncOptions): Service {
  const world: World = {
    azure: azureAccess({ endpoint: options.endpoint, env: options.env }),
    endpoint: options.endpoint,
    now: () => host.clock.now(),
    env: options.env,
  }
  const keyring = createKeyring(options.secretKey, host.clock, host.ids)
  const worker = createWorker(host, options.beatMs)
  const connectors = demonstrationConnectors(options.demonstration ?? '[]')
  const { licensed } = options
  return {
    name: 'sync',
    schema: new URL('./schema/', import.meta.url),
    fetch: syncRoutes({
      host,
      guard,
      keyring,
      world,
      worker,
      licensed,
      byOf: (who: Caller) => ({ kind: 'operator', id: who.operator }),
    }),
    commands: [
      runCommand({ host, keyring, world, licensed, random: Math.random }),
      lostCommand(host),
      firstConnectorsCommand(host, connectors),
    ],
    // A run mostly waits for what is far away.
    commandsAtOnce: 8,
    reactions: [...changeReactions(host), releaseReaction(host)],
    views: [syncView, sourceView],
    schedules: [scheduledRuns(host), releaseSchedule(host), lookForLost],
    start: async () => {
      // Beats until the process stops; its failures are told in the log and tried again.
      void worker.run()
      if (connectors.length > 0) await askForFirstConnectors(host)
    },
  }
}
