import type { EstateRecord, Facts } from './record.ts'
import type { Known } from './estate.ts'
import type { SubjectKind } from './subject.ts'

/** What a person calls a subject, and the vault, application or resource that holds it. */
export interface Label {
  readonly name: string
  readonly holderName: string
}

const nameOf = (r: EstateRecord | undefined, id: string | null | undefined): string => r?.name || (id ?? '')

/** The label of a subject; its id where no name is known. Also tells the names of what is gone. */
export function labelOf(known: Known, kind: SubjectKind, id: string): Label {
  const r = known.get(id)
  const facts: Facts = r?.facts ?? {}
  const named = (at: string | null | undefined) => nameOf(at ? known.get(at) : undefined, at)
  switch (kind) {
    case 'policy':
      return facts.credential ? labelOf(known, 'app-secret', facts.credential) : { name: id, holderName: '' }
    case 'match':
      return {
        name: named(facts.secret),
        holderName: r?.holder ? labelOf(known, 'policy', r.holder).name : '',
      }
    case 'route':
      return { name: `${named(facts.source)} → ${facts.target ?? ''}`, holderName: named(facts.source) }
    case 'copy':
      return { name: named(facts.secret), holderName: named(known.get(facts.secret ?? '')?.holder) }
    case 'secret':
    case 'certificate':
    case 'key':
    case 'vault':
    case 'app-secret':
    case 'resource':
    case 'edge':
      return { name: nameOf(r, id), holderName: named(r?.holder) }
    default:
      return kind satisfies never
  }
}
