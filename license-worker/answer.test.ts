import { AnswerPayload, LicenseVerdict, StatsOutcome, TIERS } from '@attestry/contracts'
import { expect, test } from 'vitest'
import { answerOf, payloadTo, sayingOf } from './answer.ts'
import { INSTALL, LATER } from './for-tests.ts'
import { termsOf } from './judge.ts'
import type { Projection } from './projection.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-26T10:20:30.405Z')
const asked = { install: INSTALL, nonce: 'ab'.repeat(16) }
const recordOf = (tier: Projection['tier']): Projection => ({
  license: 'lic-00000001',
  tier,
  suspended: false,
  expiresAt: LATER,
  installs: null,
  seats: [],
})
/** Whatever a vendor may write. */
const NOTICES = [
  'Mends a fault.',
  '',
  '"iat":"x"',
  'a \\ and a "\\"" \n\u0000\u2028',
  'é → 🔑',
  '\uD83D',
  '</script>${1}',
]
const LATEST = [null, ...NOTICES.map((notice) => ({ version: '1.0.1', notice }))]

test('an answer in pieces is to the letter what JSON makes of the whole', () => {
  const records = [null, ...(Object.keys(TIERS) as Projection['tier'][]).map(recordOf)]
  let checked = 0
  for (const record of records)
    for (const verdict of LicenseVerdict.options)
      for (const stats of StatsOutcome.options)
        for (const latest of LATEST) {
          const terms = termsOf(record, verdict)
          const { payload, within } = payloadTo(sayingOf(terms, { stats, latest }), asked, NOW)
          const whole = {
            ...terms,
            iat: '2026-11-26T10:20:30.405Z',
            exp: '2026-12-03T10:20:30.405Z',
            ...asked,
            stats,
            latest,
          } satisfies AnswerPayload
          expect(payload).toBe(JSON.stringify(whole))
          expect(AnswerPayload.parse(JSON.parse(payload))).toEqual(whole)
          const signature = { sig: 'A'.repeat(86), kid: '2026-01' }
          expect(answerOf(within, signature)).toBe(
            JSON.stringify({ payload, sig: signature.sig, alg: 'Ed25519', kid: signature.kid }),
          )
          checked += 1
        }
  expect(checked).toBe(records.length * 5 * 7 * 8)
})

test('features and limits are those of the tier, for a valid licence alone', () => {
  expect(termsOf(recordOf('pro'), 'VALID')).toMatchObject({
    tier: 'pro',
    features: TIERS.pro.features,
    limits: TIERS.pro.limits,
  })
  for (const verdict of ['EXPIRED', 'SUSPENDED', 'TOO_MANY_INSTALLS'] as const)
    expect(termsOf(recordOf('pro'), verdict)).toMatchObject({ tier: 'pro', features: [], limits: null })
})

test('an answer ends seven days after it was given, over the ends of days, months and years, in any order', () => {
  const saying = sayingOf(termsOf(null, 'INVALID'), { stats: 'none', latest: null })
  const midnight = Date.parse('2027-12-31T00:00:00.000Z')
  const times = [0, 1, DAY_MS - 1, DAY_MS, -1, 58 * DAY_MS, 0, 59 * DAY_MS, 60 * DAY_MS - 1, -365 * DAY_MS, 1]
  for (const time of times.map((more) => midnight + more)) {
    const { iat, exp } = AnswerPayload.parse(JSON.parse(payloadTo(saying, asked, time).payload))
    expect([iat, exp]).toEqual([new Date(time).toISOString(), new Date(time + 7 * DAY_MS).toISOString()])
  }
})
