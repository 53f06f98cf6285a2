import {
  type Actor,
  type Cause,
  type Counters,
  type Fact,
  fact,
  INSTALL,
  type ValidateRequest,
} from '@attestry/contracts'
import { type Host, iso, type Secret, Transient } from '@attestry/kit'
import { countsOf, sumOf, textOf } from './counts.ts'
import {
  advance,
  decideAnswer,
  decideFile,
  decideNone,
  decideSilence,
  decideTampered,
  isSetBack,
  NOTHING_YET,
  type Standing,
  whyNotThis,
} from './decide.ts'
import { begin, LICENSE } from './entitlement.ts'
import { askServer } from './license-server.ts'
import { openKey } from './seal.ts'
import { openAnswer, openFile, type VendorKeys } from './signed.ts'
import { type InstallRow, noteSeen, readInstall, writeInstall } from './store.ts'

export interface LicensingOptions {
  /** Where the licence service answers; null: nobody is asked. */
  readonly service: string | null
  /** The vendor's public keys. */
  readonly keys: VendorKeys
  /** A licence key of the configuration; it goes before one that was entered. */
  readonly key: Secret | null
  /** False: counts are never sent, whatever is chosen in the console. */
  readonly fleetVisibility: boolean
  readonly secretKey: Secret
  readonly random: (bytes: number) => Uint8Array
}

/** A decision is repeated so often when somebody else appended in between. */
const CONFLICTS = 5
const HOUR_MS = 3_600_000
/** Up to so much earlier or later, so that a fleet that was started together does not ask together. */
const JITTER_MS = 300_000

const WRONG = {
  'other-nonce': 'The answer was none to this question; perhaps an old one was played back.',
  'older-than-before': 'The answer is older than one that came before it.',
  'clock-set-back': 'This machine’s clock is behind by more than an hour; set it right.',
} as const

const install: Actor = { kind: 'install', id: 'licensing' }

export type Licensing = ReturnType<typeof createLicensing>

