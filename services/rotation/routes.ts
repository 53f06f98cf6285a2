import { fact } from '@attestry/contracts'
import { rotationHttp } from '@attestry/contracts/http'
import {
  bind,
  eventStream,
  type Guard,
  type Handlers,
  iso,
  isRefused,
  pause,
  refuse,
  type Refused,
} from '@attestry/kit'
import { adviceOf } from './advice.ts'
import { tooManyAsked } from './asked.ts'
import { calendarOf, windowProblem } from './calendar.ts'
import { calendarEntries } from './calendar-entries.ts'
import { type Command, decide, type RotationRefusal } from './decide.ts'
import { actorOf, decided } from './decided.ts'
import { detailOf } from './detail.ts'
import { type DriveParts, readRotation, wake } from './drive.ts'
import { readFreezes, readVaults } from './known.ts'
import { planRotation } from './planner.ts'
import { policyHandlers } from './policy-routes.ts'
import { listRuns } from './run-rows.ts'
import { evolve, isOver, type Rotation } from './state.ts'

/** Stream of the settings, and of the freezes. */
export const SETTINGS = 'rotation-settings'
const CALENDAR = 'calendar'
const WATCH_EVERY_MS = 500
const WATCH_TURNS = 7200
const MOST_ENTRIES = 1000
const RANGE_DAYS = 100

/** Whether writes are switched on for a tenant; a demonstration writes to its own twin alone and needs no switch. */
export async function writesOn(host: DriveParts['host'], tenant: string): Promise<boolean> {
  if (host.origin === 'demo') return true
  const last = (await host.stream(tenant, SETTINGS)).findLast((e) => e.type === 'rotation.writes-switched')
  return last?.data.on ?? false
}

