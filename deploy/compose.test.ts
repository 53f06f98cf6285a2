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

/** Something of each of our services, by its name, so that a failure says whose it is. */
const each = <T>(of: (service: (typeof ours)[number]) => T): Record<string, T> =>
  Object.fromEntries(ours.map((s) => [s.name, of(s)]))
const all = <T>(value: T): Record<string, T> => each(() => value)

describe('docker-compose.yml', () => {
  test('runs every service in a container of its own, all from the one image', () => {
    expect(each((s) => s.command)).toEqual(each((s) => [s.name]))
    expect(each((s) => s.build?.dockerfile)).toEqual(all('deploy/Dockerfile'))
    expect(each((s) => s.image)).toEqual(all(ours[0]?.image))
    expect(each((s) => s.restart)).toEqual(all('unless-stopped'))
    const built = Object.entries(compose.services).filter(([, s]) => s.build?.target === 'production')
    expect(built.map(([name]) => name).toSorted()).toEqual([...SERVICES].toSorted())
  })

  test('gives every service a configuration that it accepts', () => {
    const read = each((s) => readConfiguration(environmentOf(s.name, NEEDED)))
    for (const c of Object.values(read)) {
      expect(c.ATTESTRY_HOST).toBe('0.0.0.0')
      expect(c.DATABASE_URL.text()).toBe('postgres://attestry_login:login0password@postgres:5432/attestry')
      expect(c.DATABASE_ADMIN_URL?.text()).toBe('postgres://postgres:admin0password@postgres:5432/attestry')
      expect(c.SERVICE_BUS_CONNECTION?.text()).toMatch(/^Endpoint=sb:\/\/servicebus;/)
      expect(c.SERVICE_BUS_NAMESPACE).toBeUndefined()
      // A chain is real unless somebody asks for the twin.
      expect(c.ATTESTRY_AZURE_ENDPOINT).toBeUndefined()
    }
  })

  test('takes a real namespace in place of the emulator', () => {
    const SERVICE_BUS_NAMESPACE = 'name.servicebus.windows.net'
    const given = { ...NEEDED, SERVICE_BUS_CONNECTION: '', SERVICE_BUS_NAMESPACE }
    const read = each((s) => readConfiguration(environmentOf(s.name, given)))
    for (const c of Object.values(read)) expect(c).toMatchObject({ SERVICE_BUS_NAMESPACE })
    for (const c of Object.values(read)) expect(c.SERVICE_BUS_CONNECTION).toBeUndefined()
  })

  test.each(Object.keys(NEEDED))('refuses to start without %s, by name', (missing) => {
    const given = { ...NEEDED, [missing]: '' }
    const values = Object.values(compose.services).flatMap((s) => Object.values(s.environment))
    expect(() => values.map((value) => interpolate(value, given))).toThrow(
      `required variable ${missing} is missing`,
    )
  })

  test('sets no variable that neither the product nor Azure’s libraries read', () => {
    const unread = (name: string) => !(name in variables) && !/^(AZURE|IDENTITY)_[A-Z_]+$/.test(name)
    expect(each((s) => Object.keys(s.environment).filter(unread))).toEqual(all([]))
  })

  test('keeps secrets out of the file', () => {
    const asked = /^\$\{\w+(:\?[^}]+|:-)\}$/
    const inAddress = /^postgres:\/\/\w+:\$\{\w+:\?[^}]+\}@/
    const written = Object.values(compose.services).flatMap((s) =>
      Object.entries(s.environment).filter(([name, value]) => {
        if (/^DATABASE_\w*URL$/.test(name)) return !inAddress.test(value)
        return /^SECRET_KEY$|PASSWORD$|SECRET$/.test(name) && !asked.test(value)
      }),
    )
    expect(written).toEqual([])
  })

  test('tells the gateway where the services with an HTTP face are', () => {
    const environment = environmentOf('gateway', NEEDED)
    const elsewhere = Object.entries(SERVICE_PORTS).filter(
      ([name]) => `ATTESTRY_${name.toUpperCase()}_URL` in variables,
    )
    expect(elsewhere.length).toBeGreaterThan(0)
    for (const [name, port] of elsewhere) {
      expect(environment[`ATTESTRY_${name.toUpperCase()}_URL`]).toBe(`http://${name}:${port}`)
      expect(compose.services).toHaveProperty(name)
    }
  })

  test('asks each service for its health at its own port', () => {
    const port = (name: ServiceName) => (name === 'gateway' ? 4600 : SERVICE_PORTS[name])
    expect(each((s) => s.healthcheck?.test)).toEqual(
      each((s) => ['CMD', 'node', 'deploy/health.ts', String(port(s.name))]),
    )
  })

  test('opens the gateway alone, and on loopback alone', () => {
    const open = Object.entries(compose.services).filter(([, s]) => s.ports.length > 0)
    expect(open.map(([name, { ports }]) => [name, ports])).toEqual([['gateway', ['127.0.0.1:4600:4600']]])
    for (const name of ['postgres', 'servicebus', 'mssql']) expect(service(name).networks).toEqual(['inside'])
    expect(compose.networks['inside']?.internal).toBe(true)
  })

  test('keeps what must survive a restart in volumes that are declared', () => {
    const state = '/var/lib/attestry'
    expect(each((s) => s.environment['ATTESTRY_STATE_DIR'])).toEqual(all(state))
    expect(each((s) => s.read_only)).toEqual(all(true))
    // The signing key and the bundles; the first sign-in.
    expect(service('evidence').volumes).toContain(`evidence:${state}`)
    expect(service('gateway').volumes).toContain(`gateway:${state}`)
    const named = Object.values(compose.services)
      .flatMap((s) => s.volumes.map((v) => v.split(':')[0] ?? ''))
      .filter((v) => !v.startsWith('.'))
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)))
  })

  test('starts the twin only when asked, beside discovery', () => {
    const twin = service('twin')
    expect(twin.profiles).toEqual(['twin'])
    expect(twin.build).toMatchObject({ dockerfile: 'deploy/Dockerfile', target: 'twin' })
    // The product takes a twin on loopback alone, so one service reaches it; docs/operations.md says so.
    expect(twin.network_mode).toBe('service:discovery')
    // It ends when its standard input does.
    expect(twin.stdin_open).toBe(true)
    expect(each((s) => Object.keys(s.depends_on).includes('twin'))).toEqual(all(false))
    const ATTESTRY_AZURE_ENDPOINT = 'http://127.0.0.1:4610'
    const given = { ...NEEDED, ATTESTRY_AZURE_ENDPOINT }
    // All must know that the chain is a demonstration.
    for (const { name } of ours)
      expect(readConfiguration(environmentOf(name, given))).toMatchObject({ ATTESTRY_AZURE_ENDPOINT })
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
    expect(subscriptions.map((s) => s.Name)).toEqual(expect.arrayContaining([...SERVICES]))
    const inSessions = queues.filter((q) => q.Properties['RequiresSession'] === true).map((q) => q.Name)
    expect(inSessions).toEqual(expect.arrayContaining(SERVICES.map((name) => `${name}-commands`)))
    expect(subscriptions.filter((s) => s.Rules.length === 0)).toEqual([])
  })

  test('stays within what the emulator allows', () => {
    expect(queues.length + topics.length).toBeLessThanOrEqual(50)
    for (const topic of topics) expect(topic.Subscriptions.length).toBeLessThanOrEqual(50)
    for (const { Properties } of [...queues, ...subscriptions]) {
      expect(seconds(Properties['LockDuration'])).toBeGreaterThanOrEqual(60)
      expect(seconds(Properties['LockDuration'])).toBeLessThanOrEqual(300)
      expect(Properties['MaxDeliveryCount']).toBeLessThanOrEqual(10)
    }
    for (const { Properties } of [...queues, ...topics])
      expect(seconds(Properties['DuplicateDetectionHistoryTimeWindow'])).toBeLessThanOrEqual(300)
    // One connection a process.
    expect(SERVICES.length).toBeLessThanOrEqual(10)
  })
})
