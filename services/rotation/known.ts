import type { CredentialSubject, PolicySettings, RotationTarget } from '@attestry/contracts'
import { instantOf, type Tx } from '@attestry/kit'
import type { Freeze } from './calendar.ts'
import type { Dependence } from './plan.ts'
import type { PolicyState } from './policy.ts'

/*
 * Reads of the service's own rows. Rows may be a moment behind the ledger; what must not be is decided on streams.
 */

interface PolicyRowOf {
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

/** Policies of earlier versions lack a subject and terms; nothing can be rotated by them, and they are left out. */
const POLICIES = `select policy, enabled, credential, cadence_days, subject, settings, selector from policies
  where tenant = $1 and subject is not null and settings is not null`

export async function readPolicy(tx: Tx, policy: string): Promise<PolicyState | null> {
  const [row] = await tx.rows<PolicyRowOf>(`${POLICIES} and policy = $2`, [tx.tenant, policy])
  return row ? policyOf(row) : null
}

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

/** Where a policy's new value goes: its own targets, else the secrets of its verified matches. */
export async function readTargets(tx: Tx, policy: PolicyState): Promise<Omit<RotationTarget, 'previous'>[]> {
  const own = policy.settings.targets
  if (own.length > 0) {
    const vaults = await readVaults(
      tx,
      own.map((t) => t.vault),
    )
    return own.flatMap(({ vault, secret, content }) => {
      const uri = vaults.get(vault)?.uri
      return uri ? [{ vault, uri: uri.replace(/\/$/, ''), secret, content }] : []
    })
  }
  const rows = await tx.rows<{ vault: string; uri: string; name: string }>(
    `select v.vault, v.uri, i.name from matches m
     join items i on i.tenant = m.tenant and i.asset = m.secret
     join vaults v on v.tenant = i.tenant and v.vault = i.vault
     where m.tenant = $1 and m.policy = $2 and m.state = 'verified' order by m.confidence desc, m.match limit 10`,
    [tx.tenant, policy.policy],
  )
  return rows.map((r) => ({
    vault: r.vault,
    uri: r.uri.replace(/\/$/, ''),
    secret: r.name,
    content: 'value' as const,
  }))
}

/** Who uses what the targets hold: resources by their edges, and routes that copy the vault elsewhere. */
export async function readDependents(
  tx: Tx,
  targets: readonly string[],
  vaults: readonly string[],
): Promise<Dependence[]> {
  const edges = await tx.rows<{
    resource: string
    type: Dependence['type']
    via: string
    name: string
    at: string
    setting: string
    target: string
    confidence: number
    verdict: string
  }>(
    `select e.resource, r.type, e.via, r.name, r.resource_id as at, e.setting, e.target, e.confidence, e.verdict
     from edges e join resources r on r.tenant = e.tenant and r.resource = e.resource
     where e.tenant = $1 and e.target = any($2) and e.verdict <> 'rejected' order by e.edge limit 2000`,
    [tx.tenant, targets],
  )
  const routes = await tx.rows<{ route: string; source: string }>(
    'select route, source from routes where tenant = $1 and active and source = any($2) order by route limit 500',
    [tx.tenant, vaults],
  )
  const byResource = new Map<string, Dependence>()
  for (const e of edges) {
    const confidence = e.verdict === 'confirmed' ? 100 : e.confidence
    const before = byResource.get(e.resource)
    // One switch of a resource serves all of its settings; the surest tells how.
    if (before && before.confidence >= confidence) continue
    byResource.set(e.resource, {
      dependent: e.resource,
      type: e.type,
      via: e.via,
      name: e.name,
      at: e.at,
      setting: e.setting,
      target: targets.indexOf(e.target),
      confidence,
    })
  }
  return [
    ...byResource.values(),
    ...routes.map(
      (r): Dependence => ({
        dependent: r.route,
        type: 'sync-route',
        via: 'route',
        name: `sync route ${r.route}`,
        at: r.route,
        setting: null,
        target: vaults.indexOf(r.source),
        confidence: 100,
      }),
    ),
  ]
}
