import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { gatewayHttp, type PolicyRow, type RotationDetail, rotationHttp } from '@attestry/contracts/http'
import { pause } from '@attestry/kit'
import * as z from 'zod'
import { type Client, createClient, RequestRefused } from './client.ts'
import { newLines, type Outcome, outcomeOf, planLines, standing } from './plan-text.ts'
import { BadOption } from './bad-option.ts'

/* Rotations from the command line: a plan that changes nothing, and a plan carried out by its hash. */

export interface SignIn {
  /** Where the gateway answers. */
  readonly url: string
  readonly name: string
  /** Undefined: it is asked for, where a person sits there. */
  readonly password: string | undefined
}

/** What ends a command that was interrupted, as shells have it. */
const INTERRUPTED = 130
/** Between two looks at a rotation, milliseconds: close at first, then as one looks at something that waits. */
const CLOSE_MS = 1000
const FAR_MS = 15_000
const CLOSE_LOOKS = 600
/** Looks before a command stops to follow: about eight hours, which is as long as a sign-in holds. */
const MOST_LOOKS = 2500

/** A plan as a file holds it between the two commands. */
const PlanFile = z.object({ rotation: z.string(), planHash: z.string().regex(/^[0-9a-f]{64}$/) })
const PlanText = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      context.addIssue('is no JSON')
      return z.NEVER
    }
  })
  .pipe(PlanFile)

async function passwordOf(given: string | undefined): Promise<string> {
  if (given !== undefined) return given
  if (!process.stdin.isTTY) throw new BadOption('The password is missing: set ATTESTRY_PASSWORD')
  // Without an output readline shows nothing of what is typed.
  process.stderr.write('Password: ')
  const ask = createInterface({ input: process.stdin, terminal: true })
  try {
    return await ask.question('')
  } finally {
    ask.close()
    process.stderr.write('\n')
  }
}

/** Signs in and proves the password, which asking for a rotation wants. */
async function signedIn({ url, name, password }: SignIn, signal: AbortSignal): Promise<Client> {
  const api = createClient(url, signal)
  const secret = await passwordOf(password)
  api.token = (await api.call(gatewayHttp.login, { body: { name, password: secret, as: 'bearer' } })).token
  const { token } = await api.call(gatewayHttp.reauthenticate, { body: { password: secret } })
  if (token) api.token = token
  return api
}

async function policyOf(
  api: Client,
  wish: { readonly policy: string | undefined; readonly credential: string | undefined },
): Promise<PolicyRow> {
  const list = (query: Record<string, string>) =>
    api.call(rotationHttp.listPolicies, { query: { limit: '1000', state: 'enabled', ...query } })
  const { policy, credential } = wish
  if (credential !== undefined) {
    const [row] = (await list({ credential })).items
    if (!row) throw new BadOption(`No policy rotates the credential ${credential}`)
    return row
  }
  if (policy === undefined) throw new BadOption('plan needs --policy or --credential')
  if (policy.startsWith('policy-')) {
    const [row] = (await list({ policy })).items
    if (row) return row
  }
  const named = (await list({ search: policy })).items.filter((p) => p.subject.name === policy)
  const [only, ...more] = named
  if (!only) throw new BadOption(`No policy is called ${policy}`)
  if (more.length > 0)
    throw new BadOption(
      `${named.length} policies are called ${policy}: name one by its id (${named.map((p) => p.policy).join(', ')})`,
    )
  return only
}

export interface PlanWish {
  readonly policy: string | undefined
  readonly credential: string | undefined
  readonly compromise: boolean
  readonly json: boolean
  /** Where the plan's name and hash are written, for `apply`. */
  readonly out: string | undefined
}

