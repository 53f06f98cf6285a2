import type { Vault } from '@attestry/contracts'
import { cell, column, type Report } from './report.ts'
import { STRETCH_COLUMNS, Timeline } from './timeline.ts'

/** Whether what is deleted from each vault could be brought back, over the period. */
export const recoverability: Report = {
  type: 'recoverability',
  title: 'Recoverability',
  says: 'Whether a deleted vault, or what was deleted from it, could be recovered and could not be purged: as it stood at both ends of the period, with every stretch in which it stood otherwise.',
  kind: 'posture',
  columns: [
    column('vault', 'id', 'Opaque id of the vault', 'discovery.vault-scanned vault'),
    column('name', 'text', 'Name of the vault', 'discovery.vault-scanned facts.name'),
    column('subscription', 'id', 'Azure subscription', 'discovery.vault-scanned facts.subscription'),
    column(
      'posture',
      'text',
      'protected: soft delete and purge protection; purgeable: soft delete, but a purge may end it early; unprotected: deletion is final; unknown: the vault was never described',
      'derived from soft_delete and purge_protection',
    ),
    column(
      'soft_delete',
      'text',
      'on, off, or on-by-default where Azure left it unsaid: every vault made since December 2020 has it, and since 2025 none may be without',
      'discovery.vault-scanned facts.softDelete',
    ),
    column(
      'purge_protection',
      'text',
      'on, off, or not-set, which means off',
      'discovery.vault-scanned facts.purgeProtection',
    ),
    column(
      'retention_days',
      'integer',
      'How long what was deleted is kept; empty: Azure left it unsaid',
      'discovery.vault-scanned facts.retentionDays',
      'days',
    ),
    column(
      'holds',
      'integer',
      'Secrets, keys and certificates in it at the period’s end, halves of certificates included',
      'discovery.vault-scanned found, lost',
      'assets',
    ),
    ...STRETCH_COLUMNS,
  ],
  printed: [
    'name',
    'posture',
    'soft_delete',
    'purge_protection',
    'retention_days',
    'holds',
    'state_from',
    'state_until',
    'at_end',
  ],
  limits: [
    'It tells what the platform would allow. No recovery was tried, and no backup of a vault was looked for.',
    'Soft delete can no longer be switched off in Azure, so that it is on says little; purge protection is the choice that counts.',
  ],
  fold({ period }, { estate }) {
    const timeline = new Timeline(period)
    return {
      apply({ event, touched }) {
        for (const id of touched) {
          const vault = estate.vaults.get(id)
          if (!vault) continue
          const { facts, unreachable } = vault
          timeline.set(
            id,
            event.at,
            unreachable === 'gone'
              ? null
              : [
                  cell(facts?.subscription),
                  recoverabilityOf(facts),
                  facts ? (facts.softDelete === null ? 'on-by-default' : onOff(facts.softDelete)) : '',
                  facts ? (facts.purgeProtection === null ? 'not-set' : onOff(facts.purgeProtection)) : '',
                  cell(facts?.retentionDays),
                ],
          )
        }
        return []
      },
      end: () =>
        timeline.stretches().map((s) => {
          const holds = estate.held(s.key).filter((a) => estate.assets.get(a)?.lostAt === null).length
          const name = cell(estate.vaults.get(s.key)?.facts?.name)
          return [s.key, name, ...s.state, cell(s.until === null ? holds : null), ...timeline.cells(s)]
        }),
      totals: () => {
        const atEnd = timeline.stretches().filter((s) => s.until === null)
        const being = (posture: string) => atEnd.filter((s) => s.state[1] === posture).length
        return [
          ...timeline.totals('vaults'),
          { name: 'Protected at the end', value: being('protected') },
          { name: 'Purgeable at the end', value: being('purgeable') },
          { name: 'Unprotected at the end', value: being('unprotected') },
          { name: 'Unknown at the end', value: being('unknown') },
        ]
      },
    }
  },
}

const onOff = (value: boolean): string => (value ? 'on' : 'off')

/** The posture in one word, by the readings of rules CIS-8.5 and CIS-8.6. */
export function recoverabilityOf(
  facts: Pick<Vault, 'softDelete' | 'purgeProtection'> | null,
): 'protected' | 'purgeable' | 'unprotected' | 'unknown' {
  if (!facts) return 'unknown'
  if (facts.softDelete === false) return 'unprotected'
  return facts.purgeProtection === true ? 'protected' : 'purgeable'
}
