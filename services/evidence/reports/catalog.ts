import type { ReportType } from '@attestry/contracts'
import { algorithmStrength } from './algorithm-strength.ts'
import { assetInventory } from './asset-inventory.ts'
import { cryptoperiod } from './cryptoperiod.ts'
import { dependencies } from './dependencies.ts'
import { operatorAuditLog } from './operator-audit-log.ts'
import { recoverability } from './recoverability.ts'
import type { Report } from './report.ts'
import { rotationEvents } from './rotation-events.ts'
import { ruleViolations } from './rule-violations.ts'
import { syncProvenance } from './sync-provenance.ts'
import { vaultPosture } from './vault-posture.ts'

/** Every report there is. A report is a file here and a name in the contract. */
export const reports: Readonly<Record<ReportType, Report>> = {
  'operator-audit-log': operatorAuditLog,
  'rotation-events': rotationEvents,
  'vault-posture': vaultPosture,
  dependencies,
  'sync-provenance': syncProvenance,
  recoverability,
  'rule-violations': ruleViolations,
  cryptoperiod,
  'algorithm-strength': algorithmStrength,
  'asset-inventory': assetInventory,
}
