import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type CredentialKind,
  type DataOf,
  type EventOf,
  type Fact,
  fact,
  type PlannedDependent,
  type RotationTarget,
} from '@attestry/contracts'
import { Transient } from '@attestry/kit'
import { type AzureAccess, azureAccess } from '@attestry/kit/azure'
import { type Consumer, type RunningCloud, seededEstate, startCloud } from '@attestry/twin'
import { signedOutside } from './authority.fixture.ts'
import { ALWAYS } from './calendar.ts'
import { azureSwitchers } from './dependents/azure.ts'
import { azureIssuers } from './issuers/azure.ts'
import type { Order, Work } from './issuers/issuer.ts'
import { next } from './next.ts'
import { perform } from './steps.ts'
import { evolve, type Rotation } from './state.ts'

/*
 * The workshop estate in the twin, rotated by the real saga with the real issuers. Time is the twin's, frozen, and moves
 * when a step waits. The record is a list that outlives whoever works on it, so a process can die and another go on.
 */

export const GRACE_MS = 86_400_000
const START = Date.parse('2026-03-02T08:00:00Z')
export const ROTATION = 'rotation-0123456789abcdef'

/** A role as docs/azure-setup.md says it. */
interface Role {
  readonly Name: string
  readonly Actions: readonly string[]
  readonly DataActions: readonly string[]
}
/** The roles that the page defines, by name: what is granted here is what is written there. */
export const documentedRoles: ReadonlyMap<string, Role> = new Map(
  [
    ...readFileSync(new URL('../../docs/azure-setup.md', import.meta.url), 'utf8').matchAll(
      /```json\n([\s\S]*?)```/g,
    ),
  ].map(([, text = '']) => {
    const role = JSON.parse(text) as Role // our own page; a test looks at its parts
    return [role.Name.replace('Attestry Rotation ', ''), role]
  }),
)

export interface Workshop extends AsyncDisposable {
  readonly cloud: RunningCloud
  readonly subscription: string
  /** Access as a process that has just started has it. */
  access(): AzureAccess
  /** Gives the identity a documented role at a resource, less some actions. */
  grant(role: string, at: string, without?: string): void
  resource(type: string, name: string, below?: string): string
}

/** Starts the twin with the workshop estate; the identity has the documented roles where they are needed. */
export async function workshop({ roles = true }: { roles?: boolean } = {}): Promise<Workshop> {
  const cloud = await startCloud({ estate: seededEstate(START, 'workshop') })
  cloud.clock.freeze(START)
  // Years: what is tried here is rotation, and not how tokens are renewed.
  cloud.settings.tokenLifetimeSeconds = 10 * 365 * 86_400
  const { estate } = cloud
  const principal = estate.servicePrincipals.find(({ name }) => name === 'attestry-rotation')
  const own = estate.applications.find(({ name }) => name === 'attestry-rotation')
  const [subscription] = estate.subscriptions.map(({ id }) => id)
  if (!principal || !own || subscription === undefined) throw new Error('this is not the workshop estate')
  let granted = 0
  const made: Workshop = {
    cloud,
    subscription,
    access: () =>
      azureAccess({
        endpoint: cloud.url,
        env: {
          AZURE_TENANT_ID: estate.directory,
          AZURE_CLIENT_ID: own.appId,
          AZURE_CLIENT_SECRET: own.passwords[0]?.secret,
        },
      }),
    grant(name, at, without) {
      const role = documentedRoles.get(name)
      if (!role) throw new Error(`docs/azure-setup.md defines no role ${name}`)
      granted += 1
      const kept = (actions: readonly string[]) => actions.filter((action) => action !== without)
      estate.roleDefinitions.push({
        id: `role-${granted}`,
        name: `${role.Name} ${granted}`,
        custom: true,
        actions: kept(role.Actions),
        notActions: [],
        dataActions: kept(role.DataActions),
      })
      estate.roleAssignments.push({
        id: `assignment-${granted}`,
        roleDefinition: `role-${granted}`,
        principal: principal.id,
        scope: at,
      })
    },
    resource: resourcesOf(cloud),
    [Symbol.asyncDispose]: () => cloud.stop(),
  }
  if (roles) for (const { role, at } of grants(made)) made.grant(role, at)
  return made
}

