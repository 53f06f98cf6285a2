import { expect, test } from 'vitest'
import { makeApi } from './api.ts'
import { watchPresence } from './presence.ts'

test('a page counts as left a minute after its last touch', () => {
  let now = 0
  const page = new EventTarget()
  const presence = watchPresence(page, () => now)
  now = 59_999
  expect(presence.away()).toBe(false)
  now = 60_000
  expect(presence.away()).toBe(true)
  page.dispatchEvent(new Event('keydown'))
  expect(presence.away()).toBe(false)
})

test.each([
  [true, '1'],
  [false, null],
])(
  'what the page asks for says when nobody is there (%s), so that the session may end',
  async (away, header) => {
    let sent: Headers | null = null
    const api = makeApi(
      (_address, init) => {
        sent = new Headers(init?.headers)
        return Promise.resolve(Response.json({ status: 'ok' }))
      },
      { away: () => away },
    )
    await api.gateway.health({})
    expect(new Headers(sent ?? {}).get('x-attestry-background')).toBe(header)
  },
)
