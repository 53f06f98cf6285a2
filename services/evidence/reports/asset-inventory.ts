import { KnownEstate } from './assets.ts'
import { beforeEnd, cell, type Report } from './report.ts'

/** Every credential that was known in the period, as it stood at the period's end. */
export const assetInventory: Report = {
  type: 'asset-inventory',
  title: 'Asset inventory',
  says: 'Every secret, key, certificate and application credential known in the period, as the last scan before its end found it.',
  columns: [
    {
      name: 'asset',
      type: 'id',
      says: 'Opaque id',
      source: 'discovery.vault-scanned, discovery.apps-scanned',
    },
    {
      name: 'kind',
      type: 'text',
      says: 'secret, key, certificate, app-secret or app-certificate',
      source: 'kind',
    },
    { name: 'name', type: 'text', says: 'Name in the vault or application', source: 'name' },
    {
      name: 'holder',
      type: 'text',
      says: 'Vault or application that holds it',
      source: 'vault or application name',
    },
    { name: 'subscription', type: 'id', says: 'Azure subscription of the vault', source: 'vault facts' },
    { name: 'enabled', type: 'boolean', says: 'Whether it may be used', source: 'enabled' },
    {
      name: 'created',
      type: 'instant',
      says: 'Creation of the newest version, or start of the credential',
      source: 'created, startsAt',
    },
    { name: 'updated', type: 'instant', says: 'Last change of the newest version', source: 'updated' },
    {
      name: 'expires',
      type: 'instant',
      says: 'End of validity; empty: none is set',
      source: 'expires, endsAt',
    },
    { name: 'algorithm', type: 'text', says: 'Key type', source: 'algorithm' },
    { name: 'bits', type: 'integer', says: 'Key size in bits', source: 'bits' },
    { name: 'curve', type: 'text', says: 'Elliptic curve', source: 'curve' },
    {
      name: 'certificate_backed',
      type: 'boolean',
      says: 'The secret or key half of a certificate',
      source: 'managed',
    },
    { name: 'first_seen', type: 'instant', says: 'When a scan first found it', source: 'envelope.at' },
    {
      name: 'last_changed',
      type: 'instant',
      says: 'When a scan last found a difference',
      source: 'envelope.at',
    },
    {
      name: 'lost_at',
      type: 'instant',
      says: 'When a scan found it gone; empty: still there',
      source: 'envelope.at',
    },
    {
      name: 'vault_readable',
      type: 'text',
      says: 'readable, or why the vault could not be read',
      source: 'discovery.vault-unreachable',
    },
  ],
  limits: [
    'Metadata only: no value of any credential was read to make it.',
    'What lies in a vault that could not be read is unknown; such vaults are named, and their assets keep the last known state.',
    'A state between two scans is not observed; first seen and last changed are the times of the scans that noticed.',
  ],
  fold(period) {
    const estate = new KnownEstate()
    const shown = () =>
      [...estate.assets.values()]
        // Gone before the period began: not part of it.
        .filter((a) => a.lostAt === null || Date.parse(a.lostAt) >= Date.parse(period.from))
        .sort((a, b) => (a.asset < b.asset ? -1 : 1))
    return {
      apply(event) {
        if (beforeEnd(event.at, period)) estate.apply(event)
        return []
      },
      end: () =>
        shown().map((a) => {
          const vault = estate.vaults.get(a.holder)
          return [
            a.asset,
            a.kind,
            a.name,
            estate.holderName(a.holder),
            cell(vault?.facts?.subscription),
            cell(a.item?.enabled ?? true),
            cell(a.item?.created ?? a.startsAt),
            cell(a.item?.updated),
            cell(a.endsAt),
            cell(a.item?.algorithm),
            cell(a.item?.bits),
            cell(a.item?.curve),
            cell(a.item?.managed ?? false),
            a.firstSeen,
            a.lastChanged,
            cell(a.lostAt),
            vault ? (vault.unreachable ?? 'readable') : '',
          ]
        }),
      totals() {
        const all = shown()
        const count = (kind: string) => all.filter((a) => a.kind === kind && a.lostAt === null).length
        return [
          { name: 'Secrets', value: count('secret') },
          { name: 'Keys', value: count('key') },
          { name: 'Certificates', value: count('certificate') },
          { name: 'Application credentials', value: count('app-secret') + count('app-certificate') },
          { name: 'Gone in the period', value: all.filter((a) => a.lostAt !== null).length },
          { name: 'Vaults', value: estate.vaults.size },
          {
            name: 'Vaults that could not be read',
            value: [...estate.vaults.values()].filter((v) => v.unreachable !== null).length,
          },
          { name: 'Scans up to the end of the period', value: estate.scans },
        ]
      },
    }
  },
}
