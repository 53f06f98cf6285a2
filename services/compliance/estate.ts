import { type Change, type EstateRecord, merged } from './record.ts'
import { type Subject, SUBJECT_KINDS, type SubjectKind, type Subjects } from './subject.ts'
import { subjectOf } from './subject-of.ts'

/** Subjects whose facts may differ since they were last looked at. */
export type Touched = Map<SubjectKind, Set<string>>

/** Records to look things up in, with the ways from one to another. */
export interface Known {
  get(id: string): EstateRecord | undefined
  /** Records held by this one, those that are gone included: items of a vault, edges and settings of a resource, matches of a policy. */
  held(holder: string): Iterable<EstateRecord>
  /** Edges that point at a secret, and policies of a credential. */
  pointing(at: string): Iterable<EstateRecord>
  of(kind: EstateRecord['kind']): Iterable<EstateRecord>
}

const NONE: ReadonlySet<string> = new Set()

/** What a record points at, beside its holder. */
function pointsAt(r: EstateRecord | undefined): readonly string[] {
  const at = r?.kind === 'edge' ? r.facts.target : r?.kind === 'policy' ? r.facts.credential : null
  return at ? [at] : []
}

/**
 * The estate of one tenant in memory: records in the words of the events, and the subjects that rules look
 * at. Applying a change costs what depends on it, not the size of the estate.
 */
