import type { Vault } from '@attestry/contracts'
import type { Known } from './estate.ts'
import type { EstateRecord } from './record.ts'
import type { Subject, SubjectKind, Subjects } from './subject.ts'

/** Epoch milliseconds of an instant, null where none is set. */
const at = (instant: string | null | undefined): number | null => (instant ? Date.parse(instant) : null)

/** Whether a thing is part of the estate: neither gone nor in an environment that was disconnected. */
function present(known: Known, r: EstateRecord | undefined): r is EstateRecord {
  if (!r || r.gone) return false
  if (r.kind === 'vault' && r.facts.unreachable === 'gone') return false
  const env = r.facts.env ? known.get(r.facts.env) : undefined
  if (env?.facts.connected === false) return false
  if (r.kind !== 'item' && r.kind !== 'edge' && r.kind !== 'setting') return true
  const holder = r.holder === null ? undefined : known.get(r.holder)
  return holder === undefined || present(known, holder)
}

const WHY: Readonly<Record<string, string>> = {
  firewall: 'its firewall turns the scanner away',
  forbidden: 'the scanner’s identity may not read it',
  throttled: 'it kept refusing calls for being too many',
  failed: 'reading it failed',
}

/** Why a vault cannot be read, as the end of a sentence. */
export const whyUnreachable = (why: string): string => WHY[why] ?? why

const unreadVault = (vault: EstateRecord | undefined): string | null =>
  vault?.facts.unreachable
    ? `Vault ${vault.name} cannot be read: ${whyUnreachable(vault.facts.unreachable)}.`
    : null

const HIDDEN = {
  applications: 'Application registrations could not be listed: the identity lacks the permission in Graph.',
  resources: 'Resources could not be listed, so that what uses a credential is not known.',
} as const

/** Why an environment hides a part of itself, or null. */
const hides = (env: EstateRecord | undefined, part: keyof typeof HIDDEN): string | null =>
  env && env.kind === 'environment' && env.facts.connected !== false && env.facts.refused?.includes(part)
    ? HIDDEN[part]
    : null

const common = <K extends SubjectKind>(kind: K, id: string, unread: string | null = null) => ({
  kind,
  id,
  unread,
})

const NO_ALGORITHM = { algorithm: null, bits: null, curve: null }

function itemOf(known: Known, kind: 'secret' | 'certificate' | 'key', id: string): Subject | undefined {
  const r = known.get(id)
  if (!present(known, r)) return undefined
  if (r.kind === 'vault') return unlisted(known, kind, r)
  if (r.kind !== 'item' || r.facts.itemKind !== kind) return undefined
  const vault = r.holder === null ? undefined : known.get(r.holder)
  const { facts } = r
  const base = {
    id,
    unread: unreadVault(vault),
    enabled: facts.enabled ?? true,
    managed: facts.managed ?? false,
    expires: at(facts.expires),
  }
  if (kind !== 'secret')
    return {
      kind,
      ...base,
      algorithm: facts.algorithm ?? null,
      bits: facts.bits ?? null,
      curve: facts.curve ?? null,
    }
  let uses = 0
  for (const e of known.pointing(id))
    if (e.kind === 'edge' && e.facts.decided !== 'rejected' && present(known, e)) uses++
  return {
    kind,
    ...base,
    name: r.name,
    created: at(facts.created),
    tags: facts.tags ?? [],
    uses,
    usersHidden: usersHidden(known),
  }
}

/**
 * An unreadable vault of which no item is known stands in each population for what it may hold: otherwise
 * an estate that nobody could read would pass.
 */
function unlisted(
  known: Known,
  kind: 'secret' | 'certificate' | 'key',
  vault: EstateRecord,
): Subject | undefined {
  const unread = unreadVault(vault)
  if (unread === null) return undefined
  for (const r of known.held(vault.id)) if (!r.gone && r.facts.itemKind === kind) return undefined
  const base = { ...common(kind, vault.id, unread), enabled: true, managed: false, expires: null }
  return kind === 'secret'
    ? { ...base, kind, name: vault.name, created: null, tags: [], uses: 0, usersHidden: true }
    : { ...base, kind, ...NO_ALGORITHM }
}

function usersHidden(known: Known): boolean {
  for (const env of known.of('environment')) if (hides(env, 'resources') !== null) return true
  return false
}

function vaultOf(known: Known, id: string): Subjects['vault'] | undefined {
  const r = known.get(id)
  if (r?.kind !== 'vault' || !present(known, r)) return undefined
  return {
    ...common('vault', id),
    // The events that fill this field of a vault's record carry a Vault.
    facts: (r.facts.facts as Vault | undefined) ?? null,
    unreachable: r.facts.unreachable ?? null,
  }
}

