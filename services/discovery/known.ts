import type {
  Application,
  Edge,
  EventOf,
  HardCoded,
  Resource,
  Unreachable,
  Vault,
  VaultItem,
} from '@attestry/contracts'
import type { Host } from '@attestry/kit'
import {
  evolveApplications,
  evolveResource,
  evolveVault,
  type KnownApplications,
  type KnownResource,
  type KnownVault,
  unknownResource,
  unknownVault,
} from './inventory.ts'

/*
 * What is known of one thing, exactly, though views lag behind the ledger: its rows say up to which position of the
 * thing's stream they tell it, and events behind that position are read from the ledger and folded on top. The
 * position found so is what the next append expects, so two that know the same thing differently cannot both write.
 * One statement reads rows, their position and the stream's own end, so they are of one moment; mostly the two agree,
 * and nothing more is read.
 */

export interface Known<T> {
  readonly known: T
  /** Position of the last event in the stream; 0 for a new one. */
  readonly position: number
}

/** A stream's length is read in pieces of so many. */
const STREAM_PAGE = 10_000

/** One row, with the last position of the stream $2 beside it: the columns of its rows are null where there are none. */
const withLast = (columns: string, from: string): string =>
  `select s.last, ${columns} from (select coalesce((select e.position from ledger.event e
     where e.tenant = $1 and e.stream = $2 order by e.position desc limit 1), 0) as last) s left join ${from}`

/** Folds what a stream says behind a position, up to its end. */
async function ahead<T>(
  host: Host,
  tenant: string,
  stream: string,
  last: number,
  from: Known<T>,
  evolve: (known: T, event: EventOf) => T,
): Promise<Known<T>> {
  let { known, position } = from
  for (;;) {
    if (position >= last) return { known, position }
    const events = await host.stream(tenant, stream, position)
    for (const event of events) {
      known = evolve(known, event)
      position = event.position
    }
    if (events.length < STREAM_PAGE) return { known, position }
  }
}

interface Row {
  readonly last: number
  /** Null where the view has no row of it yet. */
  readonly position: number | null
}

const by = <T>(things: readonly T[], id: (thing: T) => string): Map<string, T> =>
  new Map(things.map((thing) => [id(thing), thing]))

export async function knownVault(host: Host, tenant: string, vault: string): Promise<Known<KnownVault>> {
  const [row] = await host.tx(tenant, (tx) =>
    tx.rows<Row & { facts: Vault | null; unreachable: Unreachable | null; items: VaultItem[] }>(
      withLast(
        `v.position, v.facts, v.unreachable,
         (select coalesce(jsonb_agg(a.detail), '[]') from assets a where a.tenant = v.tenant and a.holder = v.vault) as items`,
        'vaults v on v.tenant = $1 and v.vault = $2',
      ),
      [tenant, vault],
    ),
  )
  return ahead(
    host,
    tenant,
    vault,
    row?.last ?? 0,
    row && row.position !== null
      ? {
          known: { facts: row.facts, unreachable: row.unreachable, items: by(row.items, (i) => i.asset) },
          position: row.position,
        }
      : { known: unknownVault, position: 0 },
    evolveVault,
  )
}

export async function knownApplications(
  host: Host,
  tenant: string,
  directory: string,
): Promise<Known<KnownApplications>> {
  const [row] = await host.tx(tenant, (tx) =>
    tx.rows<Row & { applications: Application[] }>(
      withLast(
        `d.position, (select coalesce(jsonb_agg(a.facts), '[]') from applications a
         where a.tenant = d.tenant and a.directory = d.directory) as applications`,
        'directories d on d.tenant = $1 and d.directory = $2',
      ),
      [tenant, directory],
    ),
  )
  return ahead(
    host,
    tenant,
    directory,
    row?.last ?? 0,
    row && row.position !== null
      ? { known: by(row.applications, (a) => a.asset), position: row.position }
      : { known: new Map<string, Application>(), position: 0 },
    evolveApplications,
  )
}

export async function knownResource(
  host: Host,
  tenant: string,
  resource: string,
): Promise<Known<KnownResource>> {
  const [row] = await host.tx(tenant, (tx) =>
    tx.rows<
      Row & {
        facts: Resource | null
        gone: boolean
        settings_read: boolean
        edges: Edge[]
        hard_coded: HardCoded[]
      }
    >(
      withLast(
        `r.position, r.facts, r.gone, r.settings_read,
         (select coalesce(jsonb_agg(e.facts), '[]') from edges e
          where e.tenant = r.tenant and e.resource = r.resource) as edges,
         (select coalesce(jsonb_agg(jsonb_build_object('setting', h.setting, 'name', h.name, 'looksLike', h.looks_like)), '[]')
          from hard_coded h where h.tenant = r.tenant and h.resource = r.resource) as hard_coded`,
        'resources r on r.tenant = $1 and r.resource = $2',
      ),
      [tenant, resource],
    ),
  )
  return ahead(
    host,
    tenant,
    resource,
    row?.last ?? 0,
    row && row.position !== null
      ? {
          known: {
            facts: row.facts,
            gone: row.gone,
            edges: by(row.edges, (e) => e.edge),
            settingsRead: row.settings_read,
            hardCoded: by(row.hard_coded, (h) => h.setting),
          },
          position: row.position,
        }
      : { known: unknownResource, position: 0 },
    evolveResource,
  )
}

export interface Remembered {
  readonly id: string
  readonly subscription: string
}

/** Vaults and resources that an environment brought and that are not gone, as the rows have them. */
export const remembered = (
  host: Host,
  tenant: string,
  environment: string,
): Promise<{ vaults: Remembered[]; resources: Remembered[] }> =>
  host.tx(tenant, async (tx) => ({
    vaults: await tx.rows<Remembered>(
      `select vault as id, coalesce(facts->>'subscription', '') as subscription from vaults
       where tenant = $1 and environment = $2 and unreachable is distinct from 'gone'`,
      [tenant, environment],
    ),
    resources: await tx.rows<Remembered>(
      `select resource as id, coalesce(facts->>'subscription', '') as subscription from resources
       where tenant = $1 and environment = $2 and not gone`,
      [tenant, environment],
    ),
  }))
