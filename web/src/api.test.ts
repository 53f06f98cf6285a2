import { describe, expect, test } from 'vitest'
import { makeApi } from './api.ts'
import { pathOf, queryOf } from './operation.ts'
import { ProblemError } from './problem.ts'

/** Somebody is at the page. */
const THERE = { away: () => false }

/** A fetch that answers with what it is given, and remembers what it was asked. */
function answering(status: number, body: unknown, type = 'application/json') {
  const asked: { address: string; init: RequestInit | undefined }[] = []
  const fetchIt: typeof fetch = (input, init) => {
    asked.push({ address: typeof input === 'string' ? input : 'other', init })
    const text = body === undefined ? null : JSON.stringify(body)
    return Promise.resolve(new Response(text, { status, headers: { 'content-type': type } }))
  }
  return { asked, api: makeApi(fetchIt, THERE) }
}

const problemOf = async (work: Promise<unknown>): Promise<ProblemError['problem']> => {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(thrown instanceof ProblemError)) throw new Error('it was not refused')
  return thrown.problem
}

describe('an address', () => {
  test('takes its parameters from the path template, escaped', () => {
    expect(pathOf('/api/operations/{service}/stuck/{id}/replay', { service: 'evidence', id: 'a/b c' })).toBe(
      '/api/operations/evidence/stuck/a%2Fb%20c/replay',
    )
  })

  test('cannot be made without one of its parameters', () => {
    expect(() => pathOf('/api/discovery/scans/{scan}', {})).toThrow('needs scan')
    expect(() => pathOf('/api/discovery/scans/{scan}', { scan: '' })).toThrow('needs scan')
  })

  test('leaves out what was not asked, and keeps false and zero', () => {
    expect(queryOf({ search: '', after: undefined, kind: 'key', limit: 0, all: false })).toBe(
      '?kind=key&limit=0&all=false',
    )
    expect(queryOf({})).toBe('')
  })

  test('of a stream is made without calling anybody', () => {
    const { api, asked } = answering(200, {})
    expect(api.evidence.watchBundle.address({ params: { bundle: 'bundle-12ab' } })).toBe(
      '/api/evidence/bundles/bundle-12ab/progress',
    )
    expect(asked).toHaveLength(0)
  })
})

describe('an operation', () => {
  test('sends method, path and body of its line in the table', async () => {
    const { api, asked } = answering(200, { scan: 'scan-12ab' })
    const reply = await api.discovery.startScan({ body: { environment: 'environment-1234' } })
    expect(reply).toEqual({ scan: 'scan-12ab' })
    expect(asked[0]?.address).toBe('/api/discovery/scans')
    expect(asked[0]?.init).toMatchObject({ method: 'POST', body: '{"environment":"environment-1234"}' })
  })

  test('answers nothing where the table says nothing is answered', async () => {
    const { api } = answering(200, undefined)
    expect(await api.gateway.logout({})).toBeUndefined()
  })

  test('turns a refusal into its problem', async () => {
    const refused = {
      type: 'about:blank#already-running',
      title: 'conflict',
      status: 409,
      detail: 'It runs.',
      code: 'already-running',
    }
    const { api } = answering(409, refused, 'application/problem+json')
    expect(await problemOf(api.discovery.startScan({ body: { environment: 'environment-1234' } }))).toEqual(
      refused,
    )
  })

  test('does not trust a reply that breaks the contract', async () => {
    const { api } = answering(200, { scan: 7 })
    const problem = await problemOf(api.discovery.startScan({ body: { environment: 'environment-1234' } }))
    expect(problem.code).toBe('unexpected-reply')
    expect(problem.detail).toContain('discovery.startScan')
    expect(problem.detail).toContain('at scan')
  })

  test('says so when a proxy answers with a page', async () => {
    const { api } = answering(502, 'Bad gateway', 'text/html')
    expect(await problemOf(api.gateway.session({}))).toMatchObject({ code: 'unexpected-reply', status: 502 })
  })

  test('says that the server cannot be reached', async () => {
    const api = makeApi(() => Promise.reject(new TypeError('failed to fetch')), THERE)
    expect(await problemOf(api.gateway.session({}))).toMatchObject({ code: 'offline', status: 0 })
  })

  test('lets a cancelled call end as cancelled, not as offline', async () => {
    const api = makeApi(
      (_, init) =>
        Promise.reject(init?.signal?.reason instanceof Error ? init.signal.reason : new Error('not aborted')),
      THERE,
    )
    const cancel = new AbortController()
    cancel.abort(new DOMException('gone', 'AbortError'))
    await expect(api.gateway.session({}, cancel.signal)).rejects.toThrow('gone')
  })
})
