import { expect, test } from 'vitest'
import { createMarks } from './marks.ts'

const post = {
  method: 'POST',
  address: '/v1/vendor/licenses',
  body: '{"tier":"pro"}',
  reason: undefined,
}

test('a request keeps its mark until an answer is heard, so that a lost answer costs nothing twice', () => {
  let made = 0
  const marks = createMarks(() => `mark-${++made}`)
  expect(marks.of(post)).toBe('mark-1')
  // No answer came, and then the server was in trouble: what became of it nobody knows.
  expect(marks.of(post)).toBe('mark-1')
  marks.heard(post, 503)
  expect(marks.of(post)).toBe('mark-1')
  marks.heard(post, 200)
  expect(marks.of(post)).toBe('mark-2')
})

test('another wish has another mark, and what only reads has none', () => {
  let made = 0
  const marks = createMarks(() => `mark-${++made}`)
  expect(marks.of(post)).not.toBe(marks.of({ ...post, body: '{"tier":"starter"}' }))
  expect(marks.of({ ...post, method: 'GET' })).toBeUndefined()
})
