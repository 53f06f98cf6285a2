import { expect, test } from 'vitest'
import { reportsPage } from './documentation.ts'

test('the page of the reports says what their tables say', async () => {
  await expect(reportsPage()).toMatchFileSnapshot('../../../docs/reports.md')
})
