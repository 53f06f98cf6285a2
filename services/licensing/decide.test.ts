import { type EventOf, type Fact, fact } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
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
import { EVALUATION, entitled, featuresOf, statusOf } from './entitlement.ts'
import { openAnswer, openFile, readVendorKeys } from './signed.ts'
import { answerTo, fileFor, KEYS, pro, signed } from './vendor.fixture.ts'
import { daysLeft, isNewer } from './view.ts'

const start = Temporal.Instant.from('2026-11-22T12:00:00Z')
const after = (hours: number) => start.add({ minutes: Math.round(hours * 60) })
const INSTALL_ID = '01890a5d-ac96-774b-bcce-b302099a8057'
const request = { key: 'k'.repeat(20), install: INSTALL_ID, version: '0.1.0', nonce: 'ab'.repeat(16) }
const answer = (hours = 0, more = {}) => answerTo(request, after(hours), more)

/** The standing after some facts. */
const given = (facts: readonly Fact[], from: Standing = NOTHING_YET): Standing =>
  // A stored event has more members than a fact; the fold reads type and data alone.
  facts.reduce((s, f) => advance(s, f as unknown as EventOf), from)

const types = (facts: readonly Fact[]) => facts.map((f) => f.type.replace('licensing.', ''))
const begun = given([entitled(EVALUATION)])
const licensed = given(decideAnswer(begun, answer(), start), begun)
const inGrace = given(decideSilence(licensed, answer(), after(3)), licensed)
const refusedFor = (reason: 'expired' | 'unreachable' | 'clock-set-back') =>
  given([fact('licensing.refused', { reason })], licensed)
const fromFile = given(decideFile(begun, fileOf()), begun)
function fileOf() {
  const file = openFile(fileFor(INSTALL_ID), KEYS)
  if (!file) throw new Error('the fixture signs badly')
  return file
}

describe('a standing × what was heard', () => {
  const standings = { begun, licensed, inGrace, fromFile, unreachable: refusedFor('unreachable') }
  const heard = {
    VALID: (s: Standing) => decideAnswer(s, answer(4), after(4)),
    EXPIRED: (s: Standing) =>
      decideAnswer(s, answer(4, { verdict: 'EXPIRED', features: [], limits: null }), after(4)),
    INVALID: (s: Standing) =>
      decideAnswer(s, answer(4, { verdict: 'INVALID', tier: null, features: [], limits: null }), after(4)),
    'silence of an hour': (s: Standing) => decideSilence(s, answer(), after(1)),
    'silence of three hours': (s: Standing) => decideSilence(s, answer(), after(3)),
    'silence of eight days': (s: Standing) => decideSilence(s, answer(), after(8 * 24)),
    'an altered answer': (s: Standing) => decideTampered(s, 'answer-altered'),
    'the key removed': (s: Standing) => decideNone(s),
  }
  test.each([
    ['begun', 'VALID', ['entitled']],
    ['begun', 'EXPIRED', ['refused']],
    ['begun', 'INVALID', ['refused']],
    ['begun', 'silence of an hour', []],
    ['begun', 'silence of three hours', []],
    ['begun', 'silence of eight days', []],
    ['begun', 'an altered answer', []],
    ['begun', 'the key removed', []],
    ['licensed', 'VALID', []],
    ['licensed', 'EXPIRED', ['refused']],
    ['licensed', 'INVALID', ['refused']],
    ['licensed', 'silence of an hour', []],
    ['licensed', 'silence of three hours', ['entitled', 'grace-entered']],
    ['licensed', 'silence of eight days', ['refused']],
    ['licensed', 'an altered answer', ['refused']],
    ['licensed', 'the key removed', ['entitled']],
    ['inGrace', 'VALID', ['grace-ended']],
    ['inGrace', 'EXPIRED', ['grace-ended', 'refused']],
    ['inGrace', 'INVALID', ['grace-ended', 'refused']],
    ['inGrace', 'silence of an hour', []],
    ['inGrace', 'silence of three hours', []],
    ['inGrace', 'silence of eight days', ['grace-ended', 'refused']],
    ['inGrace', 'an altered answer', ['refused']],
    ['inGrace', 'the key removed', ['grace-ended', 'entitled']],
    ['fromFile', 'VALID', ['entitled']],
    ['fromFile', 'silence of eight days', []],
    ['fromFile', 'an altered answer', ['refused']],
    ['fromFile', 'the key removed', ['entitled']],
    ['unreachable', 'VALID', ['entitled']],
    ['unreachable', 'EXPIRED', ['refused']],
    ['unreachable', 'silence of eight days', []],
    ['unreachable', 'an altered answer', ['refused']],
    ['unreachable', 'the key removed', ['entitled']],
  ] as const)('%s × %s', (standing, what, expected) => {
    const facts = heard[what](standings[standing])
    expect(types(facts)).toEqual(expected)
    // Hearing the same again says nothing new.
    expect(types(heard[what](given(facts, standings[standing])))).toEqual([])
  })
})