/** Plans a rotation and prints what it would change where. Nothing is changed by it. */
export async function planCommand(
  sign: SignIn,
  wish: PlanWish,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<0> {
  const api = await signedIn(sign, signal)
  const { policy } = await policyOf(api, wish)
  const detail = await api.call(rotationHttp.planRotation, {
    body: { policy, mode: wish.compromise ? 'compromise' : 'normal' },
  })
  const { rotation, planHash } = detail
  if (wish.out !== undefined) await writeFile(wish.out, `${JSON.stringify({ rotation, planHash })}\n`)
  if (wish.json) {
    say(JSON.stringify(detail, null, 2))
    return 0
  }
  for (const line of planLines(detail)) say(line)
  say('')
  say(`Nothing was changed. To carry it out: attestry apply ${wish.out ?? `${rotation} ${planHash}`}`)
  return 0
}

export interface ApplyWish {
  /** A file that `plan` wrote, or a rotation and its hash. */
  readonly plan: readonly string[]
  readonly ticket: string | undefined
  readonly incident: string | undefined
  readonly breakGlass: string | undefined
  /** Follow through waits for a time, such as the grace. */
  readonly wait: boolean
  readonly json: boolean
}

async function planOf([first, hash]: readonly string[]): Promise<z.infer<typeof PlanFile>> {
  if (first === undefined)
    throw new BadOption('apply needs a plan: a file of `plan --out`, or a rotation and its hash')
  const parsed =
    hash === undefined
      ? PlanText.safeParse(await readFile(first, 'utf8'))
      : PlanFile.safeParse({ rotation: first, planHash: hash })
  if (!parsed.success)
    throw new BadOption(`${first} is no plan: it needs a rotation and the 64 digits of its hash`)
  return parsed.data
}

/**
 * Asks for a plan to be carried out, by its hash, and follows it. A plan that was asked for already is only followed.
 * Exit 0: complete. 1: it ended otherwise. 2: it could not be asked for. 3: it waits for a time. 4: it waits for a
 * person. 130: interrupted; the rotation goes on.
 */
export async function applyCommand(
  sign: SignIn,
  wish: ApplyWish,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Outcome | typeof INTERRUPTED> {
  const { rotation, planHash } = await planOf(wish.plan)
  const api = await signedIn(sign, signal)
  const before = await api.call(rotationHttp.readRotation, { params: { rotation } })
  if (before.planHash !== planHash)
    throw new BadOption(
      'The plan changed: its hash is not the one given. Look at it again before it is applied',
    )
  const detail =
    before.stage === 'planned'
      ? await api.call(rotationHttp.requestRotation, {
          params: { rotation },
          body: {
            planHash,
            ticket: wish.ticket ?? null,
            incident: wish.incident ?? null,
            breakGlass: wish.breakGlass ?? null,
          },
        })
      : before
  try {
    return await follow(api, detail, wish, say, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    say(`Interrupted. The rotation goes on by itself: ${new URL(`/rotation/${rotation}`, sign.url).href}`)
    say(`To follow it again: attestry apply ${rotation} ${planHash}`)
    return INTERRUPTED
  }
}

async function follow(
  api: Client,
  first: RotationDetail,
  wish: Pick<ApplyWish, 'wait' | 'json'>,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  let told = 0
  const tell = (detail: RotationDetail): Outcome | null => {
    if (!wish.json) for (const line of newLines(detail, told)) say(line)
    told = detail.record.length
    const outcome = outcomeOf(detail, Date.now())
    if (outcome === null || (outcome === 3 && wish.wait)) return null
    say(wish.json ? JSON.stringify(detail, null, 2) : standing(detail))
    return outcome
  }
  const { rotation } = first
  let outcome = tell(first)
  for (let look = 0; outcome === null; look++) {
    if (look >= MOST_LOOKS) throw new Error(`Nothing more is heard of ${rotation}; it goes on by itself`)
    await pause(look < CLOSE_LOOKS ? CLOSE_MS : FAR_MS, signal)
    signal.throwIfAborted()
    try {
      outcome = tell(await api.call(rotationHttp.readRotation, { params: { rotation } }))
    } catch (error) {
      // A gateway that is restarted meanwhile takes nothing from the rotation; a refusal is an answer.
      if (error instanceof RequestRefused || signal.aborted) throw error
    }
  }
  return outcome
}
