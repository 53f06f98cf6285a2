import type {
  CredentialKind,
  CredentialSubject,
  LiveCredential,
  PlanFacts,
  PreflightCheck,
} from '@attestry/contracts'

/*
 * What a kind of credential has to be able to do. The saga (`rotation.ts`) decides when, and whether it may: an issuer
 * takes one order at a time and answers with what it saw. Three promises make every crash harmless:
 *
 *   marks      whatever an issuer makes at the far side carries the rotation's id (`markOf`), so that `probe` finds it
 *   by id      whatever it removes it removes by the key id that it was given, never by "the other one" or "the oldest"
 *   again      every method may be called again after it was cut off anywhere, with the same order
 *
 * No answer carries a value. Values live inside one call, in a `Secret` that is wiped before the call returns, on
 * every way out. Failures: `Transient` (asked again later), `Denied` (refused; its message never quotes a value).
 */

/** One rotation's work as the plan says it. Bound by the plan's hash; an issuer never looks anything else up. */
export interface Order extends PlanFacts {
  /** 1 at first; grows each time an attempt to issue was taken back. Part of the mark. */
  readonly attempt: number
  /** End of the principal's present credential that is being replaced. */
  readonly currentEndsAt: string | null
}

/** Time, patience and secrecy, as the host gives them. */
export interface Work {
  readonly signal: AbortSignal
  now(): Temporal.Instant
  /** Resolves after so long by the host's clock, or at once when the signal aborts. */
  pause(ms: number): Promise<void>
  /** HMAC-SHA256 under the install's key, base64url. */
  mac(value: Uint8Array): string
  /** How a new credential is proved before anybody is given it: successes in a row, over at least so long. */
  readonly proof: { readonly successes: number; readonly overMs: number; readonly giveUpMs: number }
  /** Tells a page that watches where the step is. Never a value. */
  progress(says: string): void
}

/** Everything that is live at the provider, and what each target serves: read at one moment, nothing changed. */
export interface Seen {
  readonly live: readonly LiveCredential[]
  readonly targets: readonly ServedVersion[]
  /** Of vault items: the version that consumers get who name none. Null elsewhere. */
  readonly serves: string | null
  /** Slots only: the one that the targets hold, told by comparing MACs; null where none or both fit. */
  readonly slotInUse: string | null
}

/** What a vault serves to somebody who asks for the secret without a version. */
export interface ServedVersion {
  /** Index into the order's targets. */
  readonly target: number
  /** Null: there is no such secret, or the newest version is disabled. */
  readonly version: string | null
  /** From its tags, where a rotation wrote it. */
  readonly keyId: string | null
  readonly rotation: string | null
  readonly mac: string | null
}

/** A new credential that exists, works, and is served by every target. */
export interface Issued {
  readonly state: 'issued'
  readonly keyId: string
  readonly endsAt: string | null
  readonly mac: string | null
  readonly stored: readonly Stored[]
}
export interface Stored {
  readonly target: number
  readonly version: string
  readonly mac: string | null
}

/** A certificate that somebody else has to make. */
export interface Pending {
  readonly state: 'pending'
  readonly awaits: 'authority' | 'merge'
  /** The request as PEM. */
  readonly request: string | null
  /** When to look again. */
  readonly afterMs: number
}

/** What carries this rotation's mark, wherever it is. The basis of every recovery. */
export interface Found {
  /** Marked credentials that are live at the provider; for slots: the planned slot if it differs from the snapshot. */
  readonly credentials: readonly { readonly keyId: string; readonly endsAt: string | null }[]
  /** Marked versions in the targets, disabled ones included. */
  readonly versions: readonly {
    readonly target: number
    readonly version: string
    readonly enabled: boolean
    /** This is the one that the vault serves. */
    readonly served: boolean
    readonly keyId: string
    readonly mac: string | null
  }[]
  /** A certificate operation of ours that has not ended. */
  readonly pending: Pending | null
}

/** When a credential was last used, from an observation that is complete up to `observedUntil`. */
export interface LastUse {
  readonly lastUsedAt: string | null
  /** Null: nothing can be observed here (no permission, another cloud), so silence proves nothing. */
  readonly observedUntil: string | null
}

/** What retiring means for a kind. */
export type Retirement =
  /** The old version in the vault is disabled, then the credential is removed by its key id. */
  | 'remove'
  /** The old version in the vault is disabled, then the old slot is regenerated: nobody has its value any more. */
  | 'regenerate'
  /** The old version in the vault is disabled and kept. */
  | 'disable'
  /** The old version stays: what was made under it still needs it. */
  | 'keep'

export interface Issuer {
  readonly kind: CredentialKind
  readonly retirement: Retirement
  /** Whether a plan names targets: vault items are their own. */
  readonly stores: boolean
  /** Built-in longest life of such a credential in days, null: none. The tenant's own cap is a preflight check. */
  readonly longestDays: number | null

