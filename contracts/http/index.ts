import { complianceHttp } from './compliance.ts'
import { discoveryHttp } from './discovery.ts'
import { evidenceHttp } from './evidence.ts'
import { gatewayHttp } from './gateway.ts'

export * from './compliance.ts'
export * from './discovery.ts'
export * from './endpoint.ts'
export * from './evidence.ts'
export * from './gateway.ts'

/** Every endpoint there is, by the service that answers it. */
export const http = {
  discovery: discoveryHttp,
  compliance: complianceHttp,
  evidence: evidenceHttp,
  gateway: gatewayHttp,
} as const