/** Ids of the workshop's resources. */
export const resourcesOf =
  ({ estate }: RunningCloud): Workshop['resource'] =>
  (type, name, below = '') => {
    const [main, recovery] = estate.subscriptions.map(({ id }) => id)
    const group =
      name === 'kv-workshop-spare'
        ? `${recovery}/resourceGroups/rg-recovery`
        : `${main}/resourceGroups/rg-shop`
    return `/subscriptions/${group}/providers/${type}/${name}${below}`
  }

/** Where each documented role is needed for all rotations of the workshop. */
export const grants = ({ resource }: Pick<Workshop, 'resource'>) => {
  const vault = (name: string, below = '') => resource('Microsoft.KeyVault/vaults', name, below)
  return [
    { role: 'Secrets', at: vault('kv-workshop') },
    { role: 'Secrets', at: vault('kv-workshop-spare') },
    ...['shop-client', 'reporting-client', 'orders-storage', 'orders-bus'].map((secret) => ({
      role: 'Read Back',
      at: vault('kv-workshop', `/secrets/${secret}`),
    })),
    { role: 'Read Back', at: vault('kv-workshop', '/secrets/shop-client-next') },
    { role: 'Read Back', at: vault('kv-workshop-spare', '/secrets/shop-client-copy') },
    { role: 'Read Back', at: vault('kv-workshop-spare', '/secrets/shop-client-copy-next') },
    { role: 'Keys', at: vault('kv-workshop') },
    { role: 'Certificates', at: vault('kv-workshop') },
    { role: 'Storage Keys', at: resource('Microsoft.Storage/storageAccounts', 'stworkshop') },
    { role: 'Service Bus Keys', at: resource('Microsoft.ServiceBus/namespaces', 'sb-workshop') },
    ...['app-shop', 'app-shop-canary', 'func-orders'].map((site) => ({
      role: 'App References',
      at: resource('Microsoft.Web/sites', site),
    })),
    { role: 'App Settings', at: resource('Microsoft.Web/sites', 'app-shop-legacy') },
    { role: 'Container Apps', at: resource('Microsoft.App/containerApps', 'ca-reports') },
  ]
}

/** A key for MACs, as an install has one. */
const mac = (value: Uint8Array): string => createHmac('sha256', 'install').update(value).digest('base64url')

export interface Job {
  readonly kind: CredentialKind
  readonly subject: DataOf<'rotation.planned'>['subject']
  readonly targets: readonly Pick<RotationTarget, 'uri' | 'secret' | 'content'>[]
  readonly dependents: readonly PlannedDependent[]
  /** Workloads that sign in all the time with what is rotated. */
  consumers(cloud: RunningCloud): Consumer[]
}

export const JOBS = [
  'app-secret',
  'sp-secret',
  'storage-key',
  'servicebus-key',
  'key',
  'certificate-self',
  'certificate-authority',
  'certificate-merge',
] as const
export type JobName = (typeof JOBS)[number]

