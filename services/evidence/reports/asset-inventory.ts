import { cell, column, type Report } from './report.ts'
import { STRETCH_COLUMNS, Timeline } from './timeline.ts'

/** Every credential that was known in the period, with each change of what is recorded of it. */
export const assetInventory: Report = {
  type: 'asset-inventory',
  title: 'Asset inventory',
  says: 'Every secret, key, certificate and application credential known in the period: as it stood at both ends, with every stretch in which something recorded of it was otherwise.',
  kind: 'posture',
  columns: [
    column('asset', 'id', 'Opaque id', 'discovery.vault-scanned, discovery.apps-scanned asset'),
    column('kind', 'text', 'secret, key, certificate, app-secret or app-certificate', 'kind'),
    column('name', 'text', 'Name in the vault, or of the application’s credential', 'name'),
    column('holder', 'text', 'Vault or application that holds it', 'facts.name, application name'),
    column('subscription', 'id', 'Azure subscription of the vault', 'facts.subscription'),
    column('enabled', 'boolean', 'Whether it may be used', 'enabled'),
    column('algorithm', 'text', 'Key type', 'algorithm'),
    column('bits', 'integer', 'Key size', 'bits', 'bits'),
    column('curve', 'text', 'Elliptic curve', 'curve'),
    column('expires', 'instant', 'End of validity; empty: none is set', 'expires, endsAt'),
    column(
      'last_rotated',
      'instant',
      'Creation of the newest version, or start of the application’s credential',
      'created, startsAt',
    ),
    column('updated', 'instant', 'Last change of the newest version, an edit of tags included', 'updated'),
    column('certificate_backed', 'boolean', 'The secret or key half of a certificate', 'managed'),
    column('first_seen', 'instant', 'When a scan first found it', 'envelope.at'),
    column(
      'holder_readable',
      'text',
      'readable, or why its vault could not be read; empty for application credentials',
      'discovery.vault-unreachable why',
    ),
    ...STRETCH_COLUMNS,
  ],
  printed: ['kind', 'name', 'holder', 'enabled', 'algorithm', 'bits', 'expires', 'last_rotated', 'at_end'],
  limits: [
    'Metadata only: no value of any credential was read to make it.',
    'What lies in a vault that could not be read is unknown; such assets keep the state that was read last, and say so.',
    'A state between two scans is not observed; the instants are those of the scans that noticed.',
    'A new version with the same value is told as a rotation: values are not compared.',
  ],
  fold({ period }, { estate }) {
    const timeline = new Timeline(period)
    return {
      apply({ event, touched }) {
        for (const id of touched) {
          const asset = estate.assets.get(id)
          if (!asset) continue
          const { item, lostAt } = asset
          timeline.set(
            id,
            event.at,
            lostAt === null
              ? [
                  cell(item?.enabled ?? true),
                  cell(item?.algorithm),
                  cell(item?.bits),
                  cell(item?.curve),
                  cell(asset.endsAt),
                  cell(item ? item.created : asset.startsAt),
                  cell(item?.updated),
                  cell(item?.managed ?? false),
                  asset.firstSeen,
                  estate.readable(asset.holder),
                ]
              : null,
          )
        }
        return []
      },
      end: () =>
        timeline.stretches().map((s) => {
          const asset = estate.assets.get(s.key)
          const holder = asset?.holder ?? ''
          return [
            s.key,
            cell(asset?.kind),
            cell(asset?.name),
            estate.holderName(holder),
            cell(estate.vaults.get(holder)?.facts?.subscription),
            ...s.state,
            ...timeline.cells(s),
          ]
        }),
      totals() {
        const atEnd = timeline.stretches().filter((s) => s.until === null)
        const kinds = (...of: string[]) =>
          atEnd.filter((s) => of.includes(estate.assets.get(s.key)?.kind ?? '')).length
        const vaults = [...estate.vaults.values()].filter((v) => v.unreachable !== 'gone')
        return [
          ...timeline.totals('assets'),
          { name: 'Secrets at the end', value: kinds('secret') },
          { name: 'Keys at the end', value: kinds('key') },
          { name: 'Certificates at the end', value: kinds('certificate') },
          { name: 'Application credentials at the end', value: kinds('app-secret', 'app-certificate') },
          { name: 'Vaults at the end', value: vaults.length },
          {
            name: 'Vaults that could not be read at the end',
            value: vaults.filter((v) => v.unreachable !== null).length,
          },
        ]
      },
    }
  },
}
