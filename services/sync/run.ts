import { type Actor, type Fact, fact, type PlanCounts } from '@attestry/contracts'
import {
  command,
  Denied,
  folded,
  type Host,
  iso,
  type Job,
  messageOf,
  Transient,
  type Tx,
} from '@attestry/kit'
import { gateOf, openTarget, placeOf } from './account.ts'
import { type Connector, connectorOf } from './connector.ts'
import { type Copy, evolveCopy, isCopyEvent } from './copy.ts'
import { copyItem, type CopyWork, driftOf } from './copy-item.ts'
import { each, gather, type Gathered } from './gather.ts'
import type { Keyring } from './keyring.ts'
import { waitForTurn } from './pace.ts'
import { makePlan, type Plan, type PlanEntry, writes } from './plan.ts'
import { nextWriteAt } from './quota.ts'
import { type Route, routeOf } from './route.ts'
import { RunBody, type RunWish, sendRun } from './send-run.ts'
import type { World } from './targets/access.ts'
import { keyVaultSource } from './targets/keyvault.ts'
import { sourceView, syncView } from './views.ts'

/*
 * A run of a route: list, plan, wait for a person where one is needed, write, record. Done again after a crash it ends
 * in the same: what was written is found by its mark, and what was recorded is not recorded twice.
 */

export interface RunParts {
  readonly host: Host
  readonly keyring: Keyring
  readonly world: World
  /** Whether the licence admits sync and writes to clouds. */
  readonly licensed: () => Promise<boolean>
  /** From 0 up to 1. */
  readonly random: () => number
}

/** Tries of a run whose listings cannot be had, before it is called failed. */
const TRIES = 6
/** How long a run waits for what it reads to tell what was last recorded. */
const FOLDED_MS = 5000

const none = (): PlanCounts => ({ create: 0, update: 0, noop: 0, conflict: 0, prune: 0, skip: 0 })

interface Result {
  readonly outcome: 'succeeded' | 'partial' | 'failed' | 'planned' | 'held'
  readonly counts: PlanCounts
  readonly failed: number
  readonly listCalls: number
  readonly valuesRead: number
  readonly problem: string | null
}

const result = (outcome: Result['outcome'], more: Partial<Result> = {}): Result => ({
  outcome,
  counts: none(),
  failed: 0,
  listCalls: 0,
  valuesRead: 0,
  problem: null,
  ...more,
})

