import type { KnownAsset } from './estate.ts'
import type { Policies } from './policies.ts'
import { cell, column, type Report, type Row } from './report.ts'
import { STRETCH_COLUMNS, type Stretch, Timeline } from './timeline.ts'

const DAY_MS = 86_400_000

/** How long each credential was used, against how long it was declared to be. */
export const cryptoperiod: Report = {
  type: 'cryptoperiod',
  title: 'Cryptoperiod conformance',
  says: 'The age of every credential against the cadence that is declared for it, version by version: each row is a stretch of the period in which one version was in use under one declaration, with the age it reached.',
  kind: 'posture',
  columns: [
    column('asset', 'id', 'Opaque id', 'discovery.vault-scanned, discovery.apps-scanned asset'),
    column('kind', 'text', 'secret, key, certificate, app-secret or app-certificate', 'kind'),
    column('name', 'text', 'Name in the vault, or of the application’s credential', 'name'),
    column('holder', 'text', 'Vault or application that holds it', 'facts.name, application name'),
    column(
      'in_use_since',
      'instant',
      'Creation of this version, or start of the application’s credential',
      'created, startsAt',
    ),
    column('expires', 'instant', 'End of validity of this version', 'expires, endsAt'),
    column(
      'declared_days',
      'integer',
      'How long it may be used; empty: nothing is declared',
      'see declared_by',
      'days',
    ),
    column(
      'declared_by',
      'text',
      'policy: a rotation policy of it; tag: its tag cryptoperiod-days or rotation-days; validity: the time from its creation to its expiry; empty: nothing',
      'rotation.policy-enabled cadenceDays; tags; created, expires',
    ),
    column(
      'age_days',
      'integer',
      'Whole days from in_use_since to the end of the stretch or of the period',
      'derived',
      'days',
    ),
    column(
      'conforms',
      'text',
      'within, exceeded, undeclared, or unknown where no creation is recorded',
      'derived',
    ),
    column(
      'exceeded_at',
      'instant',
      'When it outlived its declaration; empty: it did not within the stretch',
      'derived',
    ),
    column('certificate_backed', 'boolean', 'The secret or key half of a certificate', 'managed'),
    column(
      'holder_readable',
      'text',
      'readable, or why its vault could not be read',
      'discovery.vault-unreachable why',
    ),
    ...STRETCH_COLUMNS,
  ],
  printed: [
    'kind',
    'name',
    'holder',
    'in_use_since',
    'declared_days',
    'declared_by',
    'age_days',
    'conforms',
    'exceeded_at',
  ],
  limits: [
    'Age is counted from the creation of the newest version. That a new version holds a new value is not checked.',
    'A declaration by validity is the weakest: an expiry of ten years declares ten years.',
    'Whether a declared cadence is short enough is for the auditor and the framework to say.',
  ],
  fold({ period }, { estate, policies }) {
    const timeline = new Timeline(period)
    const rowOf = (s: Stretch): Row => {
      const asset = estate.assets.get(s.key)
      const [since = '', expires = '', days = '', by = '', managed = '', readable = ''] = s.state
      const end = s.until === null ? Date.parse(period.to) : Date.parse(s.until)
      const used = conformance(since, days, end)
      return [
        s.key,
        cell(asset?.kind),
        cell(asset?.name),
        estate.holderName(asset?.holder ?? ''),
        since,
        expires,
        days,
        by,
        cell(used.ageDays),
        used.conforms,
        cell(used.exceededAt),
        managed,
        readable,
        ...timeline.cells(s),
      ]
    }
    return {
      apply({ event, touched }) {
        for (const id of touched) {
          const asset = estate.assets.get(id)
          if (!asset) continue
          const since = asset.item ? asset.item.created : asset.startsAt
          const { days, by } = declared(asset, since, policies)
          timeline.set(
            id,
            event.at,
            asset.lostAt === null
              ? [
                  cell(since),
                  cell(asset.endsAt),
                  cell(days),
                  by,
                  cell(asset.item?.managed ?? false),
                  estate.readable(asset.holder),
                ]
              : null,
          )
        }
        return []
      },
      end: () => timeline.stretches().map(rowOf),
      totals() {
        const rows = timeline.stretches().map(rowOf)
        const being = (conforms: string) => rows.filter((r) => r[9] === conforms).length
        const distinct = new Set(rows.filter((r) => r[9] === 'exceeded').map((r) => r[0]))
        return [
          ...timeline.totals('assets'),
          { name: 'Stretches within their declaration', value: being('within') },
          { name: 'Stretches that exceeded it', value: being('exceeded') },
          { name: 'Stretches without a declaration', value: being('undeclared') },
          { name: 'Stretches of unknown age', value: being('unknown') },
          { name: 'Assets that exceeded their declaration', value: distinct.size },
        ]
      },
    }
  },
}

/** Tags by which an owner declares a cadence, in days. */
const CADENCE_TAGS: ReadonlySet<string> = new Set(['cryptoperiod-days', 'rotation-days'])

/** What is declared for an asset, the strongest declaration first. */
function declared(
  asset: KnownAsset,
  since: string | null,
  policies: Policies,
): { days: number | null; by: 'policy' | 'tag' | 'validity' | '' } {
  const cadence = policies.cadenceOf(asset.asset)
  if (cadence !== null) return { days: cadence, by: 'policy' }
  const tag = asset.item?.tags.find(
    ([name, value]) => CADENCE_TAGS.has(name.toLowerCase()) && /^[1-9]\d{0,4}$/.test(value),
  )
  if (tag) return { days: Number(tag[1]), by: 'tag' }
  if (since === null || asset.endsAt === null) return { days: null, by: '' }
  const days = Math.ceil((Date.parse(asset.endsAt) - Date.parse(since)) / DAY_MS)
  return days > 0 ? { days, by: 'validity' } : { days: null, by: '' }
}

/** How an age stands to a declaration at an instant, in epoch milliseconds. Exact to the millisecond. */
export function conformance(
  since: string,
  days: string,
  end: number,
): {
  ageDays: number | null
  conforms: 'within' | 'exceeded' | 'undeclared' | 'unknown'
  exceededAt: string | null
} {
  if (since === '') return { ageDays: null, conforms: 'unknown', exceededAt: null }
  const start = Date.parse(since)
  const ageDays = Math.max(0, Math.floor((end - start) / DAY_MS))
  if (days === '') return { ageDays, conforms: 'undeclared', exceededAt: null }
  const limit = start + Number(days) * DAY_MS
  return limit < end
    ? { ageDays, conforms: 'exceeded', exceededAt: new Date(limit).toISOString() }
    : { ageDays, conforms: 'within', exceededAt: null }
}
