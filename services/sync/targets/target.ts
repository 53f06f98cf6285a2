import type { TargetKind } from '@attestry/contracts'
import type { Refused, Secret } from '@attestry/kit'
import type { PACE_MS } from '../quota.ts'

/*
 * The port behind which a store of another cloud stands. Every method throws `Transient` (with how long to wait where
 * the provider says so), `Denied` with the provider's own code, or the abort of its signal; what the provider refuses
 * about one object is a value. No value of a secret is ever asked for: what is at a target is known by what its
 * metadata shows.
 */

/** What a kind of target can do, checked when a route is saved and again when a run is planned. */
export interface Capabilities {
  readonly kind: TargetKind
  /** Certificate-backed items go to targets that take certificates, all others to those that take secrets. */
  readonly takes: 'secrets' | 'certificates'
  /** Whether names that differ in case alone are one object. */
  readonly foldsCase: boolean
  readonly name: {
    readonly pattern: RegExp
    /** The rule as a sentence that follows "must". */
    readonly says: string
  }
  readonly value: { readonly minBytes: number; readonly maxBytes: number; readonly binary: boolean }
  /** Limits of tags that are carried over, the mark's own already taken off. */
  readonly tags: {
    readonly most: number
    readonly key: RegExp
    readonly value: RegExp
    /** The rule as a sentence that follows "must". */
    readonly says: string
  }
  /** What the mark is part of: the object, or (Key Vault) each version, so that a version of somebody else has none. */
  readonly marks: 'object' | 'version'
  /**
   * Where a change by somebody else shows without a value being read: `listed` in the listing itself, `described` by
   * one request an object.
   */
  readonly drift: 'listed' | 'described'
  /** Whether an object can be kept and yet serve nothing. */
  readonly disables: boolean
  /** Whether a deleted object can be brought back. */
  readonly restores: boolean
  /** Writes that the provider bears, over all objects of an account. */
  readonly writesPerMinute: number
  /** The shortest time between two new versions of one object that the provider bears for long; null is any. */
  readonly writeEveryMs: typeof PACE_MS | null
  /** Writes in flight at once. */
  readonly inFlight: number
}

/** What an object at a target says of itself, so that who owns it is known there and not only here. */
export interface Mark {
  /** The route that writes it. */
  readonly route: string
  /** The item of the source, opaque. */
  readonly secret: string
  /** The source's vault, opaque: tells a copy that comes back to where it came from. */
  readonly vault: string
  readonly sourceVersion: string
  /** HMAC-SHA256 of the value under a key of the install, as 64 hexadecimal digits. */
  readonly mac: string
}

/** The value of `managed-by` on everything that a route of this product writes. */
export const MANAGED_BY = 'attestry'

/**
 * Names under which a mark is kept where the provider takes them as they are. A provider with a narrower alphabet
 * spells them its own way; only the adapter knows.
 */
export const MARK_TAGS = {
  managedBy: 'managed-by',
  route: 'attestry-route',
  secret: 'attestry-secret',
  vault: 'attestry-vault',
  sourceVersion: 'attestry-source-version',
  mac: 'attestry-mac',
} as const satisfies Record<keyof Mark | 'managedBy', string>

/** The mark as tags, for providers that take them as they are. */
export const markTags = (mark: Mark): [string, string][] => [
  [MARK_TAGS.managedBy, MANAGED_BY],
  [MARK_TAGS.route, mark.route],
  [MARK_TAGS.secret, mark.secret],
  [MARK_TAGS.vault, mark.vault],
  [MARK_TAGS.sourceVersion, mark.sourceVersion],
  [MARK_TAGS.mac, mark.mac],
]

/** The mark among an object's tags, or null where there is none or half of one. */
export function markOf(tags: Readonly<Record<string, string | undefined>>): Mark | null {
  if (tags[MARK_TAGS.managedBy] !== MANAGED_BY) return null
  const route = tags[MARK_TAGS.route]
  const secret = tags[MARK_TAGS.secret]
  const vault = tags[MARK_TAGS.vault]
  const sourceVersion = tags[MARK_TAGS.sourceVersion]
  const mac = tags[MARK_TAGS.mac]
  if (!route || !secret || !vault || !sourceVersion || !mac) return null
  return { route, secret, vault, sourceVersion, mac }
}

/** Whether a tag is part of a mark: such tags are never carried over from a source. */
export const isMarkTag = (name: string): boolean => (Object.values(MARK_TAGS) as string[]).includes(name)

/** An object at a target as its metadata shows it. */
export interface RemoteEntry {
  /** As the provider spells it. */
  readonly name: string
  /** What the provider calls it, such as an ARN: stays the same while the object lives. */
  readonly id: string
  readonly state: 'live' | 'disabled' | 'pending-deletion'
  /** `unseen`: the listing shows no marks; `describe` does. */
  readonly mark: Mark | null | 'unseen'
  /** The version that is served now; null where a listing does not show it (`describe` does). */
  readonly version: string | null
  /**
   * The source version that the provider itself ties to the served version (the request token of AWS); null where it
   * keeps none. After a crash between writing and marking it tells that the value is already there.
   */
  readonly servedSource: string | null
  /**
   * Differs whenever somebody wrote to the object, made of metadata alone: a version id, stages, times. Equal to the
   * stamp that `create`, `put` or `mark` answered as long as nobody else wrote. Null where a listing shows nothing of
   * the kind.
   */
  readonly stamp: string | null
}

