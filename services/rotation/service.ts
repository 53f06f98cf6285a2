import { hkdfSync } from 'node:crypto'
import type { Guard, Host, Secret, Service } from '@attestry/kit'
import { azureAccess } from '@attestry/kit/azure'
import { askedView } from './asked.ts'
import { azureSwitchers } from './dependents/azure.ts'
import type { Switchers } from './dependents/dependent.ts'
import { advanceCommand, type DriveParts } from './drive.ts'
import { dueSchedule, planDueCommand } from './due.ts'
import { azureIssuers } from './issuers/azure.ts'
import type { Issuers, Work } from './issuers/issuer.ts'
import { matchCommand, matchReaction } from './match.ts'
import { noticeCommand, noticeReaction, webhookKey } from './notices.ts'
import { rotationRoutes, writesOn } from './routes.ts'
import { rotationView } from './views.ts'

export interface RotationOptions {
  readonly issuers: Issuers
  readonly switchers: Switchers
  /** The install's key: MACs of values and keys of webhooks are derived from it. */
  readonly secretKey: Secret
  readonly mailUrl?: string | undefined
  readonly mailFrom?: string | undefined
  readonly publicUrl?: string | undefined
  /** Rotations that people may ask for in a month (UTC), as the licence admits; null is no limit. */
  readonly manualLimit?: () => Promise<number | null>
  /** How long a new credential is tried before it is published. @default three tokens over a minute */
  readonly proof?: Work['proof']
}

/** Issuers and switchers of Azure, through the real SDKs. */
export function azureRotation(options: {
  /** A stand-in for the cloud on this machine; unset, the real one. */
  readonly endpoint: string | undefined
  /** The standard AZURE_* variables. */
  readonly env: Readonly<Record<string, string | undefined>>
}): Pick<RotationOptions, 'issuers' | 'switchers'> {
  const access = azureAccess(options)
  return { issuers: azureIssuers(access), switchers: azureSwitchers(access) }
}

const bytes = (master: Uint8Array, info: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', master, '', info, 32))

/** Replaces credentials before they end, without an outage. */
export function rotationService(host: Host, guard: Guard, options: RotationOptions): Service {
  const master = options.secretKey.reveal()
  const parts: DriveParts = {
    host,
    issuers: options.issuers,
    switchers: options.switchers,
    macKey: bytes(master, 'rotation/v1 values'),
    ...(options.proof ? { proof: options.proof } : {}),
  }
  const noticeKey = bytes(master, 'rotation/v1 notices')
  /** Something may be begun: licensed, and switched on. What runs finishes whatever happens to either. */
  const allowed = async (tenant: string): Promise<boolean> =>
    (await guard.entitled('cloud-writes')) &&
    (await guard.entitled('rotation')) &&
    (await writesOn(host, tenant))
  return {
    name: 'rotation',
    // Mostly waiting: for a directory to know a new credential, for a vault, for a site.
    commandsAtOnce: 100,
    schema: new URL('./schema/', import.meta.url),
    fetch: rotationRoutes(parts, guard, options.manualLimit ?? (() => Promise.resolve(null)), (policy) =>
      webhookKey(noticeKey, policy),
    ),
    commands: [
      advanceCommand(parts),
      planDueCommand(parts, allowed),
      matchCommand(host),
      noticeCommand(host, {
        mailUrl: options.mailUrl,
        mailFrom: options.mailFrom,
        publicUrl: options.publicUrl,
        masterKey: noticeKey,
        loopback: host.origin === 'demo',
      }),
    ],
    reactions: [matchReaction(host), noticeReaction],
    views: [rotationView, askedView],
    schedules: [dueSchedule(host, allowed)],
  }
}
