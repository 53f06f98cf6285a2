import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { covers, judge } from './cbs.ts'

const KEY = { name: 'root', key: 'secret' }
const NOW = Date.UTC(2026, 0, 1)
const EXPIRY = NOW / 1000 + 60

function signed(resource: string, { key = 'secret', expiry = EXPIRY, name = 'root' } = {}): string {
  const sr = encodeURIComponent(resource)
  const signature = createHmac('sha256', key).update(`${sr}\n${expiry}`).digest('base64')
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${name}`
}

test('a token signed with the key is good for its resource until it expires', () => {
  const claim = judge(signed('sb://host:1/Orders'), 'sb://host:1/Orders', KEY, NOW)
  expect(claim).toEqual({ path: 'orders', until: EXPIRY * 1000 })
  expect(judge(signed('sb://host/'), 'sb://host/orders/$management', KEY, NOW)).toMatchObject({
    path: 'orders/$management',
  })
})

test.each([
  ['another key', signed('sb://host/orders', { key: 'guess' }), 'Invalid signature.'],
  ['a key name nobody gave', signed('sb://host/orders', { name: 'other' }), 'The key name is unknown.'],
  ['an expiry in the past', signed('sb://host/orders', { expiry: NOW / 1000 }), 'The token has expired.'],
  ['another resource', signed('sb://host/ord'), 'The token is for another resource.'],
  ['no shared access signature', 'eyJhbGciOi', 'Only shared access signatures are accepted here.'],
  ['nothing', undefined, 'The request carries no token.'],
])('%s is refused', (_case, token, reason) => {
  expect(judge(token, 'sb://host/orders', KEY, NOW)).toBe(reason)
})

test('a signature moved to another expiry is refused', () => {
  const token = signed('sb://host/orders').replace(`se=${EXPIRY}`, `se=${EXPIRY + 3600}`)
  expect(judge(token, 'sb://host/orders', KEY, NOW)).toBe('Invalid signature.')
})

test('a claim covers what lies below it, not what begins alike', () => {
  expect(covers('orders', 'Orders/$DeadLetterQueue')).toBe(true)
  expect(covers('orders', 'orders2')).toBe(false)
  expect(covers('', 'anything')).toBe(true)
})