function appSecretOf(known: Known, id: string): Subjects['app-secret'] | undefined {
  const hidden = hides(known.get(id), 'applications')
  if (hidden !== null) return { ...common('app-secret', id, hidden), rotated: false }
  const r = known.get(id)
  const application = r?.holder ? known.get(r.holder) : undefined
  if (r?.kind !== 'credential' || r.facts.credentialKind !== 'secret') return undefined
  // A credential that was removed is told by the application no longer listing it.
  if (!present(known, application) || !application.facts.credentials?.includes(id)) return undefined
  let rotated = false
  for (const p of known.pointing(id)) rotated ||= p.kind === 'policy' && p.facts.enabled === true
  return { ...common('app-secret', id), rotated }
}

function resourceOf(known: Known, id: string): Subjects['resource'] | undefined {
  const r = known.get(id)
  const hidden = hides(r, 'resources')
  const nothing = { settingsRead: false, hardCoded: [], references: 0, unmapped: [] }
  if (hidden !== null) return { ...common('resource', id, hidden), ...nothing }
  if (r?.kind !== 'resource' || !present(known, r)) return undefined
  const hardCoded: { name: string; looksLike: string }[] = []
  const unmapped: string[] = []
  let references = 0
  for (const held of known.held(id)) {
    if (held.gone) continue
    if (held.kind === 'setting')
      hardCoded.push({ name: held.name, looksLike: held.facts.looksLike ?? 'password' })
    if (held.kind !== 'edge' || held.facts.via !== 'key-vault-reference' || held.facts.decided === 'rejected')
      continue
    references++
    if (!held.facts.target) unmapped.push(held.facts.setting ?? held.name)
  }
  return {
    ...common('resource', id),
    settingsRead: r.facts.settingsRead ?? false,
    hardCoded,
    references,
    unmapped,
  }
}

function edgeOf(known: Known, id: string): Subjects['edge'] | undefined {
  const r = known.get(id)
  const hidden = hides(r, 'resources')
  if (hidden !== null) return { ...common('edge', id, hidden), confidence: 0, decided: 'proposed' }
  if (r?.kind !== 'edge' || r.facts.confidence === undefined || !present(known, r)) return undefined
  return {
    ...common('edge', id),
    confidence: r.facts.confidence,
    decided: r.facts.decided ?? 'proposed',
  }
}

function policyOf(known: Known, id: string): Subjects['policy'] | undefined {
  const r = known.get(id)
  if (r?.kind !== 'policy' || !present(known, r)) return undefined
  let matches = 0
  let verifiedMatches = 0
  for (const m of known.held(id)) {
    matches++
    if (m.facts.state === 'verified') verifiedMatches++
  }
  return {
    ...common('policy', id),
    enabled: r.facts.enabled ?? false,
    targetVault: r.facts.targetVault ?? null,
    matches,
    verifiedMatches,
    last: r.facts.last ?? null,
  }
}

function matchOf(known: Known, id: string): Subjects['match'] | undefined {
  const r = known.get(id)
  if (r?.kind !== 'match' || !present(known, r)) return undefined
  const policy = r.holder === null ? undefined : known.get(r.holder)
  return {
    ...common('match', id),
    state: r.facts.state === 'verified' || r.facts.state === 'excluded' ? r.facts.state : 'proposed',
    policyEnabled: policy?.facts.enabled ?? false,
    confidence: r.facts.confidence ?? 0,
  }
}

function routeOf(known: Known, id: string): Subjects['route'] | undefined {
  const r = known.get(id)
  if (r?.kind !== 'route' || !present(known, r)) return undefined
  const running = [...known.of('worker')].filter((worker) => worker.facts.runs === true)
  const ends = running.map((worker) => at(worker.facts.until) ?? Number.POSITIVE_INFINITY)
  const last = Math.max(...ends)
  return {
    ...common('route', id),
    active: r.facts.state === 'active',
    workerRuns: running.length > 0,
    workerUntil: Number.isFinite(last) ? last : null,
  }
}

function copyOf(known: Known, id: string): Subjects['copy'] | undefined {
  const r = known.get(id)
  if (r?.kind !== 'copy' || !present(known, r)) return undefined
  return {
    ...common('copy', id),
    copiedAt: at(r.facts.copiedAt),
    failedAt: at(r.facts.failedAt),
    failure: r.facts.reason ?? null,
  }
}

/** The subject of a kind and id as the records tell it, or undefined when it is not part of the estate. Pure. */
export function subjectOf(known: Known, kind: SubjectKind, id: string): Subject | undefined {
  switch (kind) {
    case 'secret':
    case 'certificate':
    case 'key':
      return itemOf(known, kind, id)
    case 'vault':
      return vaultOf(known, id)
    case 'app-secret':
      return appSecretOf(known, id)
    case 'resource':
      return resourceOf(known, id)
    case 'edge':
      return edgeOf(known, id)
    case 'policy':
      return policyOf(known, id)
    case 'match':
      return matchOf(known, id)
    case 'route':
      return routeOf(known, id)
    case 'copy':
      return copyOf(known, id)
    default:
      return kind satisfies never
  }
}
