import type { PolicyRow } from '@attestry/contracts/http'

/** What keeps a policy from being carried out by itself, for people: each with what would change it. Pure. */
interface Reason {
  readonly says: string
  /** It holds the policy up; otherwise it is only worth knowing. */
  readonly holds: boolean
}

/** A policy whose last rotation ended otherwise than complete is left alone for so long, milliseconds. */
const AFTER_FAILURE_MS = 24 * 3_600_000

export interface Settings {
  readonly writes: boolean
  readonly entitled: boolean
}

export function whyNot(row: PolicyRow, settings: Settings | undefined, now: number): readonly Reason[] {
  const reasons: Reason[] = []
  const holds = (says: string): unknown => reasons.push({ says, holds: true })
  const notes = (says: string): unknown => reasons.push({ says, holds: false })
  if (!row.enabled) {
    holds('It is disabled. Save it anew to enable it.')
    return reasons
  }
  if (settings && !settings.entitled) holds('The licence does not let rotations begin.')
  if (settings && !settings.writes) holds('Writing to the cloud is switched off.')
  if (row.running)
    notes(
      row.running.stage === 'awaiting-approval'
        ? 'Its rotation waits for approval; no other begins meanwhile.'
        : 'A rotation is at work; no other begins meanwhile.',
    )
  const last = row.last
  if (last && last.stage !== 'complete' && Date.parse(last.endedAt) + AFTER_FAILURE_MS > now)
    holds('Its last rotation did not complete. By itself it is tried again a day later; by hand at any time.')
  const inVault = row.subject.kind === 'key' || row.subject.kind === 'certificate'
  if (!inVault && row.settings.targets.length === 0 && row.matches.verified === 0)
    holds('It names no vault for the new value, and no match is verified.')
  if (row.dueAt === null)
    notes('Neither start nor end of the credential is known, so it is never due by itself. Plan it by hand.')
  else if (Date.parse(row.dueAt) > now && !row.running) notes('It is not due yet.')
  if (row.matches.proposed > 0)
    notes('Some matches wait for a verdict; until then it is not sure which secret holds the credential.')
  return reasons
}
