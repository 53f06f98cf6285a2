import type { ReportType } from '@attestry/contracts'
import { assetInventory } from './asset-inventory.ts'
import { operatorAuditLog } from './operator-audit-log.ts'
import type { Report } from './report.ts'
import { ruleViolations } from './rule-violations.ts'

/** Every report there is. A report is a file here and a name in the contract. */
export const reports: Readonly<Record<ReportType, Report>> = {
  'operator-audit-log': operatorAuditLog,
  'rule-violations': ruleViolations,
  'asset-inventory': assetInventory,
}