export class Estate implements Known {
  readonly #records = new Map<string, EstateRecord>()
  readonly #byKind = new Map<EstateRecord['kind'], Set<string>>()
  readonly #byHolder = new Map<string, Set<string>>()
  readonly #byTarget = new Map<string, Set<string>>()
  readonly #subjects = Object.fromEntries(SUBJECT_KINDS.map((k) => [k, new Map()])) as {
    // fromEntries forgets which map belongs to which kind.
    readonly [K in SubjectKind]: Map<string, Subjects[K]>
  }

  get(id: string): EstateRecord | undefined {
    return this.#records.get(id)
  }

  *held(holder: string): Iterable<EstateRecord> {
    yield* this.#all(this.#byHolder.get(holder) ?? NONE)
  }

  *pointing(at: string): Iterable<EstateRecord> {
    yield* this.#all(this.#byTarget.get(at) ?? NONE)
  }

  *of(kind: EstateRecord['kind']): Iterable<EstateRecord> {
    yield* this.#all(this.#byKind.get(kind) ?? NONE)
  }

  *#all(ids: ReadonlySet<string>): Iterable<EstateRecord> {
    for (const id of ids) {
      const record = this.#records.get(id)
      if (record) yield record
    }
  }

  /** A population, by id. */
  subjects<K extends SubjectKind>(kind: K): ReadonlyMap<string, Subjects[K]> {
    return this.#subjects[kind]
  }

  subject(kind: SubjectKind, id: string): Subject | undefined {
    return this.#subjects[kind].get(id)
  }

  /** Merges changes and answers which subjects may be judged differently now. */
  apply(changes: Iterable<Change>): Touched {
    return this.#settle(changes, (change) => merged(this.#records.get(change.id), change))
  }

  /** Replaces whole records, as read from rows. */
  load(records: Iterable<EstateRecord>): Touched {
    return this.#settle(records, (record) => record)
  }

  #settle<T extends { readonly id: string }>(items: Iterable<T>, next: (item: T) => EstateRecord): Touched {
    const touched: Touched = new Map(SUBJECT_KINDS.map((k) => [k, new Set()]))
    for (const item of items) {
      const before = this.#records.get(item.id)
      const after = next(item)
      this.#index(before, after)
      this.#touch(before, after, touched)
    }
    for (const [kind, ids] of touched)
      for (const id of ids) {
        const subject = subjectOf(this, kind, id)
        // subjectOf answers a subject of the kind it was asked for.
        const population = this.#subjects[kind] as Map<string, Subject>
        if (subject) population.set(id, subject)
        else population.delete(id)
      }
    return touched
  }

  #index(before: EstateRecord | undefined, after: EstateRecord): void {
    this.#records.set(after.id, after)
    if (!before) add(this.#byKind, after.kind, after.id)
    relate(
      this.#byHolder,
      before?.holder ? [before.holder] : [],
      after.holder ? [after.holder] : [],
      after.id,
    )
    relate(this.#byTarget, pointsAt(before), pointsAt(after), after.id)
  }

  #touch(before: EstateRecord | undefined, after: EstateRecord, touched: Touched): void {
    const touch = (kind: SubjectKind, id: string | null | undefined) => {
      if (id) touched.get(kind)?.add(id)
    }
    const touchHeld = (id: string) => {
      for (const r of this.held(id)) this.#touch(r, r, touched)
    }
    /** Something that is seen on all that it holds differs. */
    const differs = !before || before.gone !== after.gone || before.name !== after.name
    const was = before?.facts
    const is = after.facts
    switch (after.kind) {
      case 'environment':
        if (was?.connected === is.connected && String(was?.refused ?? []) === String(is.refused ?? [])) return
        // Rare, and seen everywhere: what belongs to the environment appears, goes, or is hidden.
        for (const kind of ['app-secret', 'resource', 'edge'] as const) touch(kind, after.id)
        for (const kind of ['vault', 'item', 'application', 'resource', 'edge'] as const)
          for (const r of this.of(kind)) this.#touchOne(r, touch)
        return
      case 'vault':
        this.#touchOne(after, touch)
        if (differs || was?.unreachable !== is.unreachable || was?.env !== is.env) touchHeld(after.id)
        return
      case 'resource':
        this.#touchOne(after, touch)
        if (differs || was?.env !== is.env) touchHeld(after.id)
        return
      case 'policy':
        this.#touchOne(after, touch)
        touch('app-secret', was?.credential)
        if (differs || was?.enabled !== is.enabled || was?.credential !== is.credential) touchHeld(after.id)
        return
      case 'worker':
        for (const r of this.of('route')) this.#touchOne(r, touch)
        return
      case 'item':
      case 'application':
      case 'credential':
      case 'edge':
      case 'setting':
      case 'match':
      case 'route':
      case 'copy':
        if (before && before !== after) this.#touchOne(before, touch)
        this.#touchOne(after, touch)
    }
  }

  /** The subjects that a record itself is seen in. */
  #touchOne(r: EstateRecord, touch: (kind: SubjectKind, id: string | null | undefined) => void): void {
    const { facts } = r
    switch (r.kind) {
      case 'vault':
        touch('vault', r.id)
        for (const kind of ['secret', 'certificate', 'key'] as const) touch(kind, r.id)
        return
      case 'item':
        if (facts.itemKind) touch(facts.itemKind, r.id)
        if (r.holder && this.get(r.holder)?.facts.unreachable) touch(facts.itemKind ?? 'secret', r.holder)
        return
      case 'application':
        for (const credential of facts.credentials ?? []) touch('app-secret', credential)
        return
      case 'credential':
        return touch('app-secret', r.id)
      case 'edge':
        touch('edge', r.id)
        touch('resource', r.holder)
        touch('secret', facts.target)
        return
      case 'setting':
        return touch('resource', r.holder)
      case 'policy':
        touch('policy', r.id)
        return touch('app-secret', facts.credential)
      case 'match':
        touch('match', r.id)
        return touch('policy', r.holder)
      case 'resource':
      case 'route':
      case 'copy':
        return touch(r.kind, r.id)
      case 'environment':
      case 'worker':
    }
  }
}

function add<K>(index: Map<K, Set<string>>, key: K, id: string): void {
  const ids = index.get(key)
  if (ids) ids.add(id)
  else index.set(key, new Set([id]))
}

function relate(
  index: Map<string, Set<string>>,
  from: readonly string[],
  to: readonly string[],
  id: string,
): void {
  for (const key of from) if (!to.includes(key)) index.get(key)?.delete(id)
  for (const key of to) if (!from.includes(key)) add(index, key, id)
}
