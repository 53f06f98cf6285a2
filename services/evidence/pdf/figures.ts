/** A whole number with its thousands apart. */
export const count = (value: number): string => value.toString().replaceAll(/\B(?=(\d{3})+$)/g, ',')

/** The day of an instant, in UTC. */
export const day = (instant: string): string => instant.slice(0, 10)

/** An instant to the second, in UTC. */
export const instant = (text: string): string => `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`
