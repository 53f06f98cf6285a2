import { Denied } from '@attestry/kit'
import { expect, test } from 'vitest'
import { together } from './together.ts'

const never = new AbortController().signal

test('a hundred that ask at once cost two requests, and each gets its own answer', async () => {
  const requests: (readonly string[])[] = []
  const look = together(async (names) => {
    requests.push(names)
    await Promise.resolve()
    return new Map(names.filter((name) => name !== 'gone').map((name) => [name, `${name}!`]))
  })
  const names = [...Array.from({ length: 98 }, (_, n) => `vault-${n % 10}`), 'other', 'gone']
  const answers = await Promise.all(names.map((name) => look(name, never)))
  expect(answers).toEqual(names.map((name) => (name === 'gone' ? null : `${name}!`)))
  expect(requests).toEqual([['vault-0'], expect.arrayContaining(['vault-1', 'other', 'gone'])])
  expect(requests[1]).toHaveLength(12)
})

test('a refusal meets those who asked together, and not who asks afterwards', async () => {
  let refuse = true
  const look = together((names) =>
    refuse
      ? Promise.reject(new Denied('Forbidden', 'no'))
      : Promise.resolve(new Map(names.map((name) => [name, name]))),
  )
  const both = await Promise.allSettled([look('a', never), look('b', never)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  refuse = false
  expect(await look('a', never)).toBe('a')
})

test('who is called off waits no longer, while the others go on', async () => {
  const { promise, resolve } = Promise.withResolvers<ReadonlyMap<string, string>>()
  const look = together(() => promise)
  const mine = new AbortController()
  const called = look('a', mine.signal)
  const other = look('a', never)
  mine.abort()
  await expect(called).rejects.toThrow('not answered in time')
  resolve(new Map([['a', 'here']]))
  expect(await other).toBe('here')
})
