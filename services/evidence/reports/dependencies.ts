import type { KnownEstate } from './estate.ts'
import { cell, column, type Report } from './report.ts'
import { STRETCH_COLUMNS, Timeline } from './timeline.ts'

/** Which resource uses which credential, and how far a credential reaches. */
export const dependencies: Report = {
  type: 'dependencies',
  title: 'Dependencies and blast radius',
  says: 'Every known use of a credential by a resource, how it is known, how sure that is and what a person said of it, with how many resources would be hit if the credential failed.',
  kind: 'posture',
  columns: [
    column('edge', 'id', 'Opaque id of resource and credential together', 'discovery.resource-scanned edge'),
    column('resource', 'id', 'Opaque id of the resource', 'discovery.resource-scanned resource'),
    column('resource_name', 'text', 'Name of the resource', 'discovery.resource-scanned facts.name'),
    column(
      'resource_type',
      'text',
      'app-service, function or container-app',
      'discovery.resource-scanned facts.type',
    ),
    column(
      'resource_subscription',
      'id',
      'Azure subscription of the resource',
      'discovery.resource-scanned facts.subscription',
    ),
    column('setting', 'text', 'Setting that holds the reference', 'discovery.resource-scanned found.setting'),
    column(
      'credential_name',
      'text',
      'Credential as the setting names it',
      'discovery.resource-scanned found.targetName',
    ),
    column(
      'credential_kind',
      'text',
      'What it is; empty: not in the inventory',
      'discovery.vault-scanned kind',
    ),
    column('holder', 'text', 'Vault that holds it', 'discovery.vault-scanned facts.name'),
    column(
      'blast_radius',
      'integer',
      'Resources that use the same credential at the period’s end, rejected uses left out; empty: the use has ended or its credential is not known',
      'derived',
      'resources',
    ),
    column(
      'credential',
      'id',
      'Opaque id of the credential; empty: none that is known',
      'discovery.resource-scanned found.target',
    ),
    column('via', 'text', 'key-vault-reference, tag or name', 'discovery.resource-scanned found.via'),
    column(
      'confidence',
      'integer',
      'How sure it is',
      'discovery.resource-scanned found.confidence',
      'percent',
    ),
    column(
      'status',
      'text',
      'Whether the platform could resolve it, as the platform says',
      'discovery.resource-scanned found.status',
    ),
    column(
      'reviewed',
      'text',
      'confirmed or rejected by a person; empty: by nobody',
      'discovery.edge-confirmed, discovery.edge-rejected',
    ),
    ...STRETCH_COLUMNS,
  ],
  printed: [
    'resource_name',
    'resource_type',
    'setting',
    'credential_name',
    'holder',
    'blast_radius',
    'via',
    'confidence',
    'reviewed',
    'at_end',
  ],
  limits: [
    'Only what App Service, Functions and Container Apps say of themselves is followed. A use by any other means is not seen, so a radius is a lower bound.',
    'A use that was found by name or tag is a guess with the confidence that is given.',
    'Nobody tried what would fail.',
  ],
  fold({ period }, { estate }) {
    const timeline = new Timeline(period)
    return {
      apply({ event, touched }) {
        for (const id of touched) {
          const edge = estate.edges.get(id)
          if (!edge && !timeline.has(id)) continue
          timeline.set(
            id,
            event.at,
            edge
              ? [
                  edge.resource,
                  edge.setting,
                  edge.targetName,
                  cell(edge.target),
                  edge.via,
                  cell(edge.confidence),
                  cell(edge.status),
                  edge.reviewed,
                ]
              : null,
          )
        }
        return []
      },
      end() {
        const radius = radiusOf(estate)
        return timeline.stretches().map((s) => {
          const [resource = '', setting = '', targetName = '', target = '', ...rest] = s.state
          const known = estate.resources.get(resource)
          const credential = estate.nameOf(target)
          const hit = s.until === null && target !== '' ? (radius.get(target) ?? 0) : null
          return [
            s.key,
            resource,
            cell(known?.name),
            cell(known?.type),
            cell(known?.subscription),
            setting,
            targetName,
            credential.kind,
            credential.holder,
            cell(hit),
            target,
            ...rest,
            ...timeline.cells(s),
          ]
        })
      },
      totals() {
        const edges = [...estate.edges.values()]
        const radius = [...radiusOf(estate).values()]
        const unsure = edges.filter((e) => e.confidence < 70 && e.reviewed === '')
        return [
          ...timeline.totals('uses'),
          { name: 'Credentials that something uses at the end', value: radius.length },
          { name: 'Largest blast radius at the end', value: Math.max(0, ...radius) },
          {
            name: 'Uses rejected by a person at the end',
            value: edges.filter((e) => e.reviewed === 'rejected').length,
          },
          { name: 'Uses below 70 percent that nobody reviewed at the end', value: unsure.length },
          { name: 'Settings with a credential in plain sight at the end', value: estate.hardCoded.size },
        ]
      },
    }
  },
}

/** Resources by credential, rejected uses left out. */
function radiusOf(estate: KnownEstate): ReadonlyMap<string, number> {
  const resources = new Map<string, Set<string>>()
  for (const { target, resource, reviewed } of estate.edges.values()) {
    if (target === null || reviewed === 'rejected') continue
    const using = resources.get(target)
    if (using) using.add(resource)
    else resources.set(target, new Set([resource]))
  }
  return new Map([...resources].map(([target, using]) => [target, using.size]))
}
