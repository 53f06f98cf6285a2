import { type AnswerPayload, isLicenseKey, REQUEST_BYTES, ValidateRequest } from '@attestry/contracts'
import { answerOf, payloadTo } from './answer.ts'
import { parseJson, readText } from './body.ts'
import { verdictOf } from './judge.ts'
import { forget, isKnown, know } from './known.ts'
import { isPlainRequest } from './plain.ts'
import { problem } from './problem.ts'
import { digestOf, recordName, seatOf } from './projection.ts'
import { FORGET_AFTER_SECONDS, fromMetadata, nextWrite, seenName, toMetadata } from './seen.ts'
import { signText } from './sign.ts'
import { readStored, type Rest } from './stored.ts'
import { readStats } from './stats.ts'

/** The Durable Object there is one of. */
export const REGISTRY = 'registry'

/** Status and headers of each answer, made once: headers made anew cost as much as the rest of a response. */
const ANSWER = new Response(null, {
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
})

/** What a check needs of the outside. */
export interface Outside {
  readonly env: Env
  /** Milliseconds since 1970. */
  readonly now: number
  /** Who asks, as the edge says. Used to count requests and kept nowhere. */
  readonly address: string
  /** Work that goes on after the answer. */
  readonly later: (work: Promise<unknown>) => void
}

const latestOf = (env: Env): AnswerPayload['latest'] =>
  env.LATEST_VERSION === '' ? null : { version: env.LATEST_VERSION, notice: env.LATEST_NOTICE }

const tooMany = () =>
  problem('too-many', 'too-many-requests', 'Too many licence checks; try again in a minute.')

const wrong = (errors: readonly { field: string; message: string }[]): Response =>
  problem('invalid', 'bad-field', errors.map((e) => `${e.field}: ${e.message}`).join('; '), errors)

/** The request in a body, or what is wrong with it. */
function askedIn(text: string): ValidateRequest | Response {
  const parsed = parseJson(text)
  if (parsed instanceof Response) return parsed
  const { value } = parsed
  if (isPlainRequest(value)) return value
  const { data, error } = ValidateRequest.safeParse(value)
  if (error)
    return wrong(error.issues.map((i) => ({ field: i.path.join('.') || 'body', message: i.message })))
  // Only the one spelling: an install normalises what people type.
  return isLicenseKey(data.key)
    ? data
    : wrong([{ field: 'key', message: 'not a licence key; perhaps a character is wrong' }])
}

/**
 * One licence check. The same steps for every key that is well formed: two counts, one read, one signature; so an
 * unknown key and a revoked one, which is removed from KV, cannot be told apart by the answer or by its time. What
 * is written is written after the answer.
 */
export async function validate(request: Request, outside: Outside): Promise<Response> {
  const { env, now, later } = outside
  if (!(await env.BY_ADDRESS.limit({ key: outside.address })).success) return tooMany()
  const text = await readText(request, REQUEST_BYTES)
  if (text instanceof Response) return text
  const asked = askedIn(text)
  if (asked instanceof Response) return asked
  const keyDigest = await digestOf(asked.key)
  if (!(await env.BY_KEY.limit({ key: keyDigest })).success) return tooMany()

  const stored = readStored(await env.LICENSES.get(recordName(keyDigest), 'text'))
  const { record } = stored
  let verdict = verdictOf(record, now)
  if (record && verdict === 'VALID' && !record.seats.includes(seatOf(asked.install))) {
    const seated = await env.REGISTRY.getByName(REGISTRY).takeSeat(record.license, asked.install, {
      at: new Date(now).toISOString(),
      keyDigest,
      version: asked.version,
    })
    if (!seated) verdict = 'TOO_MANY_INSTALLS'
    forget(seenName(record.license, asked.install))
  }

  const stats = asked.stats === undefined ? null : readStats(asked.stats)
  const outcome = stats === null ? 'none' : 'refused' in stats ? stats.refused : 'accepted'
  // Of a stranger's counts nothing is told: they were not even looked at.
  const rest: Rest = record ? { stats: outcome, latest: latestOf(env) } : { stats: 'none', latest: null }
  const { payload, within } = payloadTo(stored.saying(verdict, rest), asked, now)
  const signature = await signText(payload, env.SIGNING_KEYS, asked.kids)
  // Only an install that has a place: nobody else can make an entry.
  if (record && (verdict === 'VALID' || record.seats.includes(seatOf(asked.install)))) {
    const name = seenName(record.license, asked.install)
    const at = Math.floor(now / 1000)
    const counts = stats !== null && 'counts' in stats ? stats.counts : null
    const heard = { at, version: asked.version, counts }
    if (!isKnown(name, heard)) later(remember(env, name, heard, { keyDigest, verdict }))
  }
  return new Response(answerOf(within, signature), ANSWER)
}

/** Writes that an install was seen, if there is anything new in it. A failure costs a line of a list, no answer. */
async function remember(
  env: Env,
  name: string,
  heard: Parameters<typeof nextWrite>[1],
  check: { readonly keyDigest: string; readonly verdict: string },
): Promise<void> {
  try {
    const { metadata } = await env.LICENSES.getWithMetadata(name)
    const before = fromMetadata(metadata)
    const next = nextWrite(before, heard)
    if (!next) {
      if (before) know(name, before)
      return
    }
    await env.LICENSES.put(name, '', {
      metadata: toMetadata(next.seen),
      expirationTtl: FORGET_AFTER_SECONDS,
    })
    know(name, next.seen)
    if (next.log)
      await env.REGISTRY.getByName(REGISTRY).logValidation({
        at: new Date(heard.at * 1000).toISOString(),
        keyDigest: check.keyDigest,
        verdict: check.verdict,
        version: heard.version,
      })
  } catch (error) {
    // Two replicas in one second: KV takes one write, and the next heartbeat brings the other.
    // oxlint-disable-next-line no-console -- the only log there is: a name, never what it was about
    console.error('not remembered', error instanceof Error ? error.name : 'unknown')
  }
}
