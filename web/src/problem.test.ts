import { http } from '@attestry/contracts/http'
import { describe, expect, test } from 'vitest'
import { nextStep, problemFrom, problemOf } from './problem.ts'

describe('what to do about a problem', () => {
  test('is said for every refusal that the contract names', () => {
    const kinds = {
      invalid: 400,
      unauthenticated: 401,
      forbidden: 403,
      'not-found': 404,
      conflict: 409,
      'too-large': 413,
      locked: 423,
      'too-many': 429,
      unavailable: 503,
    }
    const fallback = nextStep({ type: '', title: '', status: 418, detail: '', code: 'unheard-of' })
    const unsaid: string[] = []
    for (const table of Object.values(http))
      for (const endpoint of Object.values(table))
        for (const [code, kind] of Object.entries(endpoint.refusals)) {
          const step = nextStep({
            type: '',
            title: '',
            status: kinds[kind as keyof typeof kinds],
            detail: '',
            code,
          })
          if (step === fallback) unsaid.push(code)
        }
    expect(unsaid).toEqual([])
  })

  test('a body that is no problem becomes one that says so', () => {
    expect(problemFrom(502, '<html>')).toMatchObject({ code: 'unexpected-reply', status: 502 })
  })

  test('a mistake of the console itself is told as one', () => {
    expect(problemOf(new Error('undefined is not a function'))).toMatchObject({ code: 'console-failed' })
  })
})
