import type { CredentialSubject, PolicySettings } from '@attestry/contracts'
import { instantOf, type Tx } from '@attestry/kit'
import type { Freeze } from './calendar.ts'
import type { PolicyState } from './policy.ts'

/*
 * Reads of the service's own rows. Rows may be a moment behind the ledger; what must not be is decided on streams.
 */

/** A policy's row. */
export interface PolicyRowOf {
  policy: string
  enabled: boolean
  credential: string
  cadence_days: number
  subject: CredentialSubject
  settings: PolicySettings
  selector: string | null
}

export const policyOf = (r: PolicyRowOf): PolicyState => ({
  policy: r.policy,
  enabled: r.enabled,
  credential: r.credential,
  cadenceDays: r.cadence_days,
  subject: r.subject,
  settings: r.settings,
  selector: r.selector,
})

export async function readFreezes(tx: Tx): Promise<Freeze[]> {
  const rows = await tx.rows<{
    freeze_id: string
    starts_at: string
    ends_at: string
    name: string
    policies: string[]
  }>(
    `select id as freeze_id, starts_at, ends_at, name, policies from freezes where tenant = $1 and not lifted
     order by starts_at limit 1000`,
    [tx.tenant],
  )
  return rows.map((r) => ({
    freeze: r.freeze_id,
    from: instantOf(r.starts_at),
    until: instantOf(r.ends_at),
    name: r.name,
    policies: r.policies,
  }))
}

export interface KnownVault {
  readonly vault: string
  readonly name: string
  readonly uri: string
  readonly gone: boolean
  readonly environment: string | null
}

export async function readVaults(tx: Tx, vaults: readonly string[]): Promise<Map<string, KnownVault>> {
  const rows = await tx.rows<KnownVault>(
    'select vault, name, uri, gone, environment from vaults where tenant = $1 and vault = any($2)',
    [tx.tenant, vaults],
  )
  return new Map(rows.map((r) => [r.vault, r]))
}

export interface KnownCredential {
  readonly asset: string
  readonly subject: CredentialSubject
  readonly keyId: string | null
  readonly environment: string | null
  readonly startsAt: string | null
  readonly endsAt: string | null
}

/** A credential that discovery knows: an application's secret, or a vault's key or certificate. */
export async function readCredential(tx: Tx, asset: string): Promise<KnownCredential | 'certificate' | null> {
  const [c] = await tx.rows<{
    object_id: string
    app_id: string
    app_name: string
    key_id: string
    kind: string
    environment: string | null
    starts_at: string | null
    ends_at: string | null
  }>(
    `select object_id, app_id, app_name, key_id, kind, environment, starts_at, ends_at from credentials
     where tenant = $1 and asset = $2`,
    [tx.tenant, asset],
  )
  if (c) {
    // A certificate that an application signs in with is made elsewhere: its private key is not ours to replace.
    if (c.kind !== 'secret') return 'certificate'
    return {
      asset,
      subject: { kind: 'app-secret', at: c.object_id, part: c.app_id, name: c.app_name },
      keyId: c.key_id,
      environment: c.environment,
      startsAt: instantOf(c.starts_at),
      endsAt: instantOf(c.ends_at),
    }
  }
  const [i] = await tx.rows<{
    kind: string
    name: string
    uri: string
    environment: string | null
    created: string | null
    expires: string | null
    vault_name: string
  }>(
    `select i.kind, i.name, v.uri, v.environment, i.created, i.expires, v.name as vault_name
     from items i join vaults v on v.tenant = i.tenant and v.vault = i.vault
     where i.tenant = $1 and i.asset = $2 and not i.managed`,
    [tx.tenant, asset],
  )
  if (!i || (i.kind !== 'key' && i.kind !== 'certificate')) return null
  return {
    asset,
    subject: { kind: i.kind, at: i.uri.replace(/\/$/, ''), part: i.name, name: `${i.vault_name}/${i.name}` },
    keyId: null,
    environment: i.environment,
    startsAt: instantOf(i.created),
    endsAt: instantOf(i.expires),
  }
}