describe('grace', () => {
  test('lasts seven days of full work, and then nothing new is started while the rest goes on', () => {
    const e = inGrace.entitlement
    if (!e) throw new Error('there is an entitlement')
    expect(e.graceUntil).toBe(after(7 * 24).toString({ smallestUnit: 'millisecond' }))
    expect(featuresOf(e, 'real', after(7 * 24 - 0.1))).toEqual(pro.features)
    expect(statusOf(e, 'real', after(7 * 24 - 0.1)).state).toBe('grace')
    expect(featuresOf(e, 'real', after(7 * 24))).toEqual([])
    expect(statusOf(e, 'real', after(7 * 24)).state).toBe('expired')
  })

  test('ends at the earlier of what was chosen and what the vendor signed', () => {
    const chosen = given([fact('licensing.grace-chosen', { days: 2 })], licensed)
    expect(decideSilence(chosen, answer(), after(3)).at(-1)?.data).toEqual({
      until: '2026-11-24T12:00:00.000Z',
    })
    const short = answer(0, { exp: '2026-11-23T00:00:00.000Z' })
    expect(decideSilence(licensed, short, after(3)).at(-1)?.data).toEqual({
      until: '2026-11-23T00:00:00.000Z',
    })
    const none = given([fact('licensing.grace-chosen', { days: 0 })], licensed)
    expect(types(decideSilence(none, answer(), after(3)))).toEqual(['refused'])
  })

  test('ends by itself in every process, even where nobody is left to record it', () => {
    const e = licensed.entitlement
    expect(e && featuresOf(e, 'real', after(7 * 24 + 1))).toEqual([])
  })
})

test('checks that change nothing are events once a day', () => {
  let standing = begun
  let events = 0
  for (let hour = 0; hour < 240; hour++) {
    const facts = decideAnswer(standing, answer(hour), after(hour))
    events += facts.length
    standing = given(facts, standing)
  }
  expect(events).toBeGreaterThanOrEqual(10)
  expect(events).toBeLessThanOrEqual(11)
})

describe('an answer', () => {
  const at = (minutes: number) => start.add({ minutes })
  const asked = { nonce: request.nonce, lastIat: start.toString() }
  test.each([
    ['to another question', answer(0, { nonce: 'cd'.repeat(16) }), 'other-nonce'],
    ['older than the last', answer(-1), 'older-than-before'],
    ['an hour and a minute ahead of this clock', answer(0, { iat: at(61).toString() }), 'clock-set-back'],
    ['half an hour ahead', answer(0, { iat: at(30).toString() }), null],
    ['to this question', answer(), null],
  ])('%s', (_what, given, why) => {
    expect(whyNotThis(given, asked, start)).toBe(why)
  })

  test('is opened as it was signed, and with any byte changed not at all', () => {
    const text = signed(answer())
    expect(openAnswer(text, KEYS, INSTALL_ID)).toEqual(answer())
    expect(openAnswer(signed(answer(), '2026-01'), KEYS, INSTALL_ID)).toEqual(answer())
    for (const [from, to] of [
      ['\\"pro\\"', '\\"enterprise\\"'],
      ['2099', '2199'],
      ['2026-02', '2026-01'],
      ['Ed25519', 'none'],
    ] as const) {
      expect(text).toContain(from)
      expect(openAnswer(text.replace(from, to), KEYS, INSTALL_ID)).toBeNull()
    }
    for (const wrong of ['', '{}', '[]', 'null', text.slice(1), text.replace('2026-02', '__proto__')])
      expect(openAnswer(wrong, KEYS, INSTALL_ID)).toBeNull()
    const { '2026-02': _gone, ...others } = KEYS
    expect(openAnswer(text, others, INSTALL_ID)).toBeNull()
    expect(openAnswer(text, KEYS, INSTALL_ID.replace('7', '8'))).toBeNull()
  })

  test('never passes as a file, nor a file as an answer', () => {
    expect(openFile(signed(answer()), KEYS)).toBeNull()
    expect(openAnswer(fileFor(INSTALL_ID), KEYS, INSTALL_ID)).toBeNull()
    expect(openFile(fileFor(INSTALL_ID).replace('enterprise', 'pro'), KEYS)).toMatchObject({ tier: 'pro' })
  })
})

test('a clock is set back when it shows an earlier time than it has shown, by more than an hour', () => {
  expect(isSetBack(null, start)).toBe(false)
  expect(isSetBack(start.toString(), after(-0.9))).toBe(false)
  expect(isSetBack(start.toString(), after(-1.1))).toBe(true)
})

test('keys are read as name=key, and nothing else', () => {
  const x = KEYS['2026-01'] ?? ''
  expect(readVendorKeys(` a=${x}  b=${x} `)).toEqual({ a: x, b: x })
  expect(readVendorKeys('')).toEqual({})
  for (const wrong of ['a', `a=${x}x`, 'A=b', `a=${x} b`]) expect(readVendorKeys(wrong)).toBeNull()
})

test('a newer version is one whose first differing number is higher', () => {
  expect(isNewer('0.10.0', '0.9.9')).toBe(true)
  expect(isNewer('0.9.9', '0.10.0')).toBe(false)
  expect(isNewer('1.0.0', '1.0.0')).toBe(false)
})

test('days left are whole days to the earliest end', () => {
  expect(daysLeft([null, null], start)).toBeNull()
  expect(daysLeft([after(50).toString(), after(30).toString()], start)).toBe(1)
  expect(daysLeft([after(-1).toString()], start)).toBe(0)
})
