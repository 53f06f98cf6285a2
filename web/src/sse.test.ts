import { describe, expect, test } from 'vitest'
import { backoffMs, cutEvents } from './sse.ts'

describe('a stream of events', () => {
  test('is cut at empty lines, the rest waits for more', () => {
    const cut = cutEvents('data: {"a":1}\n\nid: 7\ndata: two\ndata: lines\n\ndata: unfin')
    expect(cut.events).toEqual([
      { event: 'message', data: '{"a":1}', id: null },
      { event: 'message', data: 'two\nlines', id: '7' },
    ])
    expect(cut.rest).toBe('data: unfin')
  })

  test('is the same however it arrives in pieces', () => {
    const text = ': hello\n\nid: 1\ndata: one\n\nevent: reset\ndata: {"missed":true}\n\n'
    for (let at = 0; at <= text.length; at += 1) {
      const first = cutEvents(text.slice(0, at))
      const second = cutEvents(first.rest + text.slice(at))
      expect([...first.events, ...second.events]).toEqual(cutEvents(text).events)
    }
  })

  test('ignores comments that only keep it open', () => {
    expect(cutEvents(': still here\n\n').events).toEqual([])
  })

  test('may end its lines as Windows does', () => {
    expect(cutEvents('data: x\r\n\r\n').events).toEqual([{ event: 'message', data: 'x', id: null }])
  })
})

describe('reconnecting', () => {
  test('waits longer each time, up to half a minute, and never in step with others', () => {
    const waits = [0, 1, 2, 3, 4, 5, 60].map((attempt) => backoffMs(attempt, 0.5))
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    expect(backoffMs(0, 0)).toBeLessThan(backoffMs(0, 0.99))
  })
})