/** The rotations that the workshop has work for. */
export function jobOf({ cloud, resource }: Pick<Workshop, 'cloud' | 'resource'>, name: JobName): Job {
  const { estate } = cloud
  const application = (title: string) => {
    const found = estate.applications.find((one) => one.name === title)
    if (!found) throw new Error(`there is no ${title}`)
    return found
  }
  const main = (secret: string, content: RotationTarget['content'] = 'value') => ({
    uri: 'https://kv-workshop.vault.azure.net',
    secret,
    content,
  })
  let count = 0
  const dependent = (
    kind: PlannedDependent['kind'],
    type: string,
    title: string,
    setting: string,
    canary = false,
  ): PlannedDependent => {
    count += 1
    return {
      dependent: `resource-000${count}`,
      kind,
      name: title,
      at: resource(type, title),
      setting,
      target: 0,
      confidence: 100,
      canary,
    }
  }
  const site = (title: string, setting: string, canary = false) =>
    dependent('app-service-reference', 'Microsoft.Web/sites', title, setting, canary)
  const certificate = (title: string, setting: string): Job => ({
    kind: 'certificate',
    subject: { kind: 'certificate', at: 'https://kv-workshop.vault.azure.net', part: title, name: title },
    targets: [],
    dependents: [],
    consumers: (running) => [
      running.consume({ site: 'app-shop', setting }, { nothing: true }),
      running.consume({ vault: 'kv-workshop', secret: title }, { nothing: true }),
    ],
  })
  switch (name) {
    case 'app-secret': {
      const { id, appId } = application('workshop-shop')
      const into = { application: 'workshop-shop' }
      return {
        kind: name,
        subject: { kind: name, at: id, part: appId, name: 'workshop-shop' },
        targets: [
          main('shop-client'),
          { uri: 'https://kv-workshop-spare.vault.azure.net', secret: 'shop-client-copy', content: 'value' },
        ],
        dependents: [
          site('app-shop', 'SHOP_CLIENT'),
          site('app-shop-canary', 'SHOP_CLIENT', true),
          dependent('app-service-setting', 'Microsoft.Web/sites', 'app-shop-legacy', 'SHOP_CLIENT'),
          dependent('container-app', 'Microsoft.App/containerApps', 'ca-reports', 'shop-client'),
        ],
        consumers: (running) => [
          running.consume({ site: 'app-shop', setting: 'SHOP_CLIENT' }, into),
          running.consume({ site: 'app-shop-canary', setting: 'SHOP_CLIENT' }, into),
          running.consume({ site: 'app-shop-legacy', setting: 'SHOP_CLIENT' }, into),
          running.consume({ containerApp: 'ca-reports', secret: 'shop-client' }, into),
          running.consume({ vault: 'kv-workshop', secret: 'shop-client' }, into),
          running.consume({ vault: 'kv-workshop-spare', secret: 'shop-client-copy' }, into),
        ],
      }
    }
    case 'sp-secret': {
      const principal = estate.servicePrincipals.find((one) => one.name === 'workshop-reporting')
      if (!principal) throw new Error('there is no workshop-reporting')
      const into = { application: 'workshop-reporting' }
      return {
        kind: name,
        subject: { kind: name, at: principal.id, part: principal.appId, name: 'workshop-reporting' },
        targets: [main('reporting-client')],
        dependents: [
          dependent('container-app', 'Microsoft.App/containerApps', 'ca-reports', 'reporting-client'),
        ],
        consumers: (running) => [
          running.consume({ containerApp: 'ca-reports', secret: 'reporting-client' }, into),
          running.consume({ vault: 'kv-workshop', secret: 'reporting-client' }, into),
        ],
      }
    }
    case 'storage-key': {
      const into = { storageAccount: 'stworkshop' }
      return {
        kind: name,
        subject: {
          kind: name,
          at: resource('Microsoft.Storage/storageAccounts', 'stworkshop'),
          part: null,
          name: 'stworkshop',
        },
        targets: [main('orders-storage', 'connection-string')],
        dependents: [site('func-orders', 'ORDERS_STORAGE')],
        consumers: (running) => [
          running.consume({ site: 'func-orders', setting: 'ORDERS_STORAGE' }, into),
          running.consume({ vault: 'kv-workshop', secret: 'orders-storage' }, into),
        ],
      }
    }
    case 'servicebus-key': {
      const into = { serviceBus: 'sb-workshop', rule: 'orders' }
      return {
        kind: name,
        subject: {
          kind: name,
          at: resource('Microsoft.ServiceBus/namespaces', 'sb-workshop'),
          part: 'orders',
          name: 'sb-workshop',
        },
        targets: [main('orders-bus', 'connection-string')],
        dependents: [site('func-orders', 'ORDERS_BUS')],
        consumers: (running) => [
          running.consume({ site: 'func-orders', setting: 'ORDERS_BUS' }, into),
          running.consume({ vault: 'kv-workshop', secret: 'orders-bus' }, into),
        ],
      }
    }
    case 'key':
      return {
        kind: name,
        subject: {
          kind: name,
          at: 'https://kv-workshop.vault.azure.net',
          part: 'receipt-signing',
          name: 'receipt-signing',
        },
        targets: [],
        dependents: [],
        consumers: () => [],
      }
    case 'certificate-self':
      return certificate('shop-internal', 'TLS_INTERNAL')
    case 'certificate-authority':
      return certificate('shop-public', 'TLS_PUBLIC')
    case 'certificate-merge':
      return certificate('shop-partner', 'TLS_PARTNER')
  }
}

