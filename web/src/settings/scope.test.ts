import { expect, test } from 'vitest'
import { readSubscriptions } from './scope.ts'

test('subscription ids are read from whatever was pasted, each once; what is none is named', () => {
  const id = '0B8F2C1E-5A77-4D0E-9C3B-1F6F0A4D2E11'
  expect(readSubscriptions(`${id},\n production ;${id}`)).toEqual({
    ids: [id.toLowerCase()],
    wrong: ['production'],
  })
  expect(readSubscriptions('  ')).toEqual({ ids: [], wrong: [] })
})
