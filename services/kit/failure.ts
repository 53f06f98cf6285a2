/*
 * Refusals are values. An exception says that the world or we broke:
 *   Transient  the same call may work later: retry
 *   Denied     the world said no: record it, do not retry
 *   anything else is a bug
 */

/** The far side could not answer now. `retryAfterMs` when it said how long to wait. */
export class Transient extends Error {
  override readonly name = 'Transient'
  readonly retryAfterMs: number | null
  constructor(message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs ?? null
  }
}

/** The far side refused; asking again changes nothing until somebody changes something there. */
export class Denied extends Error {
  override readonly name = 'Denied'
  readonly code: string
  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** A refusal as a value, named as in the endpoint's table, with a sentence for a person. */
export interface Refused<C extends string = string> {
  readonly refused: C
  readonly detail: string
  readonly errors?: readonly { readonly field: string; readonly message: string }[]
}

export const refuse = <const C extends string>(
  code: C,
  detail: string,
  errors?: readonly { field: string; message: string }[],
): Refused<C> => ({ refused: code, detail, ...(errors ? { errors } : {}) })

export const isRefused = (value: unknown): value is Refused =>
  typeof value === 'object' && value !== null && 'refused' in value && 'detail' in value

/** One line about any thrown thing. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
