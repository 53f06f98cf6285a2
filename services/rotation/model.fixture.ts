import { createHmac } from 'node:crypto'
import {
  type CredentialKind,
  type DataOf,
  type EventOf,
  type Fact,
  fact,
  type LiveCredential,
  type PlannedDependent,
} from '@attestry/contracts'
import { Transient } from '@attestry/kit'
import { calendarOf, type Calendar } from './calendar.ts'
import type { Switcher, Switchers } from './dependents/dependent.ts'
import { type Issuer, markedBy, markOf, type Order, type Work } from './issuers/issuer.ts'
import { next, RETIREMENT } from './next.ts'
import { works } from './proof.ts'
import { evolve, type Rotation } from './state.ts'
import { perform } from './steps.ts'
import type { StepParts } from './steps/parts.ts'

/*
 * A world of one principal, its vaults and its dependents, as small as the rules allow: what the saga is tested in when
 * thousands of orders of events are tried. The real issuers are tested against the twin.
 */

/** The process dies here. */
export class Crash extends Error {}

export interface Credential {
  readonly keyId: string
  value: string
  readonly name: string | null
  readonly startsAt: string
  readonly endsAt: string | null
}
interface Version {
  readonly version: string
  readonly value: string
  readonly keyId: string | null
  readonly rotation: string | null
  enabled: boolean
}

/** What was done to the world, for the invariants to be looked for in. */
export type Done =
  | { readonly what: 'added'; readonly keyId: string }
  | { readonly what: 'removed'; readonly keyId: string }
  | { readonly what: 'regenerated'; readonly keyId: string }
  | { readonly what: 'written'; readonly target: number }
  | { readonly what: 'disabled'; readonly target: number }
  | { readonly what: 'switched'; readonly dependent: string }

export class World {
  now = Temporal.Instant.from('2026-03-02T08:00:00Z')
  readonly kind: CredentialKind
  readonly credentials = new Map<string, Credential>()
  readonly vaults: Version[][]
  /** What each dependent holds, by its id; null: it reads the vault each time. */
  readonly held = new Map<string, string>()
  readonly done: Done[] = []
  /** Called before and after every effect: it may throw. */
  fault: (where: string) => void = () => {}
  /** Called after every change. */
  changed: () => void = () => {}
  observe: 'nothing' | 'fresh' = 'fresh'
  #count = 0

  constructor(kind: CredentialKind, targets: number) {
    this.kind = kind
    if (kind === 'storage-key') {
      this.add('key1', null)
      this.add('key2', null)
    } else this.add('old', null)
    const first = [...this.credentials.values()][0]
    this.vaults = Array.from({ length: targets }, () => [
      { version: this.id('v'), value: first?.value ?? '', keyId: null, rotation: null, enabled: true },
    ])
  }

  id(prefix: string): string {
    this.#count++
    return `${prefix}${String(this.#count).padStart(4, '0')}`
  }

  add(keyId: string, name: string | null): Credential {
    const made = {
      keyId,
      value: this.id('value-'),
      name,
      startsAt: this.now.toString(),
      endsAt: this.kind === 'app-secret' ? this.now.add({ hours: 24 * 400 }).toString() : null,
    }
    this.credentials.set(keyId, made)
    return made
  }

  serves(target: number): Version | null {
    const newest = this.vaults[target]?.at(-1)
    return newest?.enabled ? newest : null
  }

  /** Whether somebody who holds this value gets in. */
  lets(value: string | undefined): boolean {
    return [...this.credentials.values()].some((c) => c.value === value && works(this.live(c), this.now))
  }

  live(c: Credential): LiveCredential {
    return {
      keyId: c.keyId,
      type: this.kind === 'storage-key' ? 'slot' : 'secret',
      name: c.name,
      startsAt: c.startsAt,
      endsAt: c.endsAt,
      mac: this.kind === 'storage-key' ? mac(Buffer.from(c.value)) : null,
    }
  }