  /**
   * Everything live, and what the targets serve. Reads only; used for the snapshot at planning, for drift before the
   * first change, and for the proof before a removal. Slots need their keys read to tell which is in use.
   * @throws Denied 'NotFound' where the subject is gone
   */
  look(subject: CredentialSubject, targets: PlanFacts['targets'], work: Work): Promise<Seen>

  /** Preconditions at the far side: permission, lifetime policy, vaults reachable and not soft-deleted, names, infrastructure code. Reads only. */
  preflight(order: Order, work: Work): Promise<readonly PreflightCheck[]>

  /**
   * Issues, proves and stores, as one effect: (1) makes the credential, marked; (2) proves that it works where it can be
   * proved with the value in hand (an application secret: `proof.successes` tokens in a row over `proof.overMs`, since
   * a vault must never serve what the directory does not know yet); (3) writes it to every target in order, marked
   * with key id, rotation and MAC in tags, with expiry, content type kept; (4) reads back each version id.
   * With `order.prestageMs` non-null step 3 writes to `stagedName(secret)`. Called only when `probe` found nothing.
   * @throws Denied | Transient at any point; what it left is found by `probe` and taken back by `restore` and `discard`
   */
  issue(order: Order, work: Work): Promise<Issued | Pending>

  /** Goes on with a pending certificate: `pending` still, or what `issue` answers. `chain`: signed certificates (PEM), for a merge. */
  follow?(order: Order, chain: readonly string[] | null, work: Work): Promise<Issued | Pending>

  /** Publishes a staged value under its own name in every target and disables the staged version. One effect, like `issue`. */
  publish?(order: Order, keyId: string, work: Work): Promise<Issued>

  /**
   * What carries the mark of this rotation, whatever the attempt. Reads only. A vault's key cannot be marked while it is
   * rotated, so there a version that is newer than the snapshot counts: one too many does no harm.
   */
  probe(order: Order, work: Work): Promise<Found>

  /**
   * First half of taking back: every target that serves a marked version serves the plan's previous value again, as a
   * new version tagged `restored` (a vault serves its newest version and answers 403 when that is disabled), and only
   * then marked versions are disabled. A target that had no previous version loses its marked one. What serves
   * something newer than ours is left alone. Nothing is removed at the provider. Kinds without targets answer 0.
   * May be called again. Answers how many targets had served a marked version, restored ones of earlier calls included.
   */
  restore(order: Order, work: Work): Promise<number>

  /**
   * Second half, called when nobody can hold the new value any more (the saga waits as long as somebody might):
   * removes marked credentials that are not in the snapshot, by key id, and answers which. A pending certificate
   * operation of ours is cancelled. Slots: nothing, because regenerating again would help nobody. May be called again.
   */
  discard(order: Order, work: Work): Promise<readonly string[]>

  /** Reads back what each target now serves: same version, same MAC, and it works. @throws Denied 'VerificationFailed' */
  verify(order: Order, issued: Issued, work: Work): Promise<{ successes: number; overMs: number }>

  /** Last sign-in with a key id. `null` where the kind has no such report. */
  lastUse?(order: Order, keyId: string, work: Work): Promise<LastUse>

  /** Disables the versions in the targets (or of the item itself) that held the old credential. Undone by `enable`. Answers how many are disabled now. */
  disable(order: Order, keyId: string, work: Work): Promise<number>
  enable(order: Order, keyId: string, work: Work): Promise<number>

  /**
   * Removes (or regenerates) exactly this credential. The saga has proved R1, R2 and R4 from a look just before; an
   * issuer refuses all the same when the key id is not in the order's snapshot. Gone already counts as done.
   */
  retire(order: Order, keyId: string, work: Work): Promise<void>
}

/** The mark of a rotation: a display name at the directory, a tag's value in a vault. */
export const markOf = (order: Pick<Order, 'rotation' | 'attempt'>): string =>
  `attestry ${order.rotation} ${order.attempt}`

/** The rotation that a mark names, whatever the attempt; null for any other text. */
export const markedBy = (text: string | null | undefined): string | null =>
  /^attestry (rotation-[0-9a-z]+) \d+$/.exec(text ?? '')?.[1] ?? null

/** Tags that a written version carries. */
export const TAGS = {
  rotation: 'attestry-rotation',
  keyId: 'attestry-key-id',
  mac: 'attestry-mac',
  /** On a version that gives an old value back: the rotation that was undone. */
  restored: 'attestry-restored-from',
} as const

/** Where a value waits that is not to be served yet. */
export const stagedName = (secret: string): string => `${secret.slice(0, 122)}-next`

export type Issuers = Readonly<Partial<Record<CredentialKind, Issuer>>>