/** The licence of this install: its standing in the chain, its row, and the check that keeps the two true. */
export function createLicensing(host: Host, options: LicensingOptions) {
  let known: Standing = NOTHING_YET
  let position = 0

  /** What the chain says now, and how far that is. */
  async function look(): Promise<{ readonly standing: Standing; readonly position: number }> {
    for (const event of await host.stream(INSTALL, LICENSE, position)) {
      if (event.position <= position) continue
      known = advance(known, event)
      position = event.position
    }
    return { standing: known, position }
  }
  const standing = async (): Promise<Standing> => (await look()).standing

  /** Appends what a decision comes to, and decides anew when another process was faster. */
  async function record(
    decide: (standing: Standing) => readonly Fact[],
    by: Actor = install,
    cause: Cause = { correlation: 'licence-check', causation: 'licence-check' },
  ): Promise<void> {
    for (let turn = 0; turn < CONFLICTS; turn++) {
      const seen = await look()
      const facts = decide(seen.standing)
      if (facts.length === 0) return
      const { position: expected } = seen
      const appended = await host.append(INSTALL, { stream: LICENSE, expected, facts, by, cause })
      if (appended.ok) return
    }
    throw new Transient('Another process keeps writing the licence.')
  }

  /** The key in use, and why there is none where one is stored. */
  function keyOf(row: InstallRow): { key: Secret | null; problem: string | null } {
    if (options.key) return { key: options.key, problem: null }
    if (row.keySealed === null) return { key: null, problem: null }
    const key = openKey(row.keySealed, options.secretKey)
    return {
      key,
      problem: key
        ? null
        : 'The stored key cannot be opened: SECRET_KEY is another one. Enter the key again.',
    }
  }

  /** Counts of the whole install, and the rotations that people asked for this month. */
  async function counts(): Promise<{ counts: Counters; manualRotations: number }> {
    const all = []
    for (const tenant of await host.tenants())
      all.push(await host.tx(tenant, (tx) => countsOf(tx, iso(host.clock.now()))))
    return {
      counts: sumOf(all.map((c) => c.counts)),
      manualRotations: all.reduce((sum, c) => sum + c.manualRotations, 0),
    }
  }

  /** The text of counts that the next check sends; null where they are not sent. */
  async function stats(): Promise<string | null> {
    const { preferences } = await standing()
    return options.fleetVisibility && preferences.fleetVisibility ? textOf((await counts()).counts) : null
  }

  const requestOf = (row: InstallRow, key: string, nonce: string, text: string | null): ValidateRequest => ({
    key,
    install: row.install,
    version: host.productVersion,
    nonce,
    kids: Object.keys(options.keys).slice(0, 8),
    ...(text === null ? {} : { stats: text }),
  })

  /** When to ask next: in an hour, give or take five minutes. */
  const nextAt = (now: Temporal.Instant): string => {
    const [high = 0, low = 0] = options.random(2)
    const share = (high * 256 + low) / 65_535
    return iso(now.add({ milliseconds: Math.round(HOUR_MS - JITTER_MS + 2 * JITTER_MS * share) }))
  }

  /** A loaded file is looked at as often as a server would be asked: it may have been changed, or the clock. */
  async function checkFile(row: InstallRow, text: string, now: Temporal.Instant): Promise<void> {
    const file = openFile(text, options.keys)
    if (!file || file.install !== row.install) await record((s) => decideTampered(s, 'answer-altered'))
    else if (isSetBack(row.seenAt, now)) await record((s) => decideTampered(s, 'clock-set-back'))
    else await record((s) => decideFile(s, file))
  }

  /** No answer came, or none that counts: what was answered last decides, if nobody changed it. */
  async function goOnWithout(row: InstallRow, now: Temporal.Instant): Promise<void> {
    if (isSetBack(row.seenAt, now)) return record((s) => decideTampered(s, 'clock-set-back'))
    const last = row.answer === null ? null : openAnswer(row.answer, options.keys, row.install)
    const isOurs =
      last !== null && row.lastIat !== null && Temporal.Instant.compare(last.iat, row.lastIat) === 0
    if (row.answer !== null && !isOurs) await record((s) => decideTampered(s, 'answer-altered'))
    await record((s) => decideSilence(s, isOurs ? last : null, now))
  }

  async function askAndDecide(row: InstallRow, key: Secret, now: Temporal.Instant, signal: AbortSignal) {
    const nonce = Buffer.from(options.random(16)).toString('hex')
    const text = await stats()
    const heard = options.service
      ? await askServer(options.service, requestOf(row, key.text(), nonce, text), signal)
      : { problem: 'No licence service is configured: ATTESTRY_LICENSE_URL.' }
    const answer = 'text' in heard ? openAnswer(heard.text, options.keys, row.install) : null
    const wrong = answer && whyNotThis(answer, { nonce, lastIat: row.lastIat }, now)
    if (!answer || wrong || !('text' in heard)) {
      const problem =
        'problem' in heard
          ? heard.problem
          : wrong
            ? WRONG[wrong]
            : 'The answer carries no signature of a key that this install trusts.'
      await writeInstall(host, { problem })
      if (wrong === 'clock-set-back') return record((s) => decideTampered(s, 'clock-set-back'))
      return goOnWithout(row, now)
    }
    const names = text === null ? '' : Object.keys(JSON.parse(text) as object).join(' ')
    await writeInstall(host, {
      answer: heard.text,
      lastIat: answer.iat,
      lastAnswerAt: iso(now),
      // The vendor's time has just been seen: a clock that was ahead before and is right now is no fault.
      seenAt: iso(now),
      problem:
        answer.stats === 'accepted' || answer.stats === 'none' || answer.verdict === 'INVALID'
          ? null
          : `The counts were refused: ${answer.stats}.`,
      sent: names,
    })
    await record((s) => [
      ...decideAnswer(s, answer, now),
      ...(text !== null && names !== row.sent && answer.stats === 'accepted'
        ? [
            fact('licensing.stats-sent', {
              bytes: Buffer.byteLength(text),
              counters: names.split(' ').length,
            }),
          ]
        : []),
    ])
  }

  /** One check: asks, verifies, and records what changed. Bears to be done again, and by two processes at once. */
  async function check(signal: AbortSignal): Promise<void> {
    const now = host.clock.now()
    const row = await readInstall(host)
    const { key, problem } = keyOf(row)
    await writeInstall(host, { lastAttemptAt: iso(now), nextAttemptAt: nextAt(now) })
    if (key) await askAndDecide(row, key, now, signal)
    else if (row.file !== null) await checkFile(row, row.file, now)
    else if (problem !== null) {
      await writeInstall(host, { problem })
      await goOnWithout(row, now)
    } else await record(decideNone)
    await host.tx(INSTALL, (tx) => noteSeen(tx, now))
  }

  return {
    standing,
    record,
    counts,
    stats,
    check,
    keyOf,
    requestOf,
    /** Records the evaluation at the first start of all. */
    begin: () => record((s) => begin(s.entitlement)),
    row: () => readInstall(host),
    write: (change: Partial<InstallRow>) => writeInstall(host, change),
  }
}
