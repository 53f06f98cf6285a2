import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, describeConfiguration, readConfiguration, variables } from './config.ts'

const good = {
  DATABASE_URL: 'postgres://attestry:hunter2@db.example/attestry',
  SERVICE_BUS_CONNECTION: 'Endpoint=sb://bus.example;SharedAccessKeyName=root;SharedAccessKey=aHVudGVyMw==',
  SECRET_KEY: 'hunter4 and at least thirty-two characters',
}

const problemsOf = (env: Record<string, string | undefined>) => {
  try {
    readConfiguration(env)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}

describe('readConfiguration()', () => {
  test('needs a database, a bus and a key, and has a default for everything else', () => {
    expect(readConfiguration(good)).toMatchObject({
      ATTESTRY_TENANT: 'default',
      ATTESTRY_HOST: '127.0.0.1',
      ATTESTRY_TRUST_PROXY: false,
      ATTESTRY_SWEEP_SECONDS: 30,
      ATTESTRY_LOG_LEVEL: 'info',
    })
    expect(readConfiguration(good).DATABASE_URL.text()).toBe(good.DATABASE_URL)
  })

  test('takes a namespace in place of a connection string', () => {
    const { SERVICE_BUS_CONNECTION: _, ...rest } = good
    const env = { ...rest, SERVICE_BUS_NAMESPACE: 'contoso.servicebus.windows.net' }
    expect(readConfiguration(env).SERVICE_BUS_NAMESPACE).toBe('contoso.servicebus.windows.net')
  })

  test('counts an empty variable as one that is not set', () => {
    expect(problemsOf({ ...good, SECRET_KEY: '' }).map((p) => p.variable)).toEqual(['SECRET_KEY'])
    expect(readConfiguration({ ...good, ATTESTRY_TENANT: '' }).ATTESTRY_TENANT).toBe('default')
  })

  test('names all that is missing at once', () => {
    expect(problemsOf({}).map((p) => p.variable)).toEqual([
      'DATABASE_URL',
      'SECRET_KEY',
      'SERVICE_BUS_NAMESPACE',
    ])
  })

  test.each([
    ['DATABASE_URL', 'mysql://db/x', /postgres:\/\/ address/],
    ['DATABASE_ADMIN_URL', 'db.example', /postgres:\/\/ address/],
    ['SERVICE_BUS_CONNECTION', 'no connection string', /Endpoint=sb:/],
    ['SERVICE_BUS_NAMESPACE', 'contoso.servicebus.windows.net', /so is SERVICE_BUS_CONNECTION/],
    ['SERVICE_BUS_NAMESPACE', 'not a host', /host name/],
    ['SECRET_KEY', 'too short', /at least 32 characters/],
    ['ATTESTRY_TENANT', 'Contoso GmbH', /lower-case letters, digits and dashes/],
    ['ATTESTRY_PORT', '65536', /port number/],
    ['ATTESTRY_PORT', 'http', /port number/],
    ['ATTESTRY_METRICS_PORT', '-1', /port number/],
    ['ATTESTRY_PUBLIC_URL', 'attestry', /an address such as https/],
    ['ATTESTRY_TRUST_PROXY', 'yes', /true or false/],
    ['ATTESTRY_PUBLIC_URL', 'attestry.example.com:443', /an address such as https/],
    ['ATTESTRY_DISCOVERY_URL', 'discovery:4601', /an address such as http:/],
    ['ATTESTRY_LICENSE_URL', 'license', /an address such as https/],
    ['ATTESTRY_AZURE_ENDPOINT', 'https://cloud.example', /loopback address/],
    ['ATTESTRY_AZURE_ENDPOINT', 'no address', /loopback address/],
    ['ATTESTRY_TSA', 'http://timestamp.example', /name=address/],
    ['ATTESTRY_TSA', 'Local=http://a.example Other=', /name=address/],
    ['ATTESTRY_SIGNING_KEY', 'https://kv.vault.azure.net/secrets/signer', /address of a key/],
    ['ATTESTRY_DOCUMENT_KEY', 'signer', /address of a key/],
    ['ATTESTRY_AUDIT_BLOB', 'audit', /address of a container/],
    ['ATTESTRY_SWEEP_SECONDS', '0', /seconds from 1 to 3600/],
    ['ATTESTRY_LOG_LEVEL', 'loud', /debug, info, warn or error/],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector', /./],
  ])('says what would be right for %s=%s', (variable, text, message) => {
    const problems = problemsOf({ ...good, [variable]: text })
    expect(problems.map((p) => p.variable)).toEqual([variable])
    expect(problems[0]?.message).toMatch(message)
  })

  test.each(['no address', 'http://hooks.example.com/attestry', 'ftp://localhost/attestry'])(
    'says what would be right for an audit webhook at %s',
    (text) => {
      const env = { ...good, ATTESTRY_AUDIT_WEBHOOK: text, ATTESTRY_AUDIT_WEBHOOK_KEY: 'k'.repeat(32) }
      expect(problemsOf(env)).toEqual([
        { variable: 'ATTESTRY_AUDIT_WEBHOOK', message: 'must be an https address' },
      ])
    },
  )

  test('takes no key for two purposes, under whatever version', () => {
    const key = 'https://kv.vault.azure.net/keys/attestry'
    const env = { ...good, ATTESTRY_SIGNING_KEY: key, ATTESTRY_DOCUMENT_KEY: `${key}/0123` }
    expect(problemsOf(env).map((p) => p.variable)).toEqual(['ATTESTRY_DOCUMENT_KEY'])
    expect(problemsOf({ ...env, ATTESTRY_DOCUMENT_KEY: `${key}-documents` })).toEqual([])
  })

  test('takes addresses as they are meant', () => {
    const env = {
      ATTESTRY_AZURE_ENDPOINT: 'http://[::1]:4610',
      ATTESTRY_DISCOVERY_URL: 'http://discovery:4601',
      ATTESTRY_TSA_ROOTS: '/etc/attestry/roots.pem',
      ATTESTRY_TSA: ' Local_authority=http://127.0.0.1:4611/tsa  DigiCert=http://timestamp.digicert.com ',
      ATTESTRY_SIGNING_KEY: 'https://kv.vault.azure.net/keys/attestry-bundles/0123',
      ATTESTRY_AUDIT_WEBHOOK: 'http://127.0.0.1:9/hook',
      ATTESTRY_AUDIT_WEBHOOK_KEY: 'k'.repeat(32),
    }
    expect(problemsOf({ ...good, ...env })).toEqual([])
  })

  test('names everything wrong in one sentence each, and repeats none of the values', () => {
    const env = { DATABASE_URL: 'mysql://u:hunter2@h/d', SECRET_KEY: 'hunter4', ATTESTRY_PORT: 'x' }
    const error = (() => {
      try {
        return readConfiguration(env)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(String(error)).toMatch(/DATABASE_URL: .*\n.*SECRET_KEY: .*\n.*ATTESTRY_PORT: /)
    expect(inspect(error, { depth: 9 })).not.toMatch(/hunter\d/)
  })

  test('shows no secret when the configuration itself is printed', () => {
    const configuration = readConfiguration(good)
    const shown = [
      inspect(configuration, { depth: 9 }),
      JSON.stringify(configuration),
      String(configuration.SECRET_KEY),
    ]
    expect(shown.join('\n')).not.toMatch(/hunter\d|aHVudGVyMw/)
  })
})

describe('describeConfiguration()', () => {
  test('has a line for every variable, with what it is for', () => {
    const lines = describeConfiguration({})
    expect(lines.map((l) => l.variable)).toEqual(Object.keys(variables))
    for (const { says } of lines) expect(says.length).toBeGreaterThan(10)
  })

  test('shows values in force, defaults among them, but never a secret', () => {
    const lines = describeConfiguration({ ...good, ATTESTRY_TENANT: 'contoso' })
    const value = (name: string) => lines.find((l) => l.variable === name)?.value
    expect(value('ATTESTRY_TENANT')).toBe('contoso')
    expect(value('ATTESTRY_SWEEP_SECONDS')).toBe('30')
    expect(value('ATTESTRY_PORT')).toBe('')
    for (const name of ['DATABASE_URL', 'SERVICE_BUS_CONNECTION', 'SECRET_KEY'])
      expect(value(name)).toBe('(set)')
    expect(JSON.stringify(lines)).not.toMatch(/hunter\d|aHVudGVyMw/)
  })

  test('says what is missing or wrong, without the value', () => {
    const lines = describeConfiguration({ DATABASE_URL: 'mysql://u:hunter2@h/d' })
    const problem = (name: string) => lines.find((l) => l.variable === name)?.problem
    expect(problem('SECRET_KEY')).toBe('missing')
    expect(problem('DATABASE_URL')).toMatch(/postgres/)
    expect(problem('ATTESTRY_TENANT')).toBeNull()
    expect(JSON.stringify(lines)).not.toContain('hunter2')
  })

  test('finds everything that a start would refuse', () => {
    const { SERVICE_BUS_CONNECTION: _, ...rest } = good
    for (const env of [
      rest,
      { ...good, SERVICE_BUS_NAMESPACE: 'contoso.servicebus.windows.net' },
      { ...good, ATTESTRY_AUDIT_WEBHOOK: 'https://siem.example/attestry' },
      { ...good, ATTESTRY_TSA: 'DigiCert=http://timestamp.digicert.com' },
    ])
      expect(
        describeConfiguration(env).flatMap(({ variable, problem }) => (problem === null ? [] : [variable])),
      ).toEqual(problemsOf(env).map(({ variable }) => variable))
  })
})
