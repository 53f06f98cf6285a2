import { auditHttp } from './audit.ts'
import { complianceHttp } from './compliance.ts'
import { discoveryHttp } from './discovery.ts'
import { evidenceHttp } from './evidence.ts'
import { gatewayHttp } from './gateway.ts'
import { licensingHttp } from './licensing.ts'
import { rotationHttp } from './rotation.ts'
import { syncHttp } from './sync.ts'

export * from './audit.ts'
export * from './auditors.ts'
export * from './compliance.ts'
export * from './discovery.ts'
export * from './endpoint.ts'
export * from './evidence-scope.ts'
export * from './evidence.ts'
export * from './gateway.ts'
export * from './licensing.ts'
export * from './rotation-rows.ts'
export * from './rotation.ts'
export * from './sync.ts'
export * from './vendor.ts'

/** Every endpoint there is, by the service that answers it. */
export const http = {
  discovery: discoveryHttp,
  compliance: complianceHttp,
  rotation: rotationHttp,
  sync: syncHttp,
  evidence: evidenceHttp,
  licensing: licensingHttp,
  audit: auditHttp,
  gateway: gatewayHttp,
} as const
