import { DAY_MS, HOUR_MS } from './window.ts'

/** An instant as a person reads it: `2026-11-22 14:05 UTC`. */
export const instant = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** A span in its largest sensible unit, rounded down: `3 days`, `5 hours`, `12 minutes`. */
export function span(ms: number): string {
  const [count, unit] =
    ms >= DAY_MS
      ? [Math.floor(ms / DAY_MS), 'day']
      : ms >= HOUR_MS
        ? [Math.floor(ms / HOUR_MS), 'hour']
        : [Math.floor(ms / 60_000), 'minute']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** `It expires on …, in 3 days.` */
export const expiresIn = (
  i: { readonly expires: number | null },
  { now }: { readonly now: number },
): string =>
  i.expires === null
    ? 'It has no expiry date.'
    : i.expires > now
      ? `It expires on ${instant(i.expires)}, in ${span(i.expires - now)}.`
      : `It expired on ${instant(i.expires)}, ${span(now - i.expires)} ago.`

/** `EC P-192`, `RSA 1024 bits`. */
export const keyOf = (k: {
  readonly algorithm: string | null
  readonly bits: number | null
  readonly curve: string | null
}): string =>
  [k.algorithm ?? 'an unknown algorithm', k.curve ?? (k.bits === null ? '' : `with ${k.bits} bits`)]
    .join(' ')
    .trim()
