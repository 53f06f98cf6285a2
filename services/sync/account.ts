import type { RouteSettings, TargetKind } from '@attestry/contracts'
import {
  Denied,
  type Host,
  messageOf,
  refuse,
  type Refused,
  type Secret,
  Transient,
  type Tx,
} from '@attestry/kit'
import { accessOf, type Connector } from './connector.ts'
import { type Keyring, sealedName } from './keyring.ts'
import type { World } from './targets/access.ts'
import { targetType } from './targets/catalog.ts'
import type { Target } from './targets/target.ts'

/** A sign-in is tried for at most so long. */
const TEST_MS = 30_000

/** A target of an account; a stored secret is opened each time it is needed and never kept. */
export async function openTarget(
  host: Host,
  keyring: Keyring,
  world: World,
  tenant: string,
  connector: Connector,
  kind: TargetKind,
  fresh?: Secret,
): Promise<Target> {
  const stored = async (): Promise<Secret> => {
    if (fresh) return fresh
    const secret = await host.tx(tenant, (tx) => keyring.open(tx, sealedName(connector.connector)))
    if (!secret) throw new Denied('NoStoredCredential', 'The credential of this connector is not stored')
    return secret
  }
  const { account, region } = connector
  const { open } = await targetType(kind)
  return open({ account, region, access: accessOf(connector, stored) }, world)
}

/** The kind that a connector's sign-in is tried with. */
const TRIED: Readonly<Record<Connector['cloud'], TargetKind>> = {
  azure: 'azure-key-vault',
  aws: 'aws-secrets-manager',
  gcp: 'gcp-secret-manager',
}

/**
 * Tries a sign-in and looks which account it reached.
 * @refuses 'sign-in-failed', 'another-account'
 */
export async function trySignIn(
  target: Target,
  account: string,
  signal: AbortSignal,
): Promise<Refused<'sign-in-failed' | 'another-account'> | null> {
  try {
    const reached = await target.test(AbortSignal.any([signal, AbortSignal.timeout(TEST_MS)]))
    return reached.account.toLowerCase() === account.toLowerCase()
      ? null
      : refuse('another-account', `The sign-in reaches ${reached.account}, not ${account}.`)
  } catch (error) {
    if (signal.aborted) throw error
    if (!(error instanceof Denied || error instanceof Transient) && !(error instanceof DOMException))
      throw error
    return refuse('sign-in-failed', `The sign-in does not work: ${messageOf(error)}`.slice(0, 500))
  }
}

export const triedKind = (cloud: Connector['cloud']): TargetKind => TRIED[cloud]

/** Where two routes can meet: the same kind of store in the same account and region, whatever connector leads there. */
export const placeOf = (
  connector: Pick<Connector, 'account' | 'region'>,
  settings: Pick<RouteSettings, 'kind'>,
): string => `${settings.kind} ${connector.account.toLowerCase()} ${connector.region ?? ''}`

/** What stops a write: the setting, the licence, or a kill switch. Looked at before every write. */
export interface Gate {
  readonly allowed: boolean
  readonly stopped: boolean
}

export async function gateOf(tx: Tx, connector: string): Promise<Gate> {
  const [row] = await tx.rows<{ allowed: boolean; stopped: boolean }>(
    `select coalesce((select allowed from allowance where tenant = $1), false) as allowed,
       exists (select from kill_switch where tenant = $1 and connector = any(array['all', $2])) as stopped`,
    [tx.tenant, connector],
  )
  return row ?? { allowed: false, stopped: false }
}
