const SUBSCRIPTION = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Subscription ids from a text: split at lines, spaces and commas, each once; what is none is named. */
export function readSubscriptions(text: string): { ids: readonly string[]; wrong: readonly string[] } {
  const parts = [...new Set(text.split(/[\s,;]+/).filter((part) => part !== ''))]
  return {
    ids: parts.filter((part) => SUBSCRIPTION.test(part)).map((id) => id.toLowerCase()),
    wrong: parts.filter((part) => !SUBSCRIPTION.test(part)),
  }
}

/** Schedules to choose from, hours; null is only by hand. */
export const SCHEDULES: readonly (readonly [hours: number | null, text: string])[] = [
  [1, 'every hour'],
  [6, 'every 6 hours'],
  [12, 'every 12 hours'],
  [24, 'every day'],
  [168, 'every week'],
  [null, 'only by hand'],
]