/** Keeps a run that a kill switch stops, instead of dropping it. */
const hold = (host: Host, tenant: string, route: Route, secrets: readonly string[]) =>
  host.tx(tenant, async (tx) => {
    for (const secret of secrets.length > 0 ? secrets : ['all'])
      await tx.rows(
        `insert into held (tenant, route, connector, secret, held_at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
        [tx.tenant, route.route, route.connector, secret, iso(host.clock.now())],
      )
  })

export function runCommand(parts: RunParts) {
  const { host } = parts
  return command({
    name: 'run',
    body: RunBody,
    work: async (job: Job<RunBody>) => {
      const { tenant, body } = job
      const route = routeOf(await host.stream(tenant, body.route))
      if (!route || route.state === 'closed') return
      if (route.state === 'paused' && body.trigger !== 'operator' && body.trigger !== 'accepted') return
      const connector = connectorOf(await host.stream(tenant, route.connector))
      if (!connector?.connected) return
      if ((await host.tx(tenant, (tx) => gateOf(tx, route.connector))).stopped)
        return hold(host, tenant, route, body.secrets)
      const append = async (stream: string, expected: number | 'any', facts: readonly Fact[]) => {
        const { by, cause } = job
        return host.append(tenant, { stream, expected, facts, by, cause })
      }
      const { seq } = await host.head(tenant)
      // Begun before, and interrupted: the chain has its beginning already.
      await append(body.run, 0, [
        fact('sync.run-started', { route: route.route, run: body.run, trigger: body.trigger }),
      ])
      await folded(host, tenant, syncView, seq, FOLDED_MS, job.signal)
      const run = new OneRun(parts, job, route, connector)
      let end: Result
      try {
        // A secret that was just found is named by discovery's rows alone: without them it would be left out.
        if (body.secrets.length > 0 && !(await folded(host, tenant, sourceView, seq, FOLDED_MS, job.signal)))
          throw new Transient('What discovery saw is not in the rows yet')
        end = await run.go()
      } catch (error) {
        if (job.signal.aborted) throw error
        if (error instanceof Transient && job.attempt < TRIES) throw error
        if (!(error instanceof Denied || error instanceof Transient)) throw error
        end = result('failed', { problem: messageOf(error).slice(0, 500) })
      }
      if (end.outcome === 'held') await hold(host, tenant, route, body.secrets)
      await append(body.run, 'any', [
        fact('sync.run-ended', { route: route.route, run: body.run, ...end, counts: end.counts }),
      ])
      await sendRetries(parts, tenant, route, job.by)
    },
  })
}

/** A copy as its own stream tells it, whatever the rows say, and how long the stream is. */
async function copyNow(
  host: Host,
  tenant: string,
  copy: string,
): Promise<{ readonly copy: Copy | null; readonly position: number }> {
  const events = await host.stream(tenant, copy)
  let known: Copy | null = null
  for (const event of events) if (isCopyEvent(event)) known = evolveCopy(known, event)
  return { copy: known, position: events.at(-1)?.position ?? 0 }
}

class OneRun {
  readonly #parts: RunParts
  readonly #job: Job<RunBody>
  readonly #route: Route
  readonly #connector: Connector
  #valuesRead = 0

  constructor(parts: RunParts, job: Job<RunBody>, route: Route, connector: Connector) {
    this.#parts = parts
    this.#job = job
    this.#route = route
    this.#connector = connector
  }

  async go(): Promise<Result> {
    const { host, keyring, world } = this.#parts
    const { tenant, body, signal } = this.#job
    const { route, source: vault, settings } = this.#route
    const [row] = await host.tx(tenant, (tx) =>
      tx.rows<{ name: string; uri: string }>(
        'select name, uri from source_vault where tenant = $1 and vault = $2',
        [tx.tenant, vault],
      ),
    )
    if (!row) return result('failed', { problem: 'Discovery no longer knows the source vault.' })
    const target = await openTarget(host, keyring, world, tenant, this.#connector, settings.kind)
    const source = keyVaultSource(world.azure, row.uri)
    const only = body.secrets.length > 0 ? await this.#namesOf(body.secrets) : null
    const gathered = await gather({
      host,
      tenant,
      route: this.#route,
      connector: this.#connector,
      vault: { id: vault, ...row },
      source,
      target,
      only,
      thorough: body.trigger === 'operator',
      signal,
    })
    const plan = makePlan(gathered.input)
    await this.#keepLines(plan, only !== null)
    await this.#recordDrift(plan, gathered)
    const counts = {
      ...none(),
      noop: plan.counts.noop,
      conflict: plan.counts.conflict,
      skip: plan.counts.skip,
    }
    const so = (outcome: Result['outcome'], more: Partial<Result> = {}): Result =>
      result(outcome, {
        counts,
        listCalls: gathered.listCalls,
        problem: gathered.broken?.problem ?? null,
        ...more,
      })
    const waits = plan.needs !== null && body.accept !== plan.hash
    if (writes(plan.counts) > 0) {
      const { by, cause } = this.#job
      const made = fact('sync.plan-made', {
        route,
        run: body.run,
        plan: plan.hash,
        counts: plan.counts,
        needs: waits ? plan.needs : null,
      })
      await host.append(tenant, { stream: body.run, expected: 'any', facts: [made], by, cause })
    }
    if (gathered.broken?.nothing) return so('failed')
    if (writes(plan.counts) === 0) return so(gathered.broken ? 'partial' : 'succeeded')
    if (body.planOnly) return so('planned')
    if (waits)
      return so('planned', {
        problem:
          body.accept === null
            ? null
            : 'What would be written is no longer what was accepted: accept the new plan.',
      })
    const off = await this.#whyOff()
    if (off !== null) return so('planned', { problem: off })
    const work: CopyWork = {
      host,
      tenant,
      by: this.#job.by,
      cause: this.#job.cause,
      route,
      run: body.run,
      connector: this.#connector.connector,
      plan: plan.hash,
      vault,
      settings,
      source,
      target,
      mac: await host.tx(tenant, (tx) => keyring.mac(tx)),
      random: this.#parts.random,
      signal,
      read: () => {
        this.#valuesRead++
      },
    }
    const { done, failed, held } = await this.#write(plan, gathered, work)
    const all = { ...counts }
    for (const action of ['create', 'update', 'prune'] as const) all[action] = done[action]
    all.conflict += done.conflict
    const outcome = held ? 'held' : failed > 0 || gathered.broken ? 'partial' : 'succeeded'
    return so(outcome, { counts: all, failed, valuesRead: this.#valuesRead })
  }

  /** Names of assets, as copies or discovery know them; one that nobody knows is left out. */
  async #namesOf(secrets: readonly string[]): Promise<string[]> {
    const { tenant } = this.#job
    const rows = await this.#parts.host.tx(tenant, (tx) =>
      tx.rows<{ name: string }>(
        `select name from source_item where tenant = $1 and vault = $2 and asset = any($3)
         union select source_name from copy where tenant = $1 and route = $4 and secret = any($3) and source_name <> ''`,
        [tx.tenant, this.#route.source, secrets, this.#route.route],
      ),
    )
    return rows.map((row) => row.name)
  }

  async #whyOff(): Promise<string | null> {
    if (!(await this.#parts.licensed())) return 'The licence of this install does not include writes by sync.'
    const gate = await this.#parts.host.tx(this.#job.tenant, (tx) => gateOf(tx, this.#connector.connector))
    return gate.allowed ? null : 'Writes of sync are off: an administrator switches them on.'
  }

  /** The lines that pages show: of the route's newest plan, those with nothing to do left out. */
  async #keepLines(plan: Plan, some: boolean): Promise<void> {
    const { tenant, body } = this.#job
    const lines = plan.entries.filter((entry) => entry.action !== 'noop')
    await this.#parts.host.tx(tenant, async (tx) => {
      await tx.rows(
        `delete from plan_line where tenant = $1 and route = $2 and ($3::boolean is false or secret = any($4))`,
        [tx.tenant, this.#route.route, some, plan.entries.map((e) => e.secret)],
      )
      await insertLines(tx, this.#route.route, body.run, lines)
    })
  }

  async #recordDrift(plan: Plan, { input }: Gathered): Promise<void> {
    const { host } = this.#parts
    const { tenant, by, cause } = this.#job
    for (const entry of plan.entries) {
      const copy = input.known.get(entry.secret)
      if (!driftOf(entry, copy, this.#route.route)) continue
      // The rows may lag behind a write of ours; the stream does not.
      const { copy: now } = await copyNow(host, tenant, entry.copy)
      if (now?.written?.at !== copy?.written?.at) continue
      const drifted = driftOf(entry, now ?? undefined, this.#route.route)
      if (drifted)
        await host.append(tenant, { stream: entry.copy, expected: 'any', facts: [drifted], by, cause })
    }
  }

  /** Writes line by line, so many at once. A kill switch ends it between two lines. */
  async #write(
    plan: Plan,
    { input }: Gathered,
    work: CopyWork,
  ): Promise<{ done: PlanCounts; failed: number; held: boolean }> {
    const { host } = this.#parts
    const { tenant } = this.#job
    const lines = plan.entries.filter((entry) => entry.steps.length > 0)
    const place = placeOf(this.#connector, this.#route.settings)
    const done = none()
    let failed = 0
    let held = false
    let finished = 0
    await each(lines, work.target.can.inFlight, async (entry) => {
      held ||= (await host.tx(tenant, (tx) => gateOf(tx, work.connector))).stopped
      if (held) return
      const now = await copyNow(host, tenant, entry.copy)
      const copy = now.copy ?? undefined
      // Another run wrote it since this one looked: what this one saw may be newer, so it is looked at again.
      if (copy?.written?.at !== input.known.get(entry.secret)?.written?.at)
        return this.#again(entry, now.position, work)
      if (await this.#tooSoon(entry, copy, work)) return
      await waitForTurn(host, tenant, place, work.target.can.writesPerMinute, work.signal)
      const end = await copyItem(work, entry, copy, now.position)
      if (end === 'overtaken') await this.#again(entry, now.position + 1, work)
      if ((end === 'done' || end === 'overtaken') && entry.action !== 'noop') done[entry.action]++
      if (end === 'conflict') done.conflict++
      if (end === 'failed') failed++
      finished++
      await this.#job.progress({ done: finished, total: lines.length })
    })
    return { done, failed, held }
  }

  /** A new version before the provider bears one waits for its time; the run goes on without it. */
  async #tooSoon(entry: PlanEntry, copy: Copy | undefined, { target }: CopyWork): Promise<boolean> {
    if (target.can.writeEveryMs === null || !entry.steps.includes('put')) return false
    const now = this.#parts.host.clock.now()
    const at = nextWriteAt(copy?.pace ?? null, now)
    if (Temporal.Instant.compare(at, now) <= 0) return false
    await this.#runOf(entry, { id: `pace ${entry.copy} ${iso(at)}`, dueAt: at })
    return true
  }

  /** Two runs that meet at one copy both end in the source's newest version: the later one has it looked at again. */
  #again(entry: PlanEntry, position: number, { route }: CopyWork): Promise<void> {
    return this.#runOf(entry, { id: `again ${route} ${entry.copy} ${position}` })
  }

  async #runOf(entry: PlanEntry, wish: Pick<RunWish, 'id' | 'dueAt'>): Promise<void> {
    const { host } = this.#parts
    const { tenant, by } = this.#job
    await host.tx(tenant, (tx) =>
      sendRun(host, tx, this.#route, { trigger: 'retry', secrets: [entry.secret], by, ...wish }),
    )
  }
}

const insertLines = (tx: Tx, route: string, run: string, lines: readonly PlanEntry[]) =>
  tx.rows(
    `insert into plan_line (tenant, route, run, copy, secret, action, source_name, body)
     select $1, $2, $3, l ->> 'copy', l ->> 'secret', l ->> 'action', l ->> 'sourceName', l
     from jsonb_array_elements($4::jsonb) as l on conflict do nothing`,
    [tx.tenant, route, run, JSON.stringify(lines)],
  )

/** Sees to it that copies that failed are tried again when their time comes. */
async function sendRetries({ host }: RunParts, tenant: string, route: Route, by: Actor): Promise<void> {
  await folded(host, tenant, syncView, (await host.head(tenant)).seq, FOLDED_MS, host.signal)
  await host.tx(tenant, async (tx) => {
    const rows = await tx.rows<{ secret: string; retry_at: string }>(
      `select secret, body ->> 'retryAt' as retry_at from copy
       where tenant = $1 and route = $2 and state = 'retrying' order by 2 limit 1000`,
      [tx.tenant, route.route],
    )
    // Those of one minute go together: a target that was away for all has them back in few runs.
    const minutes = new Map<number, { secrets: string[]; last: string }>()
    for (const { secret, retry_at } of rows) {
      const minute = Math.floor(Date.parse(retry_at) / 60_000)
      const group = minutes.get(minute) ?? { secrets: [], last: retry_at }
      minutes.set(minute, group)
      group.secrets.push(secret)
      group.last = retry_at
    }
    for (const { secrets, last } of minutes.values())
      await sendRun(host, tx, route, {
        trigger: 'retry',
        secrets,
        by,
        id: `retry ${route.route} ${last} ${secrets.join(' ')}`,
        dueAt: Temporal.Instant.from(last),
      })
  })
}
