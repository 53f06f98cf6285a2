/**
 * Which reads an event makes old. By the context of an event's type, and where a context is busy by the whole
 * type; an unknown context makes everything old, so a newer server never leaves this console behind.
 */
const BY_TYPE: Readonly<Record<string, readonly string[]>> = {
  'discovery.environment-connected': ['discovery.listEnvironments'],
  'discovery.environment-tested': [],
  'discovery.edge-confirmed': ['discovery.readAsset', 'discovery.listAssets', 'compliance'],
  'discovery.edge-rejected': ['discovery.readAsset', 'discovery.listAssets', 'compliance'],
  'gateway.signed-in': ['gateway.listOperators'],
  'gateway.signed-out': [],
  'gateway.action-refused': [],
}

const BY_CONTEXT: Readonly<Record<string, readonly string[]>> = {
  discovery: ['discovery', 'compliance.readScore'],
  compliance: ['compliance'],
  evidence: ['evidence', 'audit'],
  gateway: ['gateway.listOperators', 'gateway.listAuditors', 'gateway.session'],
  licensing: ['licensing', 'gateway.licenseStatus'],
  ledger: [],
  rotation: ['rotation', 'compliance'],
  sync: ['sync', 'compliance'],
}

/** Always old after an event: the list of the ledger itself, and how far everybody is. */
const ALWAYS = ['gateway.listActivity', 'gateway.listOperations'] as const

/**
 * The reads that an event of this type makes old: operation ids (`discovery.listAssets`) or whole services
 * (`discovery`).
 */
export function staleAfter(type: string): readonly string[] {
  const dot = type.indexOf('.')
  const context = dot === -1 ? type : type.slice(0, dot)
  const reads = BY_TYPE[type] ?? BY_CONTEXT[context]
  if (!reads)
    return ['discovery', 'compliance', 'rotation', 'sync', 'evidence', 'licensing', 'audit', 'gateway']
  return [...reads, ...ALWAYS]
}

/** Whether an operation is among stale reads. */
export const isStale = (operationId: string, stale: Iterable<string>): boolean => {
  for (const read of stale) if (operationId === read || operationId.startsWith(`${read}.`)) return true
  return false
}
