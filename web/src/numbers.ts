const whole = new Intl.NumberFormat('en')

/** 12345 as `12,345`. */
export const count = (n: number): string => whole.format(n)

/** `1 finding`, `12,345 findings`. */
export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`

/** A percentage with one digit, truncated: 89.96 shows as 89.9, because it is not yet 90. */
export const percent = (value: number): string => (Math.trunc(value * 10 + 1e-9) / 10).toFixed(1)

/** Bytes as `1.4 MB`. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`
  if (n < 1_000_000) return `${(n / 1000).toFixed(1)} kB`
  return `${(n / 1_000_000).toFixed(1)} MB`
}
