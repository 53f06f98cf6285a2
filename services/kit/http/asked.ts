import { AsyncLocalStorage } from 'node:async_hooks'
import type { Actor } from '@attestry/contracts'
import { isStorable } from './storable.ts'

/*
 * Who asked, from where and why, carried beside the calls of a request as its trace is. So every event that a request
 * makes says so, whoever wrote the handler, and whoever answers can tell whether an event was left at all.
 */

/** Why somebody does what they ask for, in their own words: percent-encoded UTF-8, at most 500 characters. */
export const REASON_HEADER = 'x-attestry-reason'
/** On an answer whose request left an event of its own. */
export const RECORDED_HEADER = 'x-attestry-recorded'

const MOST_CHARACTERS = 500

/** The reason that a request gives; null for none, undefined for one that cannot be read or is too long. */
export function reasonOf(headers: Headers): string | null | undefined {
  const text = headers.get(REASON_HEADER)
  if (text === null) return null
  try {
    const reason = decodeURIComponent(text).trim()
    if (reason.length > MOST_CHARACTERS || !isStorable(reason)) return undefined
    return reason === '' ? null : reason
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** What is known of a request that somebody signed in makes. */
export interface Asked {
  readonly operator: string
  readonly address: string
  readonly reason: string | null
  /** Whether an event of this operator was appended since. */
  recorded: boolean
}

const asking = new AsyncLocalStorage<Asked>()

/** Runs a request's work, so that the events it makes can be told where they come from. */
export const whileAsked = <T>(asked: Asked, work: () => Promise<T>): Promise<T> => asking.run(asked, work)

/** An actor with the address and the reason of the request in hand, where the actor is the one who asked. */
export function attributed(by: Actor): Actor {
  const asked = asking.getStore()
  if (!asked || by.kind !== 'operator' || by.id !== asked.operator) return by
  return {
    ...(asked.address === '' ? {} : { address: asked.address }),
    ...(asked.reason === null ? {} : { reason: asked.reason }),
    ...by,
  }
}

/** Notes that the request in hand has left an event of whoever asked. */
export function noteRecorded(by: Actor): void {
  const asked = asking.getStore()
  if (asked && by.kind === 'operator' && by.id === asked.operator) asked.recorded = true
}
