import type { AzureAccess } from '@attestry/kit/azure'
import type { Secret } from '@attestry/kit'

/** How an account is signed in to, what is secret in it revealed for one use at a time. */
export type Access =
  | { readonly how: 'own-identity' }
  | { readonly how: 'assume-role'; readonly roleArn: string; readonly externalId: string }
  | {
      readonly how: 'web-identity'
      /** The role that trusts Entra's token. */
      readonly roleArn: string
      /** The audience that Entra is asked for, such as `api://attestry-aws`. */
      readonly audience: string
      /** A second role, assumed with the external id from the first; null where the first one writes. */
      readonly onward: { readonly roleArn: string; readonly externalId: string } | null
    }
  | {
      readonly how: 'federation'
      /** The pool's provider: `//iam.googleapis.com/projects/…/providers/…`. */
      readonly audience: string
      /** The audience that Entra is asked for. */
      readonly tokenAudience: string
      /** The service account to act as; null where the pool's principal itself has the rights. */
      readonly serviceAccount: string | null
    }
  | {
      readonly how: 'access-key'
      readonly accessKeyId: string
      readonly secretAccessKey: () => Promise<Secret>
      readonly onward: { readonly roleArn: string; readonly externalId: string } | null
    }
  | { readonly how: 'service-account-key'; readonly key: () => Promise<Secret> }

/** An account to write to, as a target's adapter is given it. */
export interface Account {
  /** AWS: 12 digits. GCP: the project id. Azure: the vault's address. */
  readonly account: string
  readonly region: string | null
  readonly access: Access
}

/** What adapters share: the product's own identity, and where requests go. */
export interface World {
  readonly azure: AzureAccess
  /** A loopback address that stands in for every cloud; unset, the real ones. */
  readonly endpoint: string | undefined
  /** Our clock, for requests that are signed with a time. */
  readonly now: () => Temporal.Instant
  /** Variables that the clouds' own libraries read. */
  readonly env: Readonly<Record<string, string | undefined>>
}
