import { expect, test } from 'vitest'
import { movedSays, step } from './ratings.ts'

test('what moved the score is said with what happened only', () => {
  expect(movedSays({ opened: 2, resolved: 0, reopened: 1, rulesChanged: true })).toBe(
    '2 opened, 1 came back, the rules changed',
  )
  expect(movedSays({ opened: 0, resolved: 0, reopened: 0, rulesChanged: false })).toBe('nothing changed')
})

test('a step needs two scores', () => {
  expect(step([{ score: 50 }, { score: 57.44 }])).toBe(7.44)
  expect(step([{ score: null }, { score: 57.44 }])).toBeNull()
  expect(step([{ score: 57.44 }])).toBeNull()
})
