import { newLicenseKey, ValidateRequest } from '@attestry/contracts'
import { expect, test } from 'vitest'
import type * as z from 'zod'
import { INSTALL, LATER, requestOf } from './for-tests.ts'
import { isPlainMetadata, isPlainProjection, isPlainRequest } from './plain.ts'
import { Projection } from './projection.ts'
import { Metadata } from './seen.ts'

const request = requestOf(
  newLicenseKey((n) => crypto.getRandomValues(new Uint8Array(n))),
  { kids: ['2026-01', '2026-02'], stats: '{"vaults":3}' },
)
const projection = {
  license: 'lic-00000000000000000000',
  tier: 'pro',
  suspended: false,
  expiresAt: LATER,
  installs: 3,
  seats: [INSTALL.slice(-12), 'other'],
}
const metadata = { a: 1_790_000_000, v: '1.0.0', c: [1, null, 3], l: 1_790_000_000 }

/** What may stand where something else should. */
const ODD = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  Number.NaN,
  '',
  'x',
  'é',
  'PRO',
  'constructor',
  'toString',
  'lic-',
  '2026-02-30T00:00:00.000Z',
  '2026-13-01T00:00:00.000Z',
  '2026-01-01T24:00:00.000Z',
  '2026-01-01T00:00:00+01:00',
  '00000000-0000-0000-0000-000000000001',
  '1.2.3\n',
  'ab'.repeat(16).toUpperCase(),
  [],
  [1],
  ['A'],
  [null],
  [['x']],
  Array.from({ length: 9 }, () => 'kid'),
  {},
  { length: 0 },
]

/** The value with one member after the other replaced, left out or added; and what is no object at all. */
const altered = (value: object): unknown[] => [
  ...ODD,
  ...['__proto__', 'secrets', 'constructor'].map((name) =>
    JSON.parse(JSON.stringify(value).replace('{', `{"${name}":1,`)),
  ),
  ...Object.keys(value).flatMap((name) => [
    Object.fromEntries(Object.entries(value).filter(([other]) => other !== name)),
    ...ODD.map((odd) => ({ ...value, [name]: odd })),
  ]),
]

test.each<[string, (value: unknown) => boolean, z.ZodType, object]>([
  ['a request', isPlainRequest, ValidateRequest, request],
  ['a projection', isPlainProjection, Projection, projection],
  ['metadata', isPlainMetadata, Metadata, metadata],
])('%s is plain only where its schema takes it too', (_what, isPlain, schema, value) => {
  expect(isPlain(value)).toBe(true)
  const all = altered(value)
  const plain = all.filter((other) => isPlain(other))
  expect(plain.filter((other) => !schema.safeParse(other).success)).toEqual([])
  // The test would see it: many are refused by both.
  expect(all.length - plain.length).toBeGreaterThan(60)
})
