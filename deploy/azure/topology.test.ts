import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { commands } from './topology.ts'

const config = readFileSync(new URL('../servicebus/config.json', import.meta.url), 'utf8')

describe('the commands that make the topology in Azure', () => {
  const lines = commands(config, 'rg-attestry', 'attestry')
  const of = (what: string) => lines.filter((line) => line.startsWith(`az servicebus ${what} create`))

  test('make every queue in sessions and with duplicate detection', () => {
    expect(of('queue').length).toBe((config.match(/-commands"/g) ?? []).length)
    expect(of('queue')[0]).toBe(
      'az servicebus queue create --resource-group rg-attestry --namespace-name attestry ' +
        '--name discovery-commands --lock-duration PT1M --max-delivery-count 10 ' +
        '--default-message-time-to-live PT1H --enable-session true --enable-duplicate-detection true ' +
        '--duplicate-detection-history-time-window PT5M --enable-dead-lettering-on-message-expiration true ' +
        '--output none',
    )
  })

  test('make a rule for each context, and take away the one that takes everything', () => {
    const rule = lines.find(
      (line) => line.includes('rule create') && line.includes('--subscription-name discovery'),
    )
    expect(rule).toContain('--topic-name events')
    expect(rule).toContain('--filter-type CorrelationFilter --correlation-filter-property context=discovery')
    const taken = lines.filter((line) => line.includes('rule delete') && line.includes("--name '$Default'"))
    expect(taken.length).toBe(of('topic subscription').length)
  })

  test('make a thing before what lies in it', () => {
    const topic = lines.findIndex((line) => line.includes(' topic create '))
    const subscription = lines.findIndex((line) => line.includes(' topic subscription create '))
    const rule = lines.findIndex((line) => line.includes(' rule create '))
    expect(topic).toBeLessThan(subscription)
    expect(subscription).toBeLessThan(rule)
  })

  test('keep names from outside one word each', () => {
    const strange = commands(config, "it's; rm -rf ~", 'attestry')[0] ?? ''
    const { stdout } = spawnSync('sh', ['-c', strange.replace(/^az /, 'printf "<%s>" ')], {
      encoding: 'utf8',
    })
    expect(stdout).toContain("<--resource-group><it's; rm -rf ~><--namespace-name>")
  })

  test('refuse a filter that they cannot make', () => {
    const sql = config.replace('"FilterType": "Correlation"', '"FilterType": "Sql"')
    expect(() => commands(sql, 'rg', 'ns')).toThrow(/Correlation/)
  })
})
