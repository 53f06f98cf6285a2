import type { EventOf } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'

/** What a resource uses, and what people decided about it, as rows. */
export async function foldResource(
  event: EventOf<'discovery.resource-scanned' | 'discovery.edge-confirmed' | 'discovery.edge-rejected'>,
  tx: Tx,
): Promise<void> {
  if (event.type !== 'discovery.resource-scanned') {
    await tx.rows('update resources set position = $3 where tenant = $1 and resource = $2', [
      tx.tenant,
      event.data.resource,
      event.position,
    ])
    await tx.rows('update edges set verdict = $3 where tenant = $1 and edge = $2', [
      tx.tenant,
      event.data.edge,
      event.type === 'discovery.edge-confirmed' ? 'confirmed' : 'rejected',
    ])
    return
  }
  const { resource, facts, gone, settingsRead, found, lost, hardCodedFound, hardCodedCleared } = event.data
  await tx.rows(
    `insert into resources (tenant, resource, environment, position, facts, name, gone, settings_read)
     values ($1, $2, $3, $4, $5::jsonb, coalesce($5::jsonb->>'name', ''), $6, $7)
     on conflict (tenant, resource) do update set
       environment = coalesce(resources.environment, excluded.environment), position = excluded.position,
       facts = coalesce(excluded.facts, resources.facts),
       name = case when excluded.facts is null then resources.name else excluded.name end,
       gone = excluded.gone, settings_read = excluded.settings_read`,
    [
      tx.tenant,
      resource,
      event.env ?? null,
      event.position,
      facts && JSON.stringify(facts),
      gone,
      settingsRead,
    ],
  )
  if (found.length > 0)
    await tx.rows(
      `insert into edges (tenant, edge, resource, target, facts)
       select $1, r.facts->>'edge', $2, r.facts->>'target', r.facts from jsonb_array_elements($3::jsonb) as r(facts)
       on conflict (tenant, edge) do update set target = excluded.target, facts = excluded.facts`,
      [tx.tenant, resource, JSON.stringify(found)],
    )
  if (lost.length > 0)
    await tx.rows('delete from edges where tenant = $1 and edge = any($2)', [tx.tenant, lost])
  if (hardCodedFound.length > 0)
    await tx.rows(
      `insert into hard_coded (tenant, setting, resource, name, looks_like)
       select $1, r.setting, $2, r.name, r."looksLike"
       from jsonb_to_recordset($3::jsonb) as r(setting text, name text, "looksLike" text)
       on conflict (tenant, setting) do update set looks_like = excluded.looks_like`,
      [tx.tenant, resource, JSON.stringify(hardCodedFound)],
    )
  if (hardCodedCleared.length > 0)
    await tx.rows('delete from hard_coded where tenant = $1 and setting = any($2)', [
      tx.tenant,
      hardCodedCleared,
    ])
}
