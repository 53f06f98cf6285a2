import { readFileSync } from 'node:fs'
import { readConfiguration, SERVICE_PORTS, variables } from '@attestry/kit'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { SERVICES, type ServiceName } from '../services/process.ts'

const text = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8')

/** The parts of a compose service that these tests look at; what else it says is left alone. */
const ComposeService = z.looseObject({
  image: z.string(),
  build: z.looseObject({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
  network_mode: z.string().optional(),
  restart: z.string().optional(),
  read_only: z.boolean().default(false),
  stdin_open: z.boolean().default(false),
  healthcheck: z
    .object({ test: z.array(z.string()) })
    .loose()
    .optional(),
  depends_on: z.record(z.string(), z.looseObject({ condition: z.string() })).default({}),
})
const Compose = z.object({
  services: z.record(z.string(), ComposeService),
  networks: z.record(z.string(), z.looseObject({ internal: z.boolean().default(false) })),
  volumes: z.record(z.string(), z.unknown()),
})
const compose = Compose.parse(parse(text, { merge: true }))

/** A service of the file, which must be there. */
function service(name: string) {
  const found = compose.services[name]
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`)
  return found
}
const ours = SERVICES.map((name) => ({ name, ...service(name) }))

/**
 * What compose makes of `${NAME}`, `${NAME-default}`, `${NAME:-default}` and `${NAME:?message}`.
 * @throws as compose does, naming a needed variable that is not set
 */
const interpolate = (value: string, given: Readonly<Record<string, string>>): string =>
  value.replaceAll(
    /\$\{(\w+)(?:(:?)([-?])([^}]*))?\}/g,
    (_, name: string, colon: string, kind: string, rest: string) => {
      const set = given[name]
      if (set !== undefined && (colon !== ':' || set !== '')) return set
      if (kind === '?') throw new Error(`required variable ${name} is missing a value: ${rest}`)
      return kind === '-' ? rest : ''
    },
  )

const environmentOf = (name: ServiceName, given: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(service(name).environment).map(([k, v]) => [k, interpolate(v, given)]))

const NEEDED = {
  POSTGRES_PASSWORD: 'admin0password',
  ATTESTRY_DATABASE_PASSWORD: 'login0password',
  SECRET_KEY: 'k'.repeat(44),
  ACCEPT_EULA: 'Y',
  MSSQL_SA_PASSWORD: 'Str0ng-enough',
}

describe('docker-compose.yml', () => {
  test('runs every service in a container of its own, all from the one image', () => {
    for (const { name, command, build, image, restart } of ours) {
      expect(command, name).toEqual([name])
      expect(build, name).toMatchObject({ dockerfile: 'deploy/Dockerfile', target: 'production' })
      expect(image, name).toBe(ours[0]?.image)
      expect(restart, name).toBe('unless-stopped')
    }
    const running = Object.entries(compose.services).filter(([, s]) => s.build?.target === 'production')
    expect(running.map(([name]) => name).toSorted()).toEqual([...SERVICES].toSorted())
  })

  test('gives every service a configuration that it accepts', () => {
    for (const { name } of ours) {
      const read = readConfiguration(environmentOf(name, NEEDED))
      expect(read.ATTESTRY_HOST, name).toBe('0.0.0.0')
      expect(new URL(read.DATABASE_URL.text()).password).toBe('login0password')
      expect(new URL(read.DATABASE_URL.text()).host).toBe('postgres:5432')
      expect(new URL(read.DATABASE_ADMIN_URL?.text() ?? '').username).toBe('postgres')
      expect(read.SERVICE_BUS_CONNECTION?.text(), name).toMatch(/^Endpoint=sb:\/\/servicebus;/)
      expect(read.SERVICE_BUS_NAMESPACE, name).toBeUndefined()
      expect(read.ATTESTRY_AZURE_ENDPOINT, 'a chain is real unless somebody asks').toBeUndefined()
    }
  })

  test('takes a real namespace in place of the emulator', () => {
    const given = {
      ...NEEDED,
      SERVICE_BUS_CONNECTION: '',
      SERVICE_BUS_NAMESPACE: 'name.servicebus.windows.net',
    }
    for (const { name } of ours) {
      const read = readConfiguration(environmentOf(name, given))
      expect(read.SERVICE_BUS_CONNECTION, name).toBeUndefined()
      expect(read.SERVICE_BUS_NAMESPACE, name).toBe('name.servicebus.windows.net')
    }
  })

  test.each(Object.keys(NEEDED))('refuses to start without %s, by name', (missing) => {
    const given = { ...NEEDED, [missing]: '' }
    expect(() =>
      Object.values(compose.services)
        .flatMap((s) => Object.values(s.environment))
        .map((value) => interpolate(value, given)),
    ).toThrow(`required variable ${missing} is missing`)
  })

  test('sets no variable that the product or Azure’s libraries do not read', () => {
    const azure = /^(AZURE|IDENTITY)_[A-Z_]+$/
    for (const { name, environment } of ours)
      for (const variable of Object.keys(environment))
        expect(variable in variables || azure.test(variable), `${variable} of ${name}`).toBe(true)
  })

  test('keeps secrets out of the file', () => {
    for (const { name, environment } of Object.values(ours))
      for (const [variable, value] of Object.entries(environment))
        if (variable === 'SECRET_KEY' || /PASSWORD|SECRET$/.test(variable))
          expect(value, `${variable} of ${name}`).toMatch(/^\$\{\w+(:\?[^}]+|:-)\}$/)
    for (const url of ['DATABASE_URL', 'DATABASE_ADMIN_URL'])
      expect(service('gateway').environment[url]).toMatch(/:\$\{\w+:\?[^}]+\}@/)
  })

  test('tells the gateway where the services with an HTTP face are', () => {
    const environment = environmentOf('gateway', NEEDED)
    const mounted = Object.keys(variables).flatMap((v) => /^ATTESTRY_(\w+)_URL$/.exec(v)?.[1] ?? [])
    for (const name of mounted.map((m) => m.toLowerCase()).filter((m) => m in SERVICE_PORTS)) {
      // Just filtered by the table.
      const port = SERVICE_PORTS[name as keyof typeof SERVICE_PORTS]
      expect(environment[`ATTESTRY_${name.toUpperCase()}_URL`]).toBe(`http://${name}:${port}`)
      expect(Object.keys(compose.services), name).toContain(name)
    }
  })

  test('asks each service for its health at its own port', () => {
    for (const { name, healthcheck } of ours) {
      const port = name === 'gateway' ? 4600 : SERVICE_PORTS[name]
      expect(healthcheck?.test, name).toEqual(['CMD', 'node', 'deploy/health.ts', String(port)])
    }
  })

  test('opens the gateway alone, and on loopback alone', () => {
    for (const [name, { ports }] of Object.entries(compose.services))
      expect(ports, name).toEqual(name === 'gateway' ? ['127.0.0.1:4600:4600'] : [])
    for (const name of ['postgres', 'servicebus', 'mssql']) expect(service(name).networks).toEqual(['inside'])
    expect(compose.networks['inside']?.internal).toBe(true)
  })

  test('keeps what must survive a restart in volumes that are declared', () => {
    const state = '/var/lib/attestry'
    // The signing key and the bundles; the first sign-in.
    expect(service('evidence').volumes).toContain(`evidence:${state}`)
    expect(service('gateway').volumes).toContain(`gateway:${state}`)
    for (const { name, environment, read_only } of ours) {
      expect(environment['ATTESTRY_STATE_DIR'], name).toBe(state)
      expect(read_only, name).toBe(true)
    }
    const named = Object.values(compose.services)
      .flatMap((s) => s.volumes.map((v) => v.split(':')[0] ?? ''))
      .filter((v) => !v.startsWith('.'))
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)))
  })

  test('starts the twin only when asked, beside the one service that talks to the cloud', () => {
    const twin = service('twin')
    expect(twin.profiles).toEqual(['twin'])
    expect(twin.build).toMatchObject({ dockerfile: 'deploy/Dockerfile', target: 'twin' })
    expect(twin.network_mode, 'the product takes a twin on loopback alone').toBe('service:discovery')
    expect(twin.stdin_open, 'it ends when its standard input does').toBe(true)
    for (const { name, depends_on } of ours) expect(Object.keys(depends_on), name).not.toContain('twin')
    const given = { ...NEEDED, ATTESTRY_AZURE_ENDPOINT: 'http://127.0.0.1:4610' }
    for (const { name } of ours)
      expect(readConfiguration(environmentOf(name, given)).ATTESTRY_AZURE_ENDPOINT, name).toBeDefined()
  })

  test('is explained variable by variable in example.env', () => {
    const example = readFileSync(new URL('./example.env', import.meta.url), 'utf8')
    const explained = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map((m) => m[1])
    const used = [...text.matchAll(/\$\{([A-Z_]+)/g)].map((m) => m[1])
    expect(new Set(explained)).toEqual(new Set(used))
    const needed = [...example.matchAll(/^([A-Z_]+)=/gm)].map((m) => m[1])
    expect(new Set(needed)).toEqual(new Set(Object.keys(NEEDED)))
  })
})

