import { expect, test } from 'vitest'
import type { Consumer } from './consume.ts'
import { behind } from './sweep.ts'

/** Reads what two services tell, in its second version. */
const view: Consumer = {
  kind: 'fold',
  fold: {
    name: 'view',
    version: 2,
    contexts: ['discovery', 'rotation'],
    clear: () => Promise.resolve(),
    apply: () => Promise.resolve(),
  },
}
const at = (context: string, head: number, seq: number | null, version: number | null = 2) => ({
  context,
  head,
  consumer: seq === null ? null : 'view',
  seq,
  version: seq === null ? null : version,
})

test.each([
  ['at the end of both', [at('discovery', 9, 9), at('rotation', 4, 4)], []],
  ['before the end of one', [at('discovery', 9, 8), at('rotation', 4, 4)], ['discovery']],
  ['that never read', [at('discovery', 9, null), at('rotation', 4, null)], ['discovery', 'rotation']],
  ['of another version, though at the end', [at('discovery', 9, 9, 1)], ['discovery']],
  ['of contexts in which nothing ever happened', [], []],
])('a consumer %s has to read just what it has not', (_what, places, contexts) => {
  expect(behind([view], places).map((b) => b.context)).toEqual(contexts)
})

test('another consumer’s cursor says nothing of this one', () => {
  expect(behind([view], [{ ...at('discovery', 9, 9), consumer: 'another' }])).toHaveLength(1)
})
