import { describe, expect, test } from 'vitest'
import { startBroker } from './broker.ts'
import { seeded } from './faults.ts'
import { bodies, CONFIG, QUICK, workbench } from './workbench.ts'

const on = workbench()

describe('a topic', () => {
  test('gives each subscription what its rules want, once', async () => {
    for (const colour of ['red', 'blue'])
      await on.send('FACTS', { body: colour, applicationProperties: { colour } })
    expect(bodies(await on.client.createReceiver('facts', 'all').receiveMessages(5, QUICK))).toEqual([
      'red',
      'blue',
    ])
    expect(bodies(await on.client.createReceiver('facts', 'red').receiveMessages(5, QUICK))).toEqual(['red'])
  })

  test('has rules that are listed, added and removed', async () => {
    const rules = on.client.createRuleManager('facts', 'red')
    await rules.createRule('big', { sqlExpression: "size > 10 AND sys.label = 'box'" })
    await rules.createRule('from', { correlationId: 'c', applicationProperties: { origin: 'here' } })
    const listed = []
    for await (const rule of rules.listRules()) listed.push(rule)
    expect(listed).toMatchObject([
      { name: 'red', filter: { applicationProperties: { colour: 'red' } } },
      { name: 'big', filter: { sqlExpression: "size > 10 AND sys.label = 'box'" } },
      { name: 'from', filter: { correlationId: 'c', applicationProperties: { origin: 'here' } } },
    ])
    await rules.deleteRule('red')
    await on.send(
      'facts',
      { body: 'small', subject: 'box', applicationProperties: { size: 10, colour: 'red' } },
      { body: 'big', subject: 'box', applicationProperties: { size: 11 } },
    )
    expect(bodies(await on.client.createReceiver('facts', 'red').receiveMessages(5, QUICK))).toEqual(['big'])
    await expect(rules.deleteRule('red')).rejects.toThrow('could not be found')
    await expect(rules.createRule('big', { sqlExpression: '1=1' })).rejects.toThrow('exists already')
  })

  test('refuses a SQL filter or a rule action that it would have to ignore', async () => {
    const rules = on.client.createRuleManager('facts', 'red')
    await expect(rules.createRule('sum', { sqlExpression: 'size + 1 > 2' })).rejects.toThrow('not supported')
    await expect(
      rules.createRule('act', { sqlExpression: '1=1' }, { sqlExpression: 'SET a = 1' }),
    ).rejects.toThrow('no action')
  })
})

test('faults lose, double and reorder events as asked, and spare queues', async () => {
  const faulty = await startBroker({
    config: CONFIG,
    key: 'secret',
    faults: { drop: 0.1, duplicate: 0.1, reorder: 0.2, random: seeded(1) },
  })
  const other = on.connect(faulty.connectionString)
  const messages = Array.from({ length: 200 }, (_, i) => ({ messageId: String(i), body: i }))
  await other.createSender('facts').sendMessages(messages)
  await other.createSender('plain').sendMessages(messages)
  const events = bodies(await other.createReceiver('facts', 'all').receiveMessages(400, QUICK)).map(Number)
  const commands = bodies(await other.createReceiver('plain').receiveMessages(400, QUICK)).map(Number)
  expect(new Set(events).size).toBeLessThan(200)
  expect(events.length).toBeGreaterThan(new Set(events).size)
  expect(events).not.toEqual(events.toSorted((a, b) => a - b))
  expect(commands).toEqual(messages.map(({ body }) => body))
  await other.close()
  await faulty.stop()
})
