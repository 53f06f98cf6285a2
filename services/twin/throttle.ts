/**
 * Token buckets with the published numbers.
 * @see https://learn.microsoft.com/azure/key-vault/general/service-limits per vault and region in 10 s
 * @see https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
 * @see https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
 * @see https://learn.microsoft.com/graph/throttling-limits
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html per account and region
 * @see https://docs.aws.amazon.com/general/latest/gr/ssm.html and https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
 * @see https://cloud.google.com/secret-manager/quotas and https://cloud.google.com/certificate-manager/docs/quotas
 */
interface Limit {
  readonly capacity: number
  readonly perSecond: number
}

const perTenSeconds = (units: number): Limit => ({ capacity: units, perSecond: units / 10 })
const perSecond = (units: number): Limit => ({ capacity: units, perSecond: units })
const perMinute = (units: number): Limit => ({ capacity: units, perSecond: units / 60 })

const limits = {
  'keyvault.operation': perTenSeconds(4_000),
  'keyvault.rsa4096': perTenSeconds(500),
  'keyvault.hsm': perTenSeconds(2_000),
  'keyvault.hsm-rsa4096': perTenSeconds(250),
  'keyvault.secret-create': perTenSeconds(300),
  'keyvault.key-create': perTenSeconds(20),
  'keyvault.hsm-key-create': perTenSeconds(10),
  'arm.read': { capacity: 250, perSecond: 25 },
  'arm.write': { capacity: 200, perSecond: 10 },
  'resourcegraph.query': { capacity: 15, perSecond: 3 },
  'graph.unit': perTenSeconds(8_000),
  'secretsmanager.list': perSecond(100),
  'secretsmanager.create': perSecond(50),
  'secretsmanager.put': perSecond(50),
  'secretsmanager.tag': perSecond(50),
  'secretsmanager.delete': perSecond(50),
  'secretsmanager.restore': perSecond(50),
  'ssm.get': perSecond(40),
  'ssm.put': perSecond(3),
  'ssm.tag': perSecond(10),
  'acm.import': perSecond(1),
  'acm.read': perSecond(10),
  'acm.list': perSecond(8),
  'acm.tag': perSecond(5),
  'gcp.secretmanager.access': perMinute(90_000),
  'gcp.secretmanager.read': perMinute(600),
  'gcp.secretmanager.write': perMinute(600),
  /** Of one secret: new versions and updates. */
  'gcp.secretmanager.modify': { capacity: 120, perSecond: 2 },
  'gcp.certificatemanager.request': perMinute(300),
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits

/** A region's Key Vault traffic of one subscription may be five times a single vault's. */
export const subscriptionFactor = 5

export interface Throttle {
  /**
   * Takes `cost` from the bucket `name` of `scope` (a vault, a subscription and principal, a tenant).
   * @returns undefined when allowed, else the whole seconds until enough has flowed back
   */
  take(name: LimitName, scope: string, options?: { cost?: number; factor?: number }): number | undefined
  /** What is left in the bucket, for the `x-ms-ratelimit-remaining-*` headers. */
  remaining(name: LimitName, scope: string): number
  /** Tests may lower a limit so that a handful of calls reaches it. */
  set(name: LimitName, limit: Limit): void
}

/** Buckets filled by `now` (milliseconds); a clock that jumps back neither fills nor drains them. */
export function throttle(now: () => number): Throttle {
  const buckets = new Map<string, { level: number; at: number }>()
  const current: Record<LimitName, Limit> = { ...limits }

  function bucket(name: LimitName, scope: string, factor: number) {
    const { capacity, perSecond } = current[name]
    const key = `${name}\u0000${scope}`
    const at = now()
    const known = buckets.get(key)
    const level =
      known === undefined
        ? capacity * factor
        : Math.min(capacity * factor, known.level + (Math.max(0, at - known.at) / 1000) * perSecond * factor)
    const filled = { level, at }
    buckets.set(key, filled)
    return filled
  }

  return {
    take(name, scope, { cost = 1, factor = 1 } = {}) {
      const filled = bucket(name, scope, factor)
      if (filled.level >= cost) {
        filled.level -= cost
        return undefined
      }
      return Math.max(1, Math.ceil((cost - filled.level) / (current[name].perSecond * factor)))
    },
    remaining: (name, scope) => Math.floor(bucket(name, scope, 1).level),
    set(name, limit) {
      current[name] = limit
      for (const key of buckets.keys()) if (key.startsWith(`${name}\u0000`)) buckets.delete(key)
    },
  }
}