  /** One effect with the places where a process can die around it. */
  effect(where: string, change: () => Done | null): void {
    this.fault(`before ${where}`)
    const done = change()
    if (done) this.done.push(done)
    this.changed()
    this.fault(`after ${where}`)
  }

  write(target: number, value: string, keyId: string | null, rotation: string | null): string {
    const version = this.id('v')
    this.effect(`write ${target}`, () => {
      this.vaults[target]?.push({ version, value, keyId, rotation, enabled: true })
      return { what: 'written', target }
    })
    return version
  }
}

const mac = (value: Uint8Array): string => createHmac('sha256', 'install').update(value).digest('base64url')

export const workOf = (world: World): Work => ({
  signal: new AbortController().signal,
  now: () => world.now,
  pause: (ms) => {
    world.now = world.now.add({ milliseconds: ms })
    return Promise.resolve()
  },
  mac,
  proof: { successes: 3, overMs: 60_000, giveUpMs: 600_000 },
  progress: () => {},
})

/** An issuer of application secrets or of two slots in the world. */
export function modelIssuer(world: World): Issuer {
  const slots = world.kind === 'storage-key'
  const seen = () => ({
    live: [...world.credentials.values()].map((c) => world.live(c)),
    targets: world.vaults.map((_, target) => {
      const v = world.serves(target)
      return {
        target,
        version: v?.version ?? null,
        keyId: v?.keyId ?? null,
        rotation: v?.rotation ?? null,
        mac: v && mac(Buffer.from(v.value)),
      }
    }),
    serves: null,
    slotInUse: slots
      ? ([...world.credentials.values()].find((c) => c.value === world.serves(0)?.value)?.keyId ?? null)
      : null,
  })
  const marked = (order: Order, c: Credential): boolean =>
    slots
      ? c.keyId === order.slot &&
        order.snapshot.find((s) => s.keyId === c.keyId)?.mac !== mac(Buffer.from(c.value))
      : markedBy(c.name) === order.rotation
  return {
    kind: world.kind,
    retirement: RETIREMENT[world.kind],
    stores: true,
    longestDays: slots ? null : 730,
    look: () => Promise.resolve(seen()),
    preflight: () => Promise.resolve([{ check: 'permission', state: 'passed', says: 'ok' }]),
    issue: async (order, work) => {
      let made: Credential | undefined
      world.effect('issue', () => {
        if (slots) {
          made = world.credentials.get(order.slot ?? '')
          if (made) made.value = world.id('value-')
          return { what: 'regenerated', keyId: order.slot ?? '' }
        }
        made = world.add(world.id('new'), markOf(order))
        return { what: 'added', keyId: made.keyId }
      })
      if (!made) throw new Error('nothing was made')
      await work.pause(work.proof.overMs)
      const { keyId, value, endsAt } = made
      const stored = order.targets.map((_, target) => ({
        target,
        version: world.write(target, value, keyId, order.rotation),
        mac: mac(Buffer.from(value)),
      }))
      return { state: 'issued', keyId, endsAt, mac: mac(Buffer.from(value)), stored }
    },
    probe: (order) =>
      Promise.resolve({
        credentials: [...world.credentials.values()]
          .filter((c) => marked(order, c))
          .map(({ keyId, endsAt }) => ({ keyId, endsAt })),
        versions: world.vaults.flatMap((versions, target) =>
          versions
            .filter((v) => v.rotation === order.rotation)
            .map((v) => ({
              target,
              version: v.version,
              enabled: v.enabled,
              served: v === versions.at(-1),
              keyId: v.keyId ?? '',
              mac: mac(Buffer.from(v.value)),
            })),
        ),
        pending: null,
      }),
    restore: (order) => {
      let restored = 0
      for (const [target, versions] of world.vaults.entries()) {
        const newest = versions.at(-1)
        const previous = versions.find((v) => v.version === order.targets[target]?.previous)
        if (newest?.rotation === order.rotation && previous) world.write(target, previous.value, null, null)
        for (const v of versions)
          if (v.rotation === order.rotation) {
            restored++
            if (v.enabled)
              world.effect(`disable ${target}`, () => {
                v.enabled = false
                return { what: 'disabled', target }
              })
          }
      }
      return Promise.resolve(restored)
    },
    discard: (order) => {
      const removed: string[] = []
      for (const c of slots ? [] : [...world.credentials.values()])
        if (marked(order, c) && !order.snapshot.some((s) => s.keyId === c.keyId))
          world.effect('discard', () => {
            world.credentials.delete(c.keyId)
            removed.push(c.keyId)
            return { what: 'removed', keyId: c.keyId }
          })
      return Promise.resolve(removed)
    },
    verify: () => Promise.resolve({ successes: 1, overMs: 0 }),
    lastUse: () =>
      Promise.resolve({
        lastUsedAt: null,
        observedUntil: world.observe === 'fresh' ? world.now.subtract({ minutes: 5 }).toString() : null,
      }),
    disable: (order) => {
      let n = 0
      for (const [target, versions] of world.vaults.entries()) {
        const previous = versions.find((v) => v.version === order.targets[target]?.previous)
        if (!previous || previous === versions.at(-1)) continue
        n++
        world.effect(`disable ${target}`, () => {
          previous.enabled = false
          return { what: 'disabled', target }
        })
      }
      return Promise.resolve(n)
    },
    enable: (order) => {
      for (const [target, versions] of world.vaults.entries())
        for (const v of versions) if (v.version === order.targets[target]?.previous) v.enabled = true
      return Promise.resolve(1)
    },
    retire: (_, keyId) => {
      world.effect('retire', () => {
        const c = world.credentials.get(keyId)
        if (slots && c) c.value = world.id('value-')
        else world.credentials.delete(keyId)
        return { what: slots ? 'regenerated' : 'removed', keyId }
      })
      return Promise.resolve()
    },
  }
}

