import { command, type Guard, type Host, type Secret, type Service } from '@attestry/kit'
import * as z from 'zod'
import { buildBundle } from './build.ts'
import { type EvidenceKeys, openKeys } from './keys.ts'
import { evidenceFetch } from './routes.ts'
import { bundles } from './views.ts'

export interface EvidenceOptions {
  /** Holds the signing key and the bundles; must survive restarts. */
  readonly stateDir: string
  readonly secretKey: Secret
  /** `name=address` of time-stamp authorities, separated by spaces. */
  readonly tsa: string
  readonly tsaRootsFile: string | undefined
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** Builds bundles that an auditor verifies offline: every report is a fold of the ledger alone. */
export function evidenceService(host: Host, guard: Guard, options: EvidenceOptions): Service {
  let opened: Promise<EvidenceKeys> | null = null
  const keys = () => {
    opened ??= openKeys(options).catch((error: unknown) => {
      // A key that could not be opened is tried again at the next need.
      opened = null
      throw error
    })
    return opened
  }
  return {
    name: 'evidence',
    schema: new URL('./schema/', import.meta.url),
    fetch: evidenceFetch(host, guard, { stateDir: options.stateDir, keys }),
    commands: [
      command({
        name: 'build',
        body: z.object({ bundle: z.string() }),
        work: buildBundle(host, { stateDir: options.stateDir, keys, fetch: options.fetch ?? fetch }),
      }),
    ],
    reactions: [],
    views: [bundles],
    schedules: [],
  }
}
