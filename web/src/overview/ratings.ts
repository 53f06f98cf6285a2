import type { Rating } from '@attestry/contracts'

export const RATING_WORDS: Readonly<Record<Rating, string>> = {
  strong: 'Strong',
  healthy: 'Healthy',
  'significant-gaps': 'Significant gaps',
  weak: 'Weak',
  'insufficient-evidence': 'Insufficient evidence',
}

/** The bands of the score, from worst to best: where each begins, in percent. */
export const BANDS = [
  { rating: 'weak', from: 0 },
  { rating: 'significant-gaps', from: 50 },
  { rating: 'healthy', from: 75 },
  { rating: 'strong', from: 90 },
] as const satisfies readonly { rating: Rating; from: number }[]

/** What moved the score, in a sentence. */
export function movedSays(moved: {
  readonly opened: number
  readonly resolved: number
  readonly reopened: number
  readonly rulesChanged: boolean
}): string {
  const parts = [
    moved.opened > 0 ? `${moved.opened} opened` : null,
    moved.resolved > 0 ? `${moved.resolved} resolved` : null,
    moved.reopened > 0 ? `${moved.reopened} came back` : null,
    moved.rulesChanged ? 'the rules changed' : null,
  ].filter((part) => part !== null)
  return parts.length === 0 ? 'nothing changed' : parts.join(', ')
}

/** How far the score moved since the evaluation before, in points; null without two scores. */
export function step(trend: readonly { readonly score: number | null }[]): number | null {
  const [before, now] = trend.slice(-2)
  if (!before || !now || before.score === null || now.score === null) return null
  return Math.round((now.score - before.score) * 100) / 100
}