/** Dependents that hold a copy of what target 0 serves. */
export function modelSwitchers(world: World): Switchers {
  const load = (dependent: PlannedDependent) => {
    world.effect(`switch ${dependent.dependent}`, () => {
      const value = world.serves(0)?.value
      if (value) world.held.set(dependent.dependent, value)
      return { what: 'switched', dependent: dependent.dependent }
    })
    return Promise.resolve()
  }
  const switcher: Switcher = {
    kind: 'app-service-reference',
    possible: () => Promise.resolve(null),
    switch: async (_, dependent) => {
      await load(dependent)
      return { cacheMs: 0, says: 'refreshed' }
    },
    confirm: (_, dependent) =>
      Promise.resolve(
        world.held.get(dependent.dependent) === world.serves(0)?.value
          ? { state: 'confirmed' }
          : { state: 'unconfirmed', why: 'not yet' },
      ),
    back: (_, dependent) => load(dependent),
  }
  return { 'app-service-reference': switcher }
}

export const GRACE_MS = 3_600_000

export const planOf = (
  world: World,
  more: Partial<DataOf<'rotation.planned'>> = {},
): DataOf<'rotation.planned'> => {
  const slots = world.kind === 'storage-key'
  return {
    rotation: 'rotation-0001',
    policy: 'policy-0001',
    credential: 'app-secret-0001',
    mode: 'normal',
    subject: { kind: world.kind, at: 'object', part: 'app', name: 'billing' },
    snapshot: [...world.credentials.values()].map((c) => world.live(c)),
    retires: slots ? ['key1'] : ['old'],
    slot: slots ? 'key2' : null,
    targets: world.vaults.map((_, target) => ({
      vault: `vault-000${target}`,
      uri: `https://v${target}.vault.azure.net`,
      secret: 'billing-secret',
      content: 'value',
      previous: world.serves(target)?.version ?? null,
    })),
    endsAt: null,
    graceMs: GRACE_MS,
    approvals: 0,
    prestageMs: null,
    window: null,
    planHash: 'a'.repeat(64),
    dependents: 0,
    trigger: 'operator',
    expiresAt: world.now.add({ hours: 24 }).toString(),
    currentEndsAt: null,
    ...more,
  }
}

