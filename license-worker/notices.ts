/** Days before the end of a licence at which its contact is told; 0 tells that it has ended. */
export const NOTICE_DAYS = [30, 14, 7, 1, 0] as const

export type NoticeKind = `${(typeof NOTICE_DAYS)[number]}-days`

const DAY_MS = 86_400_000

/**
 * The notice that is due for a licence's end, or null. Only the latest one: a service that slept for a week tells
 * once, and what was told is not told again.
 */
export function dueNotice(expiresAt: string, told: readonly string[], now: Date): NoticeKind | null {
  const left = Date.parse(expiresAt) - now.getTime()
  // What ended more than a month ago is no news to anybody.
  if (left < -30 * DAY_MS) return null
  const days = NOTICE_DAYS.findLast((d) => left <= d * DAY_MS)
  if (days === undefined) return null
  const kind: NoticeKind = `${days}-days`
  return told.includes(kind) ? null : kind
}

/** The mail of a notice. It names the licence by the readable beginning of its key. */
export function noticeText(
  kind: NoticeKind,
  license: { readonly prefix: string; readonly expiresAt: string; readonly tier: string },
): { subject: string; text: string } {
  const day = license.expiresAt.slice(0, 10)
  const over = kind === '0-days'
  return {
    subject: over ? `Your Attestry licence ended on ${day}` : `Your Attestry licence ends on ${day}`,
    text: [
      `Your ${license.tier} licence ${license.prefix}… ${over ? 'ended' : 'ends'} on ${day} (UTC).`,
      '',
      over
        ? 'Nothing that runs was stopped. New rotations and copies are not started; reading, evidence and export work on.'
        : 'After that day new rotations and copies are not started. Reading, evidence and export work on, and what runs is finished.',
      '',
      'To go on, answer this mail.',
    ].join('\n'),
  }
}
