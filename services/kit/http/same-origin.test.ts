import { expect, test } from 'vitest'
import { comesFromSameOrigin } from './same-origin.ts'

const cookie = { cookie: 'attestry=abc', host: 'attestry.example' }
const bearer = { authorization: 'Bearer abc', host: 'attestry.example' }

test.each([
  [
    'a page of ours',
    'POST',
    { ...cookie, 'sec-fetch-site': 'same-origin', origin: 'http://attestry.example' },
    true,
  ],
  [
    'a page of ours, in a browser without Fetch Metadata',
    'POST',
    { ...cookie, origin: 'https://attestry.example' },
    true,
  ],
  [
    'a page of another site',
    'POST',
    { ...cookie, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    false,
  ],
  ['a page of a neighbouring host', 'POST', { ...cookie, 'sec-fetch-site': 'same-site' }, false],
  ['a page of another port', 'POST', { ...cookie, origin: 'http://attestry.example:8080' }, false],
  ['a sandboxed page', 'POST', { ...cookie, origin: 'null' }, false],
  ['a cookie of no known origin', 'POST', cookie, false],
  ['a cookie of no known origin that only reads', 'GET', cookie, true],
  ['a link from another site that only reads', 'GET', { ...cookie, 'sec-fetch-site': 'cross-site' }, true],
  ['a machine with a bearer token', 'DELETE', bearer, true],
  ['another site’s page with a bearer token', 'DELETE', { ...bearer, origin: 'https://evil.example' }, false],
  ['a machine that signs in', 'POST', { host: 'attestry.example' }, true],
  [
    'another site’s form that signs in',
    'POST',
    { host: 'attestry.example', origin: 'https://evil.example' },
    false,
  ],
])('%s: %s', (_name, method, headers, expected) => {
  expect(comesFromSameOrigin({ method, headers: new Headers(headers) }, null)).toBe(expected)
})

test('behind a proxy that changes the Host header the configured origin counts as well', () => {
  const from = (origin: string) => ({
    method: 'POST',
    headers: new Headers({ cookie: 'attestry=abc', host: '127.0.0.1:4600', origin }),
  })
  expect(comesFromSameOrigin(from('https://attestry.example'), 'https://attestry.example')).toBe(true)
  expect(comesFromSameOrigin(from('http://127.0.0.1:4600'), 'https://attestry.example')).toBe(true)
  expect(comesFromSameOrigin(from('http://attestry.example'), 'https://attestry.example')).toBe(false)
  expect(comesFromSameOrigin(from('https://attestry.example'), null)).toBe(false)
})
