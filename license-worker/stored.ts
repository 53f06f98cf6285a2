import type { AnswerPayload, LicenseVerdict } from '@attestry/contracts'
import { type Saying, sayingOf } from './answer.ts'
import { termsOf } from './judge.ts'
import { Memory } from './memory.ts'
import { isPlainProjection } from './plain.ts'
import { Projection } from './projection.ts'

/*
 * What KV says of a licence. It is asked at each check, so that a change counts as soon as KV knows of it; but the same
 * text means the same each time, and what it means, and how the last answer put it, is kept beside it.
 */

/** What an answer says beside the licence. */
export type Rest = Pick<AnswerPayload, 'stats' | 'latest'>

const isSame = (a: Rest, b: Rest): boolean =>
  a.stats === b.stats && a.latest?.version === b.latest?.version && a.latest?.notice === b.latest?.notice

export class Stored {
  /** Null where KV has nothing: unknown and revoked alike. */
  readonly record: Projection | null
  #last: { readonly verdict: LicenseVerdict; readonly rest: Rest; readonly saying: Saying } | null = null

  constructor(record: Projection | null) {
    this.record = record
  }

  /** How answers with this verdict put it. */
  saying(verdict: LicenseVerdict, rest: Rest): Saying {
    if (this.#last?.verdict === verdict && isSame(this.#last.rest, rest)) return this.#last.saying
    const saying = sayingOf(termsOf(this.record, verdict), rest)
    this.#last = { verdict, rest, saying }
    return saying
  }
}

const NOTHING = new Stored(null)

/** About five megabytes of the 128 that an isolate has; sixteen where all are as long as they may be. */
const MOST = 2000
/** The places of a hundred installs. A longer text is read each time. */
const LONGEST = 2000

const memory = new Memory<Stored>(MOST)

/** Reads the text of an entry; null: there is none. */
export function readStored(text: string | null): Stored {
  if (text === null) return NOTHING
  const known = memory.get(text)
  if (known) return known
  const value: unknown = JSON.parse(text)
  const stored = new Stored(isPlainProjection(value) ? value : Projection.parse(value))
  if (text.length <= LONGEST) memory.note(text, stored)
  return stored
}
