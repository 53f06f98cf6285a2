import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createLog, type Logger } from './log.ts'
import { Secret } from './secret.ts'

/** What a log writes, line by line. */
function written(write: (log: Logger) => void, level = 'debug'): { lines: unknown[]; text: string } {
  let text = ''
  const destination = new Writable({
    write: (chunk, _, done) => {
      text += String(chunk)
      done()
    },
  })
  write(createLog({ level, pretty: false, destination }))
  return {
    text,
    lines: text
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line)),
  }
}

describe('a log', () => {
  test('writes one line of JSON a message: level, time, fields, then the sentence', () => {
    const { lines } = written((log) =>
      log.child({ service: 'discovery' }).warn({ vault: 'vault-1' }, 'It is away'),
    )
    expect(lines).toEqual([
      {
        level: 'warn',
        at: expect.stringMatching(/Z$/),
        service: 'discovery',
        vault: 'vault-1',
        message: 'It is away',
      },
    ])
  })

  test('leaves out what lies below its level', () => {
    const { lines } = written((log) => {
      log.debug({}, 'no')
      log.info({}, 'no')
      log.warn({}, 'yes')
    }, 'warn')
    expect(lines).toMatchObject([{ message: 'yes' }])
  })

  test('tells an error with its causes', () => {
    const error = new Error('the scan broke', { cause: new Error('the vault was away') })
    const { text } = written((log) => log.error({ error }, 'A command failed'))
    expect(text).toContain('the scan broke')
    expect(text).toContain('the vault was away')
  })

  test.each([
    'password',
    'secret',
    'token',
    'authorization',
    'cookie',
    'value',
    'connectionString',
    'oneTimePassword',
    'private',
  ])('shows no %s, however deep it lies', (name) => {
    const { text } = written((log) => {
      log.info({ [name]: 'hunter2' }, 'at the top')
      log.info({ a: { [name]: 'hunter2' } }, 'within')
      log.info({ a: { b: { [name]: 'hunter2' } } }, 'deeper')
      log.info({ a: { b: { c: { [name]: 'hunter2' } } } }, 'deepest')
      log.info({ list: [{ [name]: 'hunter2' }] }, 'in a list')
      log.child({ [name]: 'hunter2' }).info({}, 'of a child')
    })
    expect(text).not.toContain('hunter2')
    expect(text.match(/\[redacted\]/g)).toHaveLength(6)
  })

  test('shows no Secret under any name, nor in an error, nor as the fields themselves', () => {
    const secret = new Secret('hunter2')
    const { text } = written((log) => {
      log.info({ key: secret, a: { b: { c: { d: { e: secret } } } }, list: [secret] }, 'as a field')
      log.error(
        { error: Object.assign(new Error(`could not use ${String(secret)}`), { with: secret }) },
        'in an error',
      )
      log.info(secret, `in a sentence: ${String(secret)}`)
    })
    expect(text).not.toContain('hunter2')
    expect(text).toContain('[secret]')
  })

  test('shows no credential that lies on an error or its cause', () => {
    const cause = Object.assign(new Error('refused'), { token: 'hunter2', config: { password: 'hunter2' } })
    const error = Object.assign(new Error('broke', { cause }), {
      request: { headers: { authorization: 'Bearer hunter2' } },
    })
    const { text } = written((log) => log.error({ error }, 'A call failed'))
    expect(text).toContain('broke')
    expect(text).not.toContain('hunter2')
  })
})
