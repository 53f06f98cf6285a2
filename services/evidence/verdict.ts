import type { BundleManifest, Sha256 } from '@attestry/contracts'
import type { BundleSource } from './bundle-source.ts'
import type { Hasher } from './sha256.ts'
import type { KnownPlace } from './verify-log.ts'
import type { ZipLimits } from './zip.ts'

/*
 * What a verification trusts, asks and answers.
 */

/** One question that was asked of a bundle. `not-checked` means that it could not be asked, and why. */
export interface Check {
  readonly id: string
  readonly ok: true | false | 'not-checked'
  readonly title: string
  readonly detail: string
}

export interface Verdict {
  /** No check failed. A pending timestamp is not a failure; `timestamped` tells it. */
  readonly ok: boolean
  /** Whether the time of the signature is vouched for. */
  readonly timestamped: boolean
  readonly checks: readonly Check[]
  /** Null when there is none that could be read. */
  readonly manifest: BundleManifest | null
}

/** What the verifier trusts: all of it came another way than the bundle. */
export interface Trust {
  /** `signer.pub`, one key or a ring with times. Null fails the signature: the bundle's own copy is never used. */
  readonly signerPublicKeyPem: string | null
  /** `tsa-root.pem`, one or more roots. Null fails every timestamp that is there. */
  readonly tsaRootsPem: string | null
  /** `checkpoint.vkey`, a verifier's line or several; without it nobody says who signed the checkpoints. */
  readonly checkpointVerifiers?: string
  /** This bundle's HMAC key, when it was given. */
  readonly hmacKey?: Uint8Array
  readonly now: Date
  /** SHA-256, synchronous: Node's own, or one in JavaScript where there is only WebCrypto. */
  readonly sha256: Sha256
  /** The same, piece by piece. @default one in JavaScript */
  readonly hasher?: () => Hasher
  /** Places in the chain known from elsewhere, such as the head of an earlier bundle. */
  readonly known?: readonly KnownPlace[]
  /** The period that must be covered; it then fails where nobody outside vouches for it. @default the manifest's */
  readonly period?: { readonly from: string; readonly to: string }
  /** Makes the CSV files anew from the export: path and hexadecimal SHA-256 of each, or why it cannot be done. */
  readonly rederive?: (
    source: BundleSource,
    manifest: BundleManifest,
  ) => Promise<ReadonlyMap<string, string> | { readonly problem: string }>
  readonly limits?: ZipLimits
}

/** Answers a check: a problem fails it. */
export type Say = (id: string, title: string, problem: string | null, detail: string) => boolean
/** Says why a check could not be asked. */
export type Skip = (id: string, title: string, detail: string) => void

/** Clocks of those who sign and those who stamp may differ by so much. */
export const skewMs = 5 * 60_000
