/** A Google Cloud project as plain data. Instants are milliseconds since the epoch; `null` is "not set". */
export interface GcpProject {
  readonly id: string
  /** What names of resources carry, whatever the caller wrote. */
  readonly number: string
  readonly roles: GcpRole[]
  policy: Binding[]
  readonly serviceAccounts: GcpServiceAccount[]
  readonly pools: { readonly id: string; readonly providers: WorkloadProvider[] }[]
  readonly secrets: GcpSecret[]
  readonly certificates: GcpCertificate[]
  readonly operations: GcpOperation[]
}

/** A custom role of the project. */
export interface GcpRole {
  /** `projects/P/roles/name`. */
  readonly name: string
  permissions: string[]
}

export interface Binding {
  readonly role: string
  readonly members: string[]
  readonly condition?: { readonly title: string; readonly expression: string }
}

export interface GcpServiceAccount {
  readonly email: string
  readonly uniqueId: string
  /** Who may act as it. */
  policy: Binding[]
  /** Public keys (PEM) of long-lived keys: what a careful customer does not have. */
  readonly keys: { readonly id: string; readonly publicKey: string }[]
}

export interface WorkloadProvider {
  readonly id: string
  readonly issuer: string
  readonly audiences: string[]
  /** An exact subject that the provider takes, standing for `assertion.sub == '…'`; null takes any. */
  subject: string | null
}

export interface GcpSecret {
  readonly id: string
  readonly created: number
  labels: Record<string, string>
  annotations: Record<string, string>
  /** Seconds that a destroyed version stays restorable. */
  versionDestroyTtl: number | null
  /** Counts changes; the etag is made of it. */
  generation: number
  policy: Binding[]
  readonly versions: GcpSecretVersion[]
}
export interface GcpSecretVersion {
  readonly number: number
  readonly created: number
  state: 'ENABLED' | 'DISABLED' | 'DESTROYED'
  /** Base64; null once destroyed. */
  data: string | null
  readonly checksummed: boolean
  destroyed: number | null
  scheduledDestroy: number | null
  generation: number
}

export interface GcpCertificate {
  readonly id: string
  readonly location: string
  readonly created: number
  updated: number
  description: string
  labels: Record<string, string>
  readonly scope: string
  certificate: string
  privateKey: string
}

export interface GcpOperation {
  readonly name: string
  readonly target: string
  readonly verb: 'create' | 'update' | 'delete'
  readonly created: number
  readonly completesAt: number
}