export function rotationRoutes(
  parts: DriveParts,
  guard: Guard,
  /** Rotations that people may ask for in a month; null is no limit. */
  manualLimit: () => Promise<number | null>,
  webhookKeyOf: (policy: string) => Uint8Array,
) {
  const { host } = parts

  const calendarFor = async (tenant: string, { plan }: Rotation) =>
    calendarOf(plan.window, await host.tx(tenant, readFreezes), plan.policy)

  async function detail(tenant: string, rotation: string) {
    const { state, events } = await readRotation(host, tenant, rotation)
    if (!state) return refuse('no-such-rotation', 'No rotation of this id is known.')
    const vaults = await host.tx(tenant, (tx) =>
      readVaults(
        tx,
        state.plan.targets.map((t) => t.vault),
      ),
    )
    return detailOf(
      state,
      events,
      { vaults: new Map([...vaults].map(([id, v]) => [id, v.name])) },
      host.clock.now(),
      await calendarFor(tenant, state),
    )
  }

  type Steering = {
    readonly who: { readonly tenant: string; readonly operator: string }
    readonly params: { readonly rotation: string }
    readonly address: string
    readonly correlation: string
  }
  /** Carries out a person's command and wakes the rotation; answers how it stands now. */
  async function steer<C extends RotationRefusal>(call: Steering, command: Command, reason?: string) {
    const { tenant, operator } = call.who
    const { rotation } = call.params
    const freezes = await host.tx(tenant, readFreezes)
    // The caller is as the guard knows it; only the operator's id is used.
    const by = actorOf(call.who as Parameters<typeof actorOf>[0], call.address, reason)
    const refusal = await decided(host, tenant, rotation, by, call.correlation, (events) => {
      const state = events.reduce(evolve, null as Rotation | null)
      return decide(state, command, {
        who: operator,
        now: host.clock.now(),
        calendar: calendarOf(state?.plan.window ?? null, freezes, state?.plan.policy ?? ''),
      })
    })
    // Each endpoint's table names the refusals that its own command can have.
    if (refusal) return refusal as Refused<C>
    await wakeUp(tenant, rotation, call.correlation)
    return detail(tenant, rotation) as Promise<Exclude<Awaited<ReturnType<typeof detail>>, Refused>>
  }

  async function wakeUp(tenant: string, rotation: string, correlation: string, chain?: readonly string[]) {
    const { state } = await readRotation(host, tenant, rotation)
    if (!state) return
    const cause = { correlation: correlation.slice(0, 80), causation: correlation.slice(0, 80) }
    await host.tx(tenant, (tx) =>
      host.send(tx, [
        wake(
          state,
          `${chain ? 'merge' : 'asked'}-${state.position}-${host.ids.uuid()}`,
          cause,
          chain ? { chain } : {},
        ),
      ]),
    )
  }

  const writesOff = () =>
    refuse(
      'writes-off',
      'Writing to the cloud is switched off. A tenant administrator switches it on, at the top of the page Rotation.',
    )

  const handlers: Handlers<typeof rotationHttp> = {
    ...policyHandlers(parts, webhookKeyOf),

    planRotation: async ({ who, body, address, correlation, signal }) => {
      const rotation = host.ids.opaque('rotation')
      const state = await planRotation(
        parts,
        who.tenant,
        {
          ...body,
          trigger: 'operator',
          rotation,
          by: actorOf(who, address),
          cause: { correlation: correlation.slice(0, 80), causation: correlation.slice(0, 80) },
        },
        signal,
      )
      if (isRefused(state)) return state
      const planned = await detail(who.tenant, rotation)
      if (isRefused(planned)) throw new Error('the plan cannot be read back')
      return planned
    },

    listRotations: ({ who, query }) => host.tx(who.tenant, (tx) => listRuns(tx, query)),

    readRotation: ({ who, params }) => detail(who.tenant, params.rotation),

    watchRotation: async ({ who, params, signal }) => {
      const first = await detail(who.tenant, params.rotation)
      if (isRefused(first)) return first
      async function* watch() {
        let shown = ''
        for (let turn = 0; turn < WATCH_TURNS && !signal.aborted; turn++) {
          const now = turn === 0 ? first : await detail(who.tenant, params.rotation)
          if (isRefused(now)) return
          const text = JSON.stringify(now)
          if (text !== shown) yield { event: 'rotation', data: now }
          shown = text
          if (now.endedAt !== null) return
          await pause(WATCH_EVERY_MS, signal)
        }
      }
      return eventStream(watch(), signal)
    },

    requestRotation: async (call) => {
      if (!(await writesOn(host, call.who.tenant))) return writesOff()
      const most = call.body.breakGlass === null ? await manualLimit() : null
      const tooMany =
        most === null
          ? null
          : await host.tx(call.who.tenant, (tx) => tooManyAsked(tx, most, host.clock.now()))
      if (tooMany) return tooMany
      return steer(call, { do: 'request', ...call.body }, call.body.breakGlass ?? undefined)
    },
    approveRotation: async (call) => {
      if (!(await writesOn(host, call.who.tenant))) return writesOff()
      return steer(call, { do: 'approve', planHash: call.body.planHash })
    },
    rejectRotation: (call) => steer(call, { do: 'reject', ...call.body }, call.body.reason),
    pauseRotation: (call) => steer(call, { do: 'pause' }),
    resumeRotation: (call) => steer(call, { do: 'resume' }),
    rollBackRotation: (call) => steer(call, { do: 'roll-back', ...call.body }, call.body.reason),
    takeOverRotation: (call) => steer(call, { do: 'take-over', ...call.body }, call.body.reason),
    goOnRotation: (call) => steer(call, { do: 'go-on', ...call.body }, call.body.reason),
    settleDependent: (call) => {
      const { dependent } = call.params
      return call.body.verdict === 'confirmed'
        ? steer(call, { do: 'confirm-dependent', dependent })
        : steer(call, { do: 'waive-dependent', dependent, reason: call.body.reason }, call.body.reason)
    },
    waiveUse: (call) => steer(call, { do: 'waive-use', ...call.body }, call.body.reason),

    mergeCertificate: async ({ who, params, body, correlation }) => {
      const { state } = await readRotation(host, who.tenant, params.rotation)
      if (!state) return refuse('no-such-rotation', 'No rotation of this id is known.')
      if (isOver(state)) return refuse('rotation-over', `The rotation has ended: ${state.stage}.`)
      if (state.pending?.awaits !== 'merge')
        return refuse('not-awaited', 'This rotation does not wait for a signed certificate.')
      await wakeUp(who.tenant, params.rotation, correlation, body.chain)
      return detail(who.tenant, params.rotation)
    },

    readCalendar: async ({ who, query }) => {
      const from = Temporal.Instant.from(query.from)
      const until = Temporal.Instant.from(query.until)
      const days = from.until(until).total('hours') / 24
      if (days <= 0 || days > RANGE_DAYS)
        return refuse('bad-range', `The range must be more than nothing and at most ${RANGE_DAYS} days.`, [
          { field: 'query.until', message: 'is out of range' },
        ])
      const items = await host.tx(who.tenant, (tx) => calendarEntries(tx, from, until))
      return { items: items.slice(0, MOST_ENTRIES), cut: items.length > MOST_ENTRIES }
    },

    declareFreeze: async ({ who, body, address, correlation }) => {
      if (Temporal.Instant.compare(body.from, body.until) >= 0)
        return refuse('bad-range', 'A freeze must end after it begins.', [
          { field: 'body.until', message: 'must be later than from' },
        ])
      const freeze = host.ids.opaque('freeze')
      await decided<never>(host, who.tenant, CALENDAR, actorOf(who, address), correlation, () => [
        fact('rotation.freeze-declared', { freeze, ...body }),
      ])
      return { freeze }
    },

    liftFreeze: async ({ who, params, address, correlation }) =>
      (await decided(host, who.tenant, CALENDAR, actorOf(who, address), correlation, (events) => {
        const last = events.findLast((e) => 'freeze' in e.data && e.data.freeze === params.freeze)
        return last?.type === 'rotation.freeze-declared'
          ? [fact('rotation.freeze-lifted', { freeze: params.freeze })]
          : refuse('no-such-freeze', 'No freeze of this id holds.')
      })) ?? undefined,

    listAdvice: ({ who }) => host.tx(who.tenant, async (tx) => ({ items: await adviceOf(tx) })),

    readWindow: ({ body }) => {
      const wrong = windowProblem(body.window)
      if (wrong)
        return Promise.resolve(
          refuse('bad-window', `The window’s ${wrong.field} ${wrong.message}.`, [
            { field: `body.window.${wrong.field}`, message: wrong.message },
          ]),
        )
      const calendar = calendarOf(body.window, [], '')
      const openings: { from: string; until: string | null }[] = []
      for (let at = host.clock.now(); openings.length < 5; ) {
        const next = calendar.next(at)
        if (!next?.closesAt) break
        openings.push({ from: iso(next.opensAt), until: iso(next.closesAt) })
        at = next.closesAt
      }
      return Promise.resolve({ openings })
    },

    readRotationSettings: async ({ who }) => ({
      writes: await writesOn(host, who.tenant),
      entitled: await guard.entitled('cloud-writes'),
      demonstration: host.origin === 'demo',
    }),

    switchWrites: async ({ who, body, address, correlation }) => {
      await decided<never>(host, who.tenant, SETTINGS, actorOf(who, address), correlation, (events) => {
        const on = events.findLast((e) => e.type === 'rotation.writes-switched')?.data.on ?? false
        return on === body.writes ? [] : [fact('rotation.writes-switched', { on: body.writes })]
      })
      return undefined
    },
  }

  return bind(rotationHttp, handlers, guard, host.log)
}