export const dependentOf = (n: number, more: Partial<PlannedDependent> = {}): PlannedDependent => ({
  dependent: `resource-000${n}`,
  kind: 'app-service-reference',
  name: `site ${n}`,
  at: `/sites/${n}`,
  setting: 'SECRET',
  target: 0,
  confidence: 100,
  canary: n === 0,
  ...more,
})

/** A rotation's stream in memory, with the world's clock, driven as the service drives it. */
export class Stream {
  readonly events: EventOf[] = []
  state: Rotation | null = null
  readonly world: World
  calendar: Calendar = calendarOf(null, [], 'policy-0001')
  /** Called before each record. */
  fault: (facts: readonly Fact[]) => void = () => {}
  constructor(world: World) {
    this.world = world
  }

  append(facts: readonly Fact[], who = 'operator-0001'): void {
    for (const f of facts) {
      const event = {
        ...f,
        tenant: 'acme',
        seq: this.events.length + 1,
        stream: 'rotation-0001',
        position: this.events.length + 1,
        at: this.world.now.toString(),
        id: '0',
        by: { kind: 'operator', id: who },
        cause: { correlation: 'c', causation: 'c' },
        // A fact and the place that the ledger would give it are an event.
      } as EventOf
      this.events.push(event)
      this.state = evolve(this.state, event)
    }
  }

  plan(more: Partial<DataOf<'rotation.planned'>> = {}, dependents: readonly PlannedDependent[] = []): void {
    const plan = planOf(this.world, { dependents: dependents.length, ...more })
    for (const d of dependents) {
      const value = this.world.serves(0)?.value
      if (value) this.world.held.set(d.dependent, value)
    }
    this.append([
      fact('rotation.planned', plan),
      fact('rotation.dependents-planned', {
        rotation: plan.rotation,
        planHash: plan.planHash,
        dependents: [...dependents],
      }),
    ])
  }

  parts(lastTry = false): StepParts {
    let expected = this.events.length
    return {
      issuer: modelIssuer(this.world),
      switchers: modelSwitchers(this.world),
      work: workOf(this.world),
      calendar: this.calendar,
      lastTry,
      record: (facts, when) => {
        if (when === 'here' && this.events.length !== expected) throw new Transient('moved')
        this.fault(facts)
        this.append(facts, 'rotation')
        expected = this.events.length
        return Promise.resolve()
      },
      lease: () => Promise.resolve(null),
      secretAsset: () => 'secret-0001',
      credentialAsset: () => 'app-secret-0002',
    }
  }

  /** One turn: a step, or a wait for as long as it asks. Answers what it did. */
  async turn(): Promise<string> {
    if (!this.state) throw new Error('there is no plan')
    const what = next(this.state, this.world.now, this.calendar)
    if ('over' in what) return 'over'
    if ('wait' in what) {
      // Time that a person takes is not waited for.
      const person = what.wait === 'request' || what.wait === 'approval'
      if (!person && what.until && Temporal.Instant.compare(what.until, this.world.now) > 0)
        this.world.now = what.until
      return `wait ${what.wait}`
    }
    const again = await perform(what, this.state, this.parts())
    if (again && Temporal.Instant.compare(again, this.world.now) > 0) this.world.now = again
    return what.do
  }

  /** Turns until it is over or waits for a person; crashes restart it. */
  async run(most = 200): Promise<string> {
    for (let n = 0; n < most; n++) {
      try {
        const did = await this.turn()
        if (did === 'over') return 'over'
        if (/^wait (person|request|approval|confirmation|paused)$/.test(did)) return did
      } catch (error) {
        if (!(error instanceof Crash)) throw error
      }
    }
    return 'did not end'
  }
}
