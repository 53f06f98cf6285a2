import type { RotationDetail, RotationRow } from '@attestry/contracts/http'
import { iso } from './answers.fixture.ts'

export const HASH = 'a1b2c3d4'.repeat(8)
export type Line = RotationDetail['record'][number]
export const KEY = 'b7c8d9e0-1111-4222-8333-444455556666'
/** What each stage leaves in the record of a rotation that goes the straight way. */
const LEAVES: Readonly<
  Record<string, readonly (readonly [type: string, says: string, proof: string | null])[]>
> = {
  planned: [
    [
      'planned',
      'A plan was made: the snapshot that binds it, and its hash. Nothing was changed.',
      `Bound to ${HASH.slice(0, 12)}…, over 1 credential of the principal`,
    ],
    ['dependents-planned', 'Who uses the credential, under the plan’s hash.', '2 dependents'],
  ],
  'awaiting-approval': [
    ['requested', 'Somebody asked for a plan to be carried out.', 'Change ticket CHG-4711'],
  ],
  scheduled: [
    ['scheduled', 'A rotation will begin at this instant, or in the window that opens then.', null],
  ],
  issuing: [
    [
      'preflight-passed',
      'Every precondition holds; from here on things may be changed.',
      '6 checks, 1 warning',
    ],
    ['issue-intended', 'A new credential is about to be issued, proved and stored.', 'Attempt 1'],
  ],
  verifying: [
    [
      'credential-issued',
      'A new credential exists and was proved to work where that can be proved before it is published.',
      'Key id 0d1e2f3a-5555-4666-8777-888899990000, ends 2027-03-11 06:55 UTC',
    ],
    [
      'credential-stored',
      'A vault serves the new value.',
      'settlement-client in kv-payments-prod, version 5f4e3d2c1b0a49388776655443322110',
    ],
  ],
  cutover: [
    ['credential-verified', 'What the vaults serve was read back and works.', '1 sign-in or read worked'],
    [
      'dependent-confirmed',
      'A dependent uses the new value: read back, or confirmed by a person.',
      'app-settlement-stage (SETTLEMENT_SECRET): read back',
    ],
  ],
  grace: [
    [
      'grace-entered',
      'Old and new credential both work until this instant at least.',
      'Until 2026-11-27 07:02 UTC',
    ],
  ],
  complete: [
    ['credential-retired', 'An old credential is gone.', `Key id ${KEY}`],
    [
      'completed',
      'A rotation ended with the new credential in use and the old one retired.',
      '2 of 2 dependents confirmed',
    ],
  ],
  'rolling-back': [
    [
      'rollback-intended',
      'What the rotation has changed is about to be taken back.',
      'The feed fails since the switch.',
    ],
    ['values-restored', 'Every vault that served the new value serves the old one again.', '1 vault'],
  ],
}
export const WAY = [
  'planned',
  'awaiting-approval',
  'scheduled',
  'issuing',
  'verifying',
  'cutover',
  'grace',
  'complete',
] as const

/** The lines of a rotation that came to a stage the straight way, five minutes from stage to stage. */
export function linesTo(r: RotationRow): Line[] {
  const end = WAY.indexOf(r.stage as (typeof WAY)[number])
  return WAY.slice(0, end + 1).flatMap((stage, n) =>
    leaves(stage, Date.parse(r.plannedAt) + n * 300_000, n * 10),
  )
}
export const leaves = (stage: string, at: number, seq: number): Line[] =>
  (LEAVES[stage] ?? []).map(([type, says, proof], n) => ({
    at: iso(at),
    type,
    by: stage === 'planned' || stage === 'awaiting-approval' ? 'schedule-rotations' : 'rotation',
    seq: 41 + seq + n,
    says,
    proof,
  }))
export const SAYS: Readonly<Record<string, string>> = {
  planned: 'Planned. Nothing happens until somebody asks for it.',
  'awaiting-approval': 'Waits for approval by another person.',
  scheduled: 'Waits for its window to open.',
  issuing: 'Issues the new credential and proves it for at least a minute before a vault serves it.',
  verifying: 'Reads back what the vaults serve.',
  cutover: 'Switches a dependent.',
  grace: 'Old and new credential both work until the grace ends.',
  complete: 'The new credential is in use, and the old one is gone.',
  'rolling-back': 'Waits until nobody can hold the value that is about to go.',
}
