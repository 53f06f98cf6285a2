import { Problem } from '@attestry/contracts/http'

/** A refused or failed request, as RFC 9457 problem details. Thrown by every operation of `api.ts`. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  constructor(problem: Problem, options: { cause?: unknown } = {}) {
    super(problem.detail, options)
    this.problem = problem
  }
}

/** Codes that the console itself makes, where no server spoke. */
export const OFFLINE = 'offline'
export const TOO_SLOW = 'no-answer-in-time'
export const STRANGE_REPLY = 'unexpected-reply'

const own = (code: string, title: string, detail: string): Problem => ({
  type: `about:blank#${code}`,
  title,
  status: 0,
  detail,
  code,
})

/** The server could not be reached at all. */
export const offline = (far = 'the Attestry gateway'): Problem =>
  own(OFFLINE, 'Not reachable', `This page cannot reach ${far}.`)

/** The server did not answer within the deadline. */
export const tooSlow = (seconds: number, far: string): Problem =>
  own(TOO_SLOW, 'No answer in time', `No answer of ${far} within ${seconds} seconds.`)

/** The reply is not what the contract says: console and server are of different versions, or a proxy answered. */
export const strangeReply = (status: number, detail: string): Problem => ({
  ...own(STRANGE_REPLY, 'Unexpected reply', detail),
  status,
})

/** Reads a refusal's body. Anything that is not a problem document becomes one that says so. */
export function problemFrom(status: number, body: unknown, far = 'the Attestry gateway'): Problem {
  const parsed = Problem.safeParse(body)
  return parsed.success
    ? parsed.data
    : strangeReply(status, `${status} came from ${far} without a reason. A proxy may have answered instead.`)
}

/** Any thrown thing as a problem, so that every failure can be shown in one way. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof ProblemError) return thrown.problem
  return own(
    'console-failed',
    'The console failed',
    thrown instanceof Error ? thrown.message : String(thrown),
  )
}

const STEPS: Readonly<Record<string, string>> = {
  [OFFLINE]: 'Check that the service runs and that your network reaches it. This page tries again by itself.',
  [TOO_SLOW]: 'Try again. If it stays slow, Operations shows which service lags.',
  [STRANGE_REPLY]:
    'Reload the page: the console may be older than the server. If it stays, read the gateway’s log.',
  'console-failed': 'Reload the page. If it happens again, report it with the text above.',
  'not-signed-in': 'Sign in again; your work is kept in the address of this page.',
  'role-missing': 'Ask a tenant administrator for the role, or for somebody who has it.',
  'not-licensed': 'Settings › Licence shows what this install may do.',
  reauthenticate: 'Prove your password again, then repeat the action.',
  'wrong-name-or-password': 'Check name and password. Capital letters count.',
  locked: 'Wait 15 minutes, or ask a tenant administrator to enable the account in Settings.',
  'too-many-sign-ins': 'Wait a minute, then try again.',
  'same-password': 'Choose a password that differs from the present one.',
  'name-taken': 'Choose another name.',
  'last-administrator': 'Give another operator the tenant administrator role first.',
  'already-running': 'Wait for the one that runs, or end it first.',
  'already-building': 'Wait for the bundle that is building, or cancel it first.',
  'same-person': 'Somebody else has to approve what you asked for. Ask a colleague who may.',
  'writes-off': 'A tenant administrator switches writing on, at the top of the page Rotation.',
  'plan-changed': 'Look at the plan as it is now, then ask for it or approve it again.',
  'plan-expired': 'Make a new plan from its policy.',
  'already-approved': 'Somebody else has to approve as well.',
  'never-open': 'Change the window in the policy’s terms, or lift the freeze, then plan again.',
  'cannot-look': 'Look at the identity’s rights and at the vault’s firewall, then plan again.',
  'credential-gone': 'Scan, then make a policy for the credential that took its place.',
  'targets-missing': 'Name a vault in the policy’s terms, or verify a match.',
  'slot-unknown': 'Store the key in use in the vault that the policy names, then plan again.',
  'too-many-credentials': 'Remove credentials of the principal that nobody uses, then plan again.',
  'no-way-back': 'Go on, or take it over by hand; a new rotation replaces what is there now.',
  'credential-has-policy': 'Change the terms of the policy that it has.',
  'credential-not-rotatable': 'Choose a credential of another kind.',
  'policy-disabled': 'Make the policy anew, then plan.',
  'rotation-over': 'Reload the page to see how it ended.',
  'listing-too-large': 'List the vaults alone, as the hint says, and import that.',
  'outside-your-scope': 'Your link shows single bundles. Ask whoever sent it for more.',
  'link-opens-nothing': 'The link was used, revoked, or its time is over. Ask for a new one.',
  'one-time-password-expired': 'Ask an administrator to reset it; a new one is shown to them.',
  'already-verifying': 'A verification is running. Its result will be there in a moment.',
  'too-many-subscriptions':
    'Settings › Licence shows the limit and what is used of it. What is there already stays and works.',
  'too-many-users': 'Settings › Licence shows the limit. Whoever may sign in now still may.',
  'too-many-rotations':
    'Settings › Licence shows the limit. Policies go on, and break-glass is never refused.',
  'too-many-vaults': 'Narrow the environment’s scope in Settings, or use a licence with a higher limit.',
  'demonstration-takes-no-real-connection':
    'Start a fresh install without the embedded demonstration and connect it there.',
  'scan-running': 'Cancel the running scan first.',
  'period-reversed': 'Choose a start that lies before the end.',
  'period-in-future': 'Choose an end that is not in the future.',
  'not-sealed': 'Wait until the bundle is sealed.',
  'bundle-file-missing':
    'Build the bundle again: its file is gone from the disk; the ledger still has the facts.',
}

/** What a person can do about a problem, in one sentence. */
export function nextStep(problem: Problem): string {
  const known = STEPS[problem.code]
  if (known) return known
  if (problem.status === 404) return 'It may have been removed. Go back to the list.'
  if (problem.status === 409) return 'It changed meanwhile. Reload and look again.'
  if (problem.status === 400) return 'Correct what is named and try again.'
  if (problem.status === 429) return 'Wait a minute, then try again.'
  if (problem.status >= 500 || problem.status === 503)
    return 'Try again in a moment. If it stays, Operations shows which service is in trouble.'
  return 'Try again, or ask a tenant administrator.'
}