const Entity = z.object({ Name: z.string(), Properties: z.record(z.string(), z.unknown()) })
const Topology = z.object({
  UserConfig: z.object({
    Namespaces: z
      .array(
        z.object({
          Name: z.string(),
          Queues: z.array(Entity).default([]),
          Topics: z.array(
            Entity.extend({ Subscriptions: z.array(Entity.extend({ Rules: z.array(Entity) })) }),
          ),
        }),
      )
      .length(1),
  }),
})

describe('the bus that the containers share', () => {
  const topology = Topology.parse(
    JSON.parse(readFileSync(new URL('./servicebus/config.json', import.meta.url), 'utf8')),
  )
  const namespace = topology.UserConfig.Namespaces[0]
  const queues = namespace?.Queues ?? []
  const topics = namespace?.Topics ?? []
  const subscriptions = topics.flatMap((t) => t.Subscriptions)
  const seconds = (duration: unknown) => {
    const [, minutes = '0', rest = '0'] = /^PT(?:(\d+)M)?(?:(\d+)S)?$/.exec(String(duration)) ?? []
    return Number(minutes) * 60 + Number(rest)
  }

  test('is the file that the emulator’s container is given', () => {
    expect(service('servicebus').volumes).toContain(
      './deploy/servicebus/config.json:/ServiceBus_Emulator/ConfigFiles/Config.json:ro',
    )
  })

  test('has a subscription to the events and a queue of commands for every service', () => {
    expect(topics.map((t) => t.Name)).toEqual(['events'])
    for (const name of SERVICES) {
      expect(subscriptions.map((s) => s.Name)).toContain(name)
      const queue = queues.find((q) => q.Name === `${name}-commands`)
      expect(queue?.Properties, name).toMatchObject({ RequiresSession: true })
    }
    for (const s of subscriptions) expect(s.Rules.length, s.Name).toBeGreaterThan(0)
  })

  test('stays within what the emulator allows', () => {
    expect(queues.length + topics.length).toBeLessThanOrEqual(50)
    for (const topic of topics) expect(topic.Subscriptions.length).toBeLessThanOrEqual(50)
    for (const { Name, Properties } of [...queues, ...subscriptions]) {
      expect(seconds(Properties['LockDuration']), Name).toBeGreaterThanOrEqual(60)
      expect(seconds(Properties['LockDuration']), Name).toBeLessThanOrEqual(300)
      expect(Properties['MaxDeliveryCount'], Name).toBeLessThanOrEqual(10)
    }
    for (const { Name, Properties } of [...queues, ...topics])
      expect(seconds(Properties['DuplicateDetectionHistoryTimeWindow']), Name).toBeLessThanOrEqual(300)
    // One connection a process.
    expect(SERVICES.length).toBeLessThanOrEqual(10)
  })
})
