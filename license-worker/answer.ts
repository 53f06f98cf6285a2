import { type AnswerPayload, MAX_GRACE_DAYS } from '@attestry/contracts'
import type { Terms } from './judge.ts'
import type { Signature } from './sign.ts'

/*
 * The text of an answer. Of two answers about one licence only the times, the install and the nonce differ, so what
 * stands around them is written once: to write a whole payload, and then to write it again with its quotes escaped as
 * JSON within JSON wants it, was a fortieth of a licence check.
 */

const DAY_MS = 86_400_000

/** What stands around the times, the install and the nonce, as it is signed and as it stands in the answer's body. */
export interface Saying {
  readonly head: string
  readonly tail: string
  readonly headWithin: string
  readonly tailWithin: string
}

/** A text as it stands between the quotes of JSON: letter by letter, so it may be done in pieces. */
const within = (text: string): string => JSON.stringify(text).slice(1, -1)

/** All that answers about one licence have in common. */
export function sayingOf(terms: Terms, rest: Pick<AnswerPayload, 'stats' | 'latest'>): Saying {
  const head = `${JSON.stringify(terms).slice(0, -1)},"iat":"`
  const tail = `",${JSON.stringify(rest).slice(1)}`
  return { head, tail, headWithin: within(head), tailWithin: within(tail) }
}

/** The date on which answers of a day end; of the day that was asked for last. */
let ending = { day: Number.NaN, date: '' }

function endOf(now: number): string {
  const day = Math.floor(now / DAY_MS)
  if (ending.day !== day) {
    const end = new Date((day + MAX_GRACE_DAYS) * DAY_MS)
    ending = { day, date: end.toISOString().slice(0, 'yyyy-mm-dd'.length) }
  }
  return ending.date
}

/**
 * The payload's text, and the same as it stands in the answer's body. An install may rely on it for whole days, so its
 * end has the time of the day of its beginning. Install and nonce have been looked at: digits, letters and dashes.
 */
export function payloadTo(
  saying: Saying,
  asked: { readonly install: string; readonly nonce: string },
  now: number,
): { readonly payload: string; readonly within: string } {
  const iat = new Date(now).toISOString()
  const exp = endOf(now) + iat.slice('yyyy-mm-dd'.length)
  const { install, nonce } = asked
  return {
    payload: `${saying.head}${iat}","exp":"${exp}","install":"${install}","nonce":"${nonce}${saying.tail}`,
    within: `${saying.headWithin}${iat}\\",\\"exp\\":\\"${exp}\\",\\"install\\":\\"${install}\\",\\"nonce\\":\\"${nonce}${saying.tailWithin}`,
  }
}

/** The body of an answer: a `SignedLicense`. Key id and signature need no escape either. */
export const answerOf = (payloadWithin: string, { sig, kid }: Signature): string =>
  `{"payload":"${payloadWithin}","sig":"${sig}","alg":"Ed25519","kid":"${kid}"}`
