import { createHash } from 'node:crypto'
import { Denied, type Host, messageOf, Transient } from '@attestry/kit'
import type { Connector } from './connector.ts'
import { placeOf } from './account.ts'
import type { Copy } from './copy.ts'
import { foldedName, targetName } from './mapping.ts'
import { doubtful, isSettled, type PlanInput, suspects, unseen } from './plan.ts'
import type { Route } from './route.ts'
import type { Capabilities, Looked, RemoteEntry, Source, SourceItem, Target } from './targets/target.ts'

/* Everything that a plan is made from: listings, what the ledger knows, and a few looks where those do not suffice. */

export interface GatherParts {
  readonly host: Host
  readonly tenant: string
  readonly route: Route
  readonly connector: Connector
  readonly vault: { readonly id: string; readonly name: string; readonly uri: string }
  readonly source: Source
  readonly target: Target
  /** Names of the source that alone are looked at; null is all. */
  readonly only: readonly string[] | null
  /** Whether every copy is described where a listing does not show drift, or a slice of them. */
  readonly thorough: boolean
  readonly signal: AbortSignal
}

export interface Gathered {
  readonly input: PlanInput
  readonly listCalls: number
  /** What kept the source's listing from its end, and whether anything of it was read. */
  readonly broken: { readonly problem: string; readonly nothing: boolean } | null
}

/** Questions in flight about single items. */
const LOOKS_IN_FLIGHT = 8
/** Where drift shows by description alone, each copy is described once in so many half hours. */
const SLICES = 48
const SLICE_MS = 30 * 60_000

/** Does work on each of a list, so many at once; the first failure ends it. */
export async function each<T>(
  items: readonly T[],
  inFlight: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const item = items[next++]
      if (item !== undefined) await work(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, items.length) }, lane))
}

export const idsOf = (opaque: (kind: string, name: string) => string, route: string, vault: string) => {
  return (name: string) => {
    // The id under which discovery knows the same secret.
    const secret = opaque('secret', `${vault}/${name.toLowerCase()}`)
    return { secret, copy: opaque('copy', `${route} ${secret}`) }
  }
}

/** Copies of a route, all or those of the secrets named, by secret, with what was confirmed of their sources. */
async function copiesOf(
  host: Host,
  tenant: string,
  route: string,
  secrets: readonly string[] | null,
): Promise<Map<string, Copy>> {
  const rows = await host.tx(tenant, (tx) =>
    tx.rows<{ body: Copy; confirmed: string | null }>(
      `select c.body, f.updated as confirmed from copy c
       left join confirmed f on f.tenant = c.tenant and f.copy = c.copy
       where c.tenant = $1 and c.route = $2 and ($3::text[] is null or c.secret = any($3))`,
      [tx.tenant, route, secrets],
    ),
  )
  return new Map(rows.map(({ body, confirmed }) => [body.secret, { ...body, confirmed }]))
}

/** Who holds which names of a place, all or those named: copies of all open routes that lead there. */
export async function claimsAt(
  host: Host,
  tenant: string,
  place: string,
  can: Pick<Capabilities, 'foldsCase'>,
  names: readonly string[] | null = null,
): Promise<Map<string, { route: string; secret: string }>> {
  const rows = await host.tx(tenant, (tx) =>
    tx.rows<{ route: string; secret: string; target_name: string }>(
      `select c.route, c.secret, c.target_name from copy c
       join route r on r.tenant = c.tenant and r.route = c.route and r.state <> 'closed'
       join connector k on k.tenant = r.tenant and k.connector = r.connector
       where c.tenant = $1 and c.state <> 'pruned' and c.target_name <> ''
         and concat(r.settings ->> 'kind', ' ', lower(k.account), ' ', coalesce(k.region, '')) = $2
         and ($3::text[] is null or lower(c.target_name) = any($3))`,
      [tx.tenant, place, names?.map((name) => name.toLowerCase()) ?? null],
    ),
  )
  return new Map(
    rows.map(({ route, secret, target_name }) => [foldedName(target_name, can), { route, secret }]),
  )
}

