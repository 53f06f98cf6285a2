import { endpoints } from '@attestry/contracts/http'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { guardOf } from '../for-tests.ts'
import { silentLog } from '../log.ts'
import { bind } from './bind.ts'

const table = endpoints({
  find: {
    method: 'GET',
    path: '/api/evidence/things/{thing}',
    summary: '',
    roles: 'anyone',
    query: z.object({ search: z.string().optional() }),
    reply: z.object({ thing: z.string(), search: z.string().nullable() }),
    refusals: {},
  },
  keep: {
    method: 'POST',
    path: '/api/evidence/things',
    summary: '',
    roles: 'anyone',
    body: z.object({ name: z.string(), tags: z.array(z.tuple([z.string(), z.string()])).default([]) }),
    reply: null,
    refusals: {},
  },
  fetch: {
    method: 'GET',
    path: '/api/evidence/things/{thing}/file',
    summary: '',
    roles: 'anyone',
    reply: 'file',
    refusals: {},
  },
})

let kept: unknown[] = []
let fetched = 0
const face = bind(
  table,
  {
    find: async ({ params, query }) => ({ thing: params.thing, search: query.search ?? null }),
    keep: async ({ body }) => {
      kept.push(body)
      return undefined
    },
    fetch: async () => {
      fetched++
      return new Response('bytes')
    },
  },
  guardOf(['viewer']),
  silentLog,
)

const look = async (path: string) => {
  const answer = await face(new Request(`http://attestry.test/api/evidence/things/${path}`))
  return { status: answer.status, body: (await answer.json()) as unknown }
}
const keep = async (body: string, type = 'application/json') => {
  kept = []
  const answer = await face(
    new Request('http://attestry.test/api/evidence/things', {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    }),
  )
  return { status: answer.status, body: answer.status === 204 ? null : ((await answer.json()) as unknown) }
}

describe('a text that neither Postgres nor the ledger can hold', () => {
  test.each(['%00', 'thing-0001%00'])('in a path names nothing: %s', async (path) => {
    expect(await look(path)).toMatchObject({ status: 404, body: { code: 'no-such-path' } })
  })

  test('in a query is refused by its field', async () => {
    expect(await look('thing-0001?search=a%00b')).toMatchObject({
      status: 400,
      body: { code: 'bad-query', errors: [{ field: 'query.search' }] },
    })
  })

  test.each([
    ['U+0000', '{"name":"a\\u0000b"}', 'body.name'],
    ['half of a pair', '{"name":"a\\ud83db"}', 'body.name'],
    ['U+0000 in a list', '{"name":"a","tags":[["b","c"],["d","\\u0000"]]}', 'body.tags.1.1'],
  ])('in a body is refused by its field, and no handler sees it: %s', async (_what, body, field) => {
    expect(await keep(body)).toMatchObject({
      status: 400,
      body: { code: 'bad-body', errors: [{ field }] },
    })
    expect(kept).toEqual([])
  })

  test('is not one that is merely unusual', async () => {
    const name = '\u202e😀 \u0001\ufeff'
    expect((await keep(JSON.stringify({ name }))).status).toBe(204)
    expect(kept).toEqual([{ name, tags: [] }])
  })
})

describe('the media type of a body', () => {
  test.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json ;x=y',
  ])('is JSON as %s', async (type) => {
    expect((await keep('{"name":"a"}', type)).status).toBe(204)
  })

  test.each(['application/jsonp', 'application/json-patch+json', 'text/plain'])(
    'is not JSON as %s',
    async (type) => {
      expect(await keep('{"name":"a"}', type)).toMatchObject({ status: 400, body: { code: 'not-json' } })
    },
  )
})

describe('HEAD', () => {
  const ask = async (path: string) => {
    const answer = await face(
      new Request(`http://attestry.test/api/evidence/things/${path}`, { method: 'HEAD' }),
    )
    return { status: answer.status, body: await answer.text() }
  }

  test('of what is read answers as GET does, without a body', async () => {
    expect(await ask('thing-0001')).toEqual({ status: 200, body: '' })
  })

  test('of a file opens nothing and hands out nothing', async () => {
    expect(await ask('thing-0001/file')).toEqual({ status: 404, body: '' })
    expect(fetched).toBe(0)
  })
})