/** The process is dead: nothing that it still does counts. */
export class Killed extends Error {
  override readonly name = 'Killed'
}

/** What outlives a process. */
export interface Record {
  readonly events: EventOf[]
  /** How far the machine's clock is off from the cloud's and the database's. */
  skewMs?: number
}

/** One process that works on a rotation. */
export class Process {
  readonly #kill = new AbortController()
  readonly #parts: { issuers: ReturnType<typeof azureIssuers>; switchers: ReturnType<typeof azureSwitchers> }
  readonly shop: Workshop
  readonly record: Record
  state: Rotation | null = null
  /** Called around each record; may kill. */
  around: (when: 'before' | 'after', facts: readonly Fact[]) => void = () => undefined
  tries = 0

  constructor(shop: Workshop, record: Record, timeoutMs = 10_000) {
    this.shop = shop
    this.record = record
    const access = shop.access()
    this.#parts = {
      issuers: azureIssuers(access, { timeoutMs, reportLagMs: 3_600_000 }),
      switchers: azureSwitchers(access, { timeoutMs }),
    }
    for (const event of record.events) this.state = evolve(this.state, event)
  }

  kill(): void {
    this.#kill.abort()
  }
  get dead(): boolean {
    return this.#kill.signal.aborted
  }

  now(): Temporal.Instant {
    return Temporal.Instant.fromEpochMilliseconds(this.shop.cloud.clock.now() + (this.record.skewMs ?? 0))
  }

  work(): Work {
    return {
      signal: this.#kill.signal,
      now: () => this.now(),
      pause: (ms) => {
        if (this.dead) return Promise.reject(new Killed())
        this.shop.cloud.clock.advance(ms)
        return Promise.resolve()
      },
      mac,
      proof: { successes: 3, overMs: 60_000, giveUpMs: 600_000 },
      progress: () => undefined,
    }
  }

  issuer(kind: CredentialKind) {
    const found = this.#parts.issuers[kind]
    if (!found) throw new Error(`no issuer of ${kind}`)
    return found
  }
  get switchers() {
    return this.#parts.switchers
  }

  append(facts: readonly Fact[]): void {
    if (this.dead) throw new Killed()
    this.around('before', facts)
    if (this.dead) throw new Killed()
    for (const one of facts) {
      const position = this.record.events.length + 1
      const event = {
        ...one,
        tenant: 'acme',
        seq: position,
        stream: ROTATION,
        position,
        // By the database's clock, as the ledger stamps it.
        at: new Date(this.shop.cloud.clock.now()).toISOString(),
        id: String(position),
        by: { kind: 'operator', id: 'operator-0001' },
        cause: { correlation: 'c', causation: 'c' },
        // A fact and the place that the ledger would give it are an event.
      } as EventOf
      this.record.events.push(event)
      this.state = evolve(this.state, event)
    }
    this.around('after', facts)
    if (this.dead) throw new Killed()
  }

  /** Plans and starts a rotation, as the service does on request. */
  async begin(job: Job, more: Partial<DataOf<'rotation.planned'>> = {}): Promise<void> {
    const work = this.work()
    const targets = job.targets.map((one, index) => ({
      vault: `vault-000${index}`,
      ...one,
      previous: null,
    }))
    const seen = await this.issuer(job.kind).look(job.subject, targets, work)
    const own = seen.live.toSorted((a, b) => ((a.startsAt ?? '') < (b.startsAt ?? '') ? 1 : -1))[0]
    const inUse = seen.slotInUse ?? seen.serves ?? own?.keyId
    if (inUse === undefined) throw new Error('there is nothing to rotate')
    const plan: DataOf<'rotation.planned'> = {
      rotation: ROTATION,
      policy: 'policy-0001',
      credential: 'app-secret-0001',
      mode: 'normal',
      subject: job.subject,
      snapshot: [...seen.live],
      retires: [inUse],
      slot: seen.slotInUse === null ? null : (seen.live.find(({ keyId }) => keyId !== inUse)?.keyId ?? null),
      targets: targets.map((one, index) => ({
        ...one,
        previous: seen.targets.find(({ target }) => target === index)?.version ?? null,
      })),
      endsAt: job.kind.endsWith('-secret')
        ? this.now()
            .add({ hours: 24 * 105 })
            .toString()
        : null,
      graceMs: GRACE_MS,
      approvals: 0,
      prestageMs: null,
      window: null,
      planHash: 'a'.repeat(64),
      dependents: job.dependents.length,
      trigger: 'operator',
      expiresAt: this.now().add({ hours: 24 }).toString(),
      currentEndsAt: null,
      ...more,
    }
    this.append([
      fact('rotation.planned', plan),
      fact('rotation.dependents-planned', {
        rotation: ROTATION,
        planHash: plan.planHash,
        dependents: [...job.dependents],
      }),
    ])
    this.append([
      fact('rotation.requested', {
        rotation: ROTATION,
        planHash: plan.planHash,
        ticket: null,
        incident: null,
      }),
      fact('rotation.scheduled', { rotation: ROTATION, opensAt: this.now().toString(), closesAt: null }),
    ])
  }

  order(): Order {
    if (!this.state) throw new Error('nothing is planned')
    return { ...this.state.plan, attempt: Math.max(1, this.state.attempt) }
  }

  /** One step, or a wait, which moves the clock. Answers what it was. */
  async turn(): Promise<string> {
    if (!this.state) throw new Error('nothing is planned')
    const { clock } = this.shop.cloud
    const what = next(this.state, this.now(), ALWAYS)
    const waitFor = (until: Temporal.Instant | null) => {
      const ms = until === null ? 0 : until.epochMilliseconds - this.now().epochMilliseconds
      if (ms > 0) clock.advance(ms)
    }
    if ('over' in what) return 'over'
    if ('wait' in what) {
      waitFor(what.until)
      return `wait ${what.wait}`
    }
    let expected = this.record.events.length
    try {
      const again = await perform(what, this.state, {
        issuer: this.issuer(this.state.plan.subject.kind),
        switchers: this.switchers,
        work: this.work(),
        calendar: ALWAYS,
        // As the service does.
        lastTry: this.tries >= 11,
        record: (facts, when) => {
          if (when === 'here' && this.record.events.length !== expected) throw new Transient('moved')
          this.append(facts)
          expected = this.record.events.length
          return Promise.resolve()
        },
        lease: () => Promise.resolve(null),
        secretAsset: () => 'secret-0001',
        credentialAsset: () => 'app-secret-0002',
      })
      this.tries = 0
      waitFor(again)
      return what.do
    } catch (error) {
      if (this.dead) throw new Killed('killed', { cause: error })
      if (!(error instanceof Transient)) throw error
      // As the host does: the command is tried again a little later.
      this.tries += 1
      clock.advance(error.retryAfterMs ?? 5_000)
      return 'again'
    }
  }

  /** A person brings the certificate that the pending request was made for. */
  async merge(): Promise<void> {
    const request = this.state?.pending?.request
    if (!this.state || !request) throw new Error('no request waits for a certificate')
    const chain = [await signedOutside(request, new Date(this.shop.cloud.clock.now()))]
    this.append([fact('rotation.merge-intended', { rotation: ROTATION, thumbprints: [] })])
    const answer = await this.issuer('certificate').follow?.(this.order(), chain, this.work())
    if (answer?.state !== 'issued') throw new Error('the certificate was not merged')
    const { keyId, endsAt, mac: of } = answer
    this.append([
      fact('rotation.credential-issued', { rotation: ROTATION, keyId, endsAt, mac: of, recovered: false }),
    ])
  }

  /** A person tries again what was not answered. */
  async #bring(): Promise<void> {
    for (let tries = 0; tries < 3; tries++)
      try {
        return await this.merge()
      } catch (error) {
        if (this.dead) throw new Killed('killed', { cause: error })
        if (!(error instanceof Transient)) throw error
      }
  }

  /** Turns until it is over or waits for a person; a certificate that somebody else signs is brought. */
  async run(most = 150): Promise<string> {
    for (let turns = 0; turns < most; turns++) {
      const did = await this.turn()
      if (did === 'follow' && this.state?.pending?.awaits === 'merge') await this.#bring()
      else if (did === 'over' || /^wait (person|request|approval|confirmation|paused|merge)$/.test(did))
        return did
    }
    return 'did not end'
  }

  names(): string[] {
    return this.record.events.map(({ type }) => type.slice('rotation.'.length))
  }
}
