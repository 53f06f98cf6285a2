import { fact } from '@attestry/contracts'
import { type Endpoint, endpoints } from '@attestry/contracts/http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { guardOf, type TestHost, testHost } from '../for-tests.ts'
import { bind } from './bind.ts'

/* A request whose events say who asked, from where and why, though its handler says only who. */

const line = { method: 'POST', summary: '', roles: 'anyone', reply: null, refusals: {} } as const
const table = endpoints({
  act: { ...line, path: '/api/evidence/act' },
  actForAnother: { ...line, path: '/api/evidence/act-for-another' },
  look: { ...line, path: '/api/evidence/look' },
} satisfies Record<string, Endpoint>)

const cause = { correlation: 'c', causation: 'c' }
let host: TestHost

beforeAll(async () => {
  host = await testHost({
    services: [
      {
        name: 'evidence',
        make: (h) => {
          const append = async (operator: string) => {
            await h.append('acme', {
              stream: 'bundle-0001',
              expected: 'any',
              facts: [fact('evidence.bundle-downloaded', { bundle: 'bundle-0001' })],
              by: { kind: 'operator', id: operator },
              cause,
            })
            return undefined
          }
          const face = bind(
            table,
            {
              act: ({ who }) => append(who.operator),
              actForAnother: () => append('operator-another1'),
              look: async () => undefined,
            },
            guardOf(['viewer']),
            h.log,
          )
          return {
            name: 'evidence',
            schema: new URL('../schema-for-tests/', import.meta.url),
            fetch: face,
            commands: [],
            reactions: [],
            views: [],
            schedules: [],
          }
        },
      },
    ],
  })
})
afterAll(() => host[Symbol.asyncDispose]())

const ask = (path: string, headers: Record<string, string> = {}) =>
  host.service('evidence').fetch(
    new Request(`http://attestry.test/api/evidence/${path}`, {
      method: 'POST',
      headers: { 'x-attestry-address': '192.0.2.9', ...headers },
    }),
  )
const newest = async () => (await host.host('evidence').stream('acme', 'bundle-0001')).at(-1)?.by

test('an event carries the address and the reason of the request that made it', async () => {
  const answer = await ask('act', { 'x-attestry-reason': encodeURIComponent('Prüfung 2026') })
  expect([answer.status, answer.headers.get('x-attestry-recorded')]).toEqual([204, 'yes'])
  expect(await newest()).toEqual({
    kind: 'operator',
    id: 'operator-test0001',
    address: '192.0.2.9',
    reason: 'Prüfung 2026',
  })
})

test('an event of somebody else gets nothing of the asker, and does not count as a record of them', async () => {
  const answer = await ask('act-for-another', { 'x-attestry-reason': 'mine' })
  expect(answer.headers.get('x-attestry-recorded')).toBeNull()
  expect(await newest()).toEqual({ kind: 'operator', id: 'operator-another1' })
})

test('a request that leaves no event is not marked as recorded', async () => {
  expect((await ask('look')).headers.get('x-attestry-recorded')).toBeNull()
})

test.each([
  ['cannot be decoded', '%'],
  ['is above 500 characters', 'a'.repeat(501)],
  ['no list of what happened could show', 'a%00b'],
])('a reason that %s is refused by its name', async (_what, reason) => {
  const answer = await ask('act', { 'x-attestry-reason': reason })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    code: 'bad-reason',
    errors: [{ field: 'header.x-attestry-reason' }],
  })
})
