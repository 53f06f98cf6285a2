/**
 * An AWS account as plain data. Instants are seconds since the epoch, as on the wire of its JSON services; `null` is
 * "not set". Documents of policies are what a customer would paste: the twin evaluates them as they stand.
 */
export interface AwsAccount {
  /** Twelve digits. */
  readonly id: string
  readonly roles: AwsRole[]
  readonly users: AwsUser[]
  /** Issuers of web identities that the account knows, with the audiences it takes. */
  readonly identityProviders: { readonly url: string; readonly audiences: string[] }[]
  readonly secrets: AwsSecret[]
  readonly parameters: AwsParameter[]
  readonly certificates: AwsCertificate[]
}

export interface AwsRole {
  readonly name: string
  trust: PolicyDocument
  policies: PolicyDocument[]
  maxSessionSeconds: number
}

/** A user with long-lived keys: what a careful customer does not have. */
export interface AwsUser {
  readonly name: string
  policies: PolicyDocument[]
  readonly accessKeys: { readonly id: string; readonly secret: string; active: boolean }[]
}

export interface PolicyDocument {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}
export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: { readonly AWS?: string | readonly string[]; readonly Federated?: string }
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
  /** Operator → key → values, such as `{StringEquals: {'sts:ExternalId': '…'}}`. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

export type AwsTags = Record<string, string>

export interface AwsSecret {
  readonly region: string
  readonly name: string
  /** The ARN's end, by which a name that is used again is told from its predecessor. */
  readonly suffix: string
  description: string | null
  kmsKey: string | null
  tags: AwsTags
  readonly created: number
  changed: number
  deleted: { readonly at: number; readonly goneAt: number } | null
  readonly versions: AwsSecretVersion[]
}
export interface AwsSecretVersion {
  readonly id: string
  readonly created: number
  stages: string[]
  readonly text: string | null
  /** Base64. */
  readonly binary: string | null
}

export interface AwsParameter {
  readonly region: string
  readonly name: string
  tags: AwsTags
  readonly versions: AwsParameterVersion[]
}
export interface AwsParameterVersion {
  readonly version: number
  readonly value: string
  readonly type: 'String' | 'StringList' | 'SecureString'
  readonly tier: 'Standard' | 'Advanced'
  readonly description: string | null
  readonly keyId: string | null
  readonly modified: number
  readonly by: string
  labels: string[]
}

export interface AwsCertificate {
  readonly region: string
  readonly id: string
  readonly created: number
  imported: number
  tags: AwsTags
  /** PEM texts; the key is as secret as any. */
  body: string
  chain: string | null
  privateKey: string
}

export const secretArn = (account: string, secret: Pick<AwsSecret, 'region' | 'name' | 'suffix'>): string =>
  `arn:aws:secretsmanager:${secret.region}:${account}:secret:${secret.name}-${secret.suffix}`
export const parameterArn = (
  account: string,
  { region, name }: Pick<AwsParameter, 'region' | 'name'>,
): string => `arn:aws:ssm:${region}:${account}:parameter${name.startsWith('/') ? '' : '/'}${name}`
export const certificateArn = (
  account: string,
  { region, id }: Pick<AwsCertificate, 'region' | 'id'>,
): string => `arn:aws:acm:${region}:${account}:certificate/${id}`
export const roleArn = (account: string, name: string): string => `arn:aws:iam::${account}:role/${name}`
export const providerArn = (account: string, url: string): string =>
  `arn:aws:iam::${account}:oidc-provider/${url.replace(/^https:\/\//, '')}`
