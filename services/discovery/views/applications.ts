import { type AppCredential, canonical, type EventOf } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'
import { type History, writeHistory } from './vaults.ts'

interface Held {
  readonly asset: string
  readonly detail: AppCredential
}

/** An application event as rows: the application, and each credential as an asset of its own. */
export async function foldApplications(event: EventOf<'discovery.apps-scanned'>, tx: Tx): Promise<void> {
  const { directory, found, changed, lost } = event.data
  const { at, seq } = event
  const present = [...found, ...changed]
  const touched = [...present.map((one) => one.asset), ...lost]
  const held = await tx.rows<Held>(
    'select asset, detail from assets where tenant = $1 and holder = any($2)',
    [tx.tenant, touched],
  )
  await tx.rows(
    `insert into directories (tenant, directory, environment, position) values ($1, $2, $3, $4)
     on conflict (tenant, directory) do update set position = excluded.position`,
    [tx.tenant, directory, event.env ?? null, event.position],
  )
  await tx.rows(
    `insert into applications (tenant, asset, directory, name, facts)
     select $1, r.facts->>'asset', $2, r.facts->>'name', r.facts
     from jsonb_array_elements($3::jsonb) as r(facts)
     on conflict (tenant, asset) do update set directory = excluded.directory, name = excluded.name, facts = excluded.facts`,
    [tx.tenant, directory, JSON.stringify(present)],
  )
  await tx.rows('delete from applications where tenant = $1 and asset = any($2)', [tx.tenant, lost])

  const before = new Map(held.map((row) => [row.asset, row.detail]))
  const now = present.flatMap((one) =>
    one.credentials.map((credential) => ({ holder: one.asset, holderName: one.name, credential })),
  )
  const still = new Set(now.map(({ credential }) => credential.asset))
  const vanished = [...before.keys()].filter((asset) => !still.has(asset))
  await tx.rows('delete from assets where tenant = $1 and asset = any($2)', [tx.tenant, vanished])
  await tx.rows(
    `insert into assets (tenant, asset, kind, name, folded_name, holder, enabled, created, updated, expires, managed,
       detail, first_seen)
     select $1, c.asset, 'app-' || c.kind, r.name, lower(r.name), r.holder, true, c."startsAt", null, c."endsAt", false,
       r.credential, $2
     from jsonb_to_recordset($3::jsonb) as r(holder text, name text, credential jsonb),
       jsonb_to_record(r.credential) as c(asset text, kind text, "startsAt" timestamptz, "endsAt" timestamptz)
     on conflict (tenant, asset) do update set name = excluded.name, folded_name = excluded.folded_name,
       created = excluded.created, expires = excluded.expires, detail = excluded.detail`,
    [
      tx.tenant,
      at,
      JSON.stringify(
        now.map(({ holder, holderName, credential }) => ({
          holder,
          // Portals let a secret go without a name; its application and the start of its id tell it apart.
          name: credential.name ?? `${holderName} ${credential.keyId.slice(0, 8)}`,
          credential,
        })),
      ),
    ],
  )
  await writeHistory(tx, [
    ...vanished.map((asset) => ({ asset, seq, at, what: 'lost' as const })),
    ...now.flatMap(({ credential }): History[] => {
      const known = before.get(credential.asset)
      if (!known) return [{ asset: credential.asset, seq, at, what: 'found' }]
      return canonical(known) === canonical(credential)
        ? []
        : [{ asset: credential.asset, seq, at, what: 'changed' }]
    }),
  ])
}
