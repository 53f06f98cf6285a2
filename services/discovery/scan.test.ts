import { describe, expect, test } from 'vitest'
import { discovered, of } from './for-tests.ts'

describe('a scan of contoso', () => {
  test('finds everything that the identity may see, and names what it could not read', async () => {
    await using d = await discovered()
    const environment = await d.connect({ settingsScan: true })
    const scan = await d.scan(environment)
    const events = await d.events()
    console.log(
      events.length,
      JSON.stringify(of(events, 'discovery.scan-completed')[0]?.data),
      of(events, 'discovery.scan-failed')[0]?.data,
    )
    console.log(await d.call('GET', `/scans/${scan}`))
    expect(of(events, 'discovery.scan-completed')).toHaveLength(1)
  })
})