export async function gather(parts: GatherParts): Promise<Gathered> {
  const { host, tenant, route, connector, vault, source, target, only, signal } = parts
  const { settings } = route
  const { can } = target
  const opaque = await host.opaque(tenant)
  const idOf = idsOf(opaque, route.route, vault.id)
  // A run of one secret must not cost what the whole route has grown to.
  const secrets = only?.map((name) => idOf(name).secret) ?? null
  const targets = only?.map((name) => targetName(settings, vault.name, name)) ?? null
  const known = await copiesOf(host, tenant, route.route, secrets)
  const claims = await claimsAt(host, tenant, placeOf(connector, settings), can, targets)
  let listCalls = 0
  let broken: Gathered['broken'] = null
  let items: SourceItem[] = []
  let remotes: RemoteEntry[] = []
  const looked = new Map<string, Looked>()

  if (only === null) {
    // The target first: what is not in it may be made, so its listing has to reach its end, or is thrown.
    for await (const page of target.list(signal)) {
      listCalls++
      remotes.push(...page)
    }
    try {
      for await (const page of source.list(signal)) {
        listCalls++
        items.push(...page)
      }
    } catch (error) {
      if (!(error instanceof Denied || error instanceof Transient)) throw error
      broken = { problem: messageOf(error), nothing: items.length === 0 }
    }
  } else {
    await each(only, LOOKS_IN_FLIGHT, async (name) => {
      const found = await source.look(name, signal)
      const { secret } = idOf(name)
      if (!found) return
      looked.set(secret, found)
      items.push(found.item)
      const remote = await target.describe(targetName(settings, vault.name, name), signal)
      if (remote) remotes.push(remote)
    })
  }

  const targetVault =
    connector.cloud === 'azure'
      ? ((
          await host.tx(tenant, (tx) =>
            tx.rows<{ vault: string }>(
              'select vault from source_vault where tenant = $1 and lower(uri) = lower($2)',
              [tx.tenant, connector.account],
            ),
          )
        )[0]?.vault ?? null)
      : null
  const draft = () => ({
    route: route.route,
    settings,
    accepted: route.accepted,
    vault,
    targetVault,
    can,
    sources: { items, complete: only === null && broken === null },
    remotes,
    known,
    claims,
    idOf,
  })
  const now = host.clock.now()
  if (only === null) {
    const names = new Set([...unseen(draft()), ...doubtful(draft()), ...slice(parts, known, now)])
    const byName = new Map(remotes.map((entry) => [foldedName(entry.name, can), entry]))
    await each([...names], LOOKS_IN_FLIGHT, async (name) => {
      const entry = await target.describe(name, signal)
      if (entry) byName.set(foldedName(name, can), entry)
      else byName.delete(foldedName(name, can))
    })
    remotes = [...byName.values()]
  }
  const versions = new Map<string, string>()
  await each(suspects(draft()), LOOKS_IN_FLIGHT, async ({ name, secret }) => {
    let found: Looked | null
    try {
      found = looked.get(secret) ?? (await source.look(name, signal))
    } catch (error) {
      if (!(error instanceof Denied || error instanceof Transient)) throw error
      // Not known to have moved, so nothing is written for it this time.
      broken ??= { problem: messageOf(error), nothing: false }
      return
    }
    // Only a read can tell which of two is the newest, so the plan says to read.
    versions.set(secret, found?.version ?? UNKNOWN)
    if (found) items = items.map((item) => (item.name === name ? found.item : item))
    const copy = known.get(secret)
    const updated = found?.item.updated
    if (
      copy &&
      updated &&
      found?.version === copy.written?.sourceVersion &&
      isSettled(updated, now.toString())
    )
      await host.tx(tenant, (tx) =>
        tx.rows(
          `insert into confirmed (tenant, copy, updated) values ($1, $2, $3)
           on conflict (tenant, copy) do update set updated = excluded.updated`,
          [tx.tenant, copy.copy, updated],
        ),
      )
  })
  const input: PlanInput = {
    ...draft(),
    versions,
    now,
    sha256: (text) => createHash('sha256').update(text).digest('hex'),
  }
  return { input, listCalls, broken }
}

/** No version id of any vault. */
const UNKNOWN = 'unknown'

/** Copies to describe this time, where a listing does not show that somebody wrote there. */
function slice(
  { target, thorough }: GatherParts,
  known: ReadonlyMap<string, Copy>,
  now: Temporal.Instant,
): string[] {
  if (target.can.drift === 'listed') return []
  const turn = Math.floor(now.epochMilliseconds / SLICE_MS) % SLICES
  return [...known.values()].flatMap((copy) =>
    copy.written &&
    (thorough || createHash('sha256').update(copy.copy).digest().readUInt16BE() % SLICES === turn)
      ? [copy.targetName]
      : [],
  )
}