/** A value on its way. Bytes live in memory for one copy, and are wiped after it. */
export interface Value {
  readonly bytes: Secret
  /** `text` is UTF-8. */
  readonly form: 'text' | 'binary'
}

/** What is written: a value, whose it is, and what is carried beside it. */
export interface Write {
  readonly value: Value
  readonly mark: Mark
  readonly metadata: Metadata
}

export interface Metadata {
  /** Tags to set; what is not among them is left as it is, never cleared. */
  readonly tags: readonly (readonly [string, string])[]
  readonly contentType: string | null
  /** ISO instants. Kept natively where the target can. */
  readonly expires: string | null
  readonly notBefore: string | null
}

/** What a write came to. */
export interface Written {
  readonly id: string
  readonly version: string
  readonly stamp: string | null
  /** Whether the mark and the metadata went with it, in the same request; else `mark` has to follow. */
  readonly marked: boolean
}

/**
 * Why a target does not take something; the sentence is for a person and holds no value.
 *   exists            an object of this name is there, though none was listed: a conflict
 *   gone              the object is not there any more
 *   pending-deletion  the object was deleted and can be restored
 *   too-large, too-small, not-text, bad-name, bad-certificate   the copy cannot be taken as it is
 *   version-conflict  this source version is already there with another value
 *   limit             the account's own limit is reached (secrets, versions, size of all tags)
 */
export type TargetRefusal = Refused<
  | 'exists'
  | 'gone'
  | 'pending-deletion'
  | 'too-large'
  | 'too-small'
  | 'not-text'
  | 'bad-name'
  | 'bad-certificate'
  | 'version-conflict'
  | 'limit'
>

export interface Target {
  readonly can: Capabilities
  /**
   * Signs in and makes the cheapest request that shows that the rights suffice to list.
   * @returns the account that was reached, as the provider tells it: compared with the one that was declared
   */
  test(signal: AbortSignal): Promise<{ readonly account: string }>
  /**
   * All objects, those pending deletion included, one page a request. Complete when it ends: a page that cannot be
   * had is thrown, never left out.
   */
  list(signal: AbortSignal): AsyncIterable<readonly RemoteEntry[]>
  /** One object with everything that its metadata shows, strongly consistent where the provider can; null: no such. */
  describe(name: string, signal: AbortSignal): Promise<RemoteEntry | null>
  /** Makes a new object with its first version, the mark on it from the first moment where the provider can. */
  create(name: string, write: Write, signal: AbortSignal): Promise<Written | TargetRefusal>
  /**
   * Makes a new version the served one. Idempotent by the mark's source version: called again after any interruption
   * it ends in the same served version and makes no second one that is served. Where somebody wrote in between, what
   * was written before under this source version is served again, or written again.
   */
  put(entry: RemoteEntry, write: Write, signal: AbortSignal): Promise<Written | TargetRefusal>
  /** Sets mark and metadata on what is there, without a new version. @returns the stamp after it */
  mark(
    entry: RemoteEntry,
    mark: Mark,
    metadata: Metadata,
    signal: AbortSignal,
  ): Promise<{ readonly stamp: string | null } | TargetRefusal>
  /** Brings back what is pending deletion; ends when the object can be written to. Never purges. */
  restore(entry: RemoteEntry, signal: AbortSignal): Promise<TargetRefusal | null>
  /** Keeps the object and serves nothing. Called only where `can.disables`; a later `put` serves again. */
  disable(entry: RemoteEntry, signal: AbortSignal): Promise<{ readonly stamp: string | null } | TargetRefusal>
  /** Deletes, recoverably where the target can. Called for pruning alone. */
  remove(entry: RemoteEntry, signal: AbortSignal): Promise<TargetRefusal | null>
  /** Retires versions beyond the newest `keep`, where the provider bills them; nothing elsewhere. */
  trim(entry: RemoteEntry, keep: number, signal: AbortSignal): Promise<void>
}

/** An item of a source vault as its listing shows it: metadata only, no version and no value. */
export interface SourceItem {
  readonly name: string
  readonly enabled: boolean
  /** The half of a certificate. */
  readonly managed: boolean
  /** ISO instants, as the vault says them: creation of the newest version, its last change, its bounds. */
  readonly created: string | null
  readonly updated: string | null
  readonly notBefore: string | null
  readonly expires: string | null
  readonly contentType: string | null
  readonly tags: readonly (readonly [string, string])[]
}

/** An item with its newest version; that is null where two were made within one second and only a read can tell. */
export interface Looked {
  readonly item: SourceItem
  readonly version: string | null
}

/** A value of a source with the version that it is of. */
export interface SourceValue {
  readonly version: string
  readonly value: Secret
  readonly item: SourceItem
}

/** Where copies come from. Throws as a target does. */
export interface Source {
  /** All items, one page a request. A page that cannot be had is thrown; what came before it is true. */
  list(signal: AbortSignal): AsyncIterable<readonly SourceItem[]>
  /** One item and the id of its newest version, by metadata alone; null where the item is gone. */
  look(name: string, signal: AbortSignal): Promise<Looked | null>
  /** The value of the newest version; a refusal where it is gone or disabled. */
  read(name: string, signal: AbortSignal): Promise<SourceValue | Refused<'gone' | 'disabled'>>
}
