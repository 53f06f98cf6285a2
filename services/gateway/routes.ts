import { type Actor, fact } from '@attestry/contracts'
import { gatewayHttp, type LicenseStatus } from '@attestry/contracts/http'
import {
  badPlace,
  type Call,
  eventStream,
  type Handlers,
  type Host,
  iso,
  isRefused,
  type Refused,
  refuse,
  Transient,
  wholeNumber,
} from '@attestry/kit'
import type * as z from 'zod'
import type { Admitted, AdmissionDesk } from './admission.ts'
import { auditorHandlers, tooManySignIns } from './auditor-routes.ts'
import type { Auditors } from './auditors.ts'
import { FIRST_OPERATOR, firstSignInUsed } from './first-run.ts'
import type { Lanes } from './lane.ts'
import type { LedgerView, StuckWork } from './ledger-view.ts'
import { type Feed, lastSeen, tell } from './live.ts'
import { type ChangeRefusal, standingOf } from './operator.ts'
import { type Doing, normalName, type Operators } from './operators.ts'
import { hashPassword, oneTimePassword } from './password.ts'
import type { RateLimit } from './rate-limit.ts'
import { endOf, type SessionLimits } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { SignIn } from './sign-in.ts'

/** Everything that the gateway's own endpoints need. */
export interface Routing {
  readonly host: Host
  readonly tenant: string
  readonly operators: Operators
  readonly auditors: Auditors
  readonly sessions: Sessions
  readonly signIn: SignIn
  readonly desk: AdmissionDesk
  readonly lanes: Lanes
  readonly limits: SessionLimits
  readonly oneTimeHours: number
  readonly signInRate: RateLimit
  readonly random: (bytes: number) => Uint8Array
  readonly stateDir: string
  readonly ready: () => Promise<boolean>
  readonly license: () => Promise<z.infer<typeof LicenseStatus>>
  /** Operators that the licence admits; null is no limit. */
  readonly userLimit: () => Promise<number | null>
  readonly live: Feed
  readonly ledger: LedgerView
  readonly stuck: StuckWork
  /** How often a live stream asks whether its session still counts. */
  readonly liveRecheckMs: number
}

type Signed = Pick<Call<typeof gatewayHttp.session>, 'who' | 'address' | 'correlation'>

/** An administrator's change of administrators is judged one after the other. */
const ADMINISTRATORS = 'administrators'

const outsideScope = () =>
  refuse('outside-your-scope', 'You were shown single bundles; the ledger is not among them.')

const earlier = (end: Temporal.Instant, until: string | null): Temporal.Instant =>
  until !== null && Temporal.Instant.compare(Temporal.Instant.from(until), end) < 0
    ? Temporal.Instant.from(until)
    : end

/** The handlers of the gateway's endpoint table. */
export function handlers(r: Routing): Handlers<typeof gatewayHttp> {
  const { host, tenant, operators, auditors, sessions, signIn, desk, limits } = r
  let verifying = false

  const doing = ({ who, address, correlation }: Signed): Doing => {
    const by: Actor = { kind: 'operator', id: who.operator, ...(address ? { address } : {}) }
    return { by, cause: { correlation, causation: correlation } }
  }

  const describe = ({ session, operator, door }: Admitted) => ({
    operator: operator.operator,
    name: operator.name,
    tenant,
    roles: [...operator.roles],
    mustChangePassword: operator.mustChangePassword,
    expiresAt: iso(earlier(endOf(session, limits), door?.until ?? null)),
    reauthenticatedUntil: session.reauthenticatedUntil && iso(session.reauthenticatedUntil),
    origin: host.origin,
    productVersion: host.productVersion,
    door: door && { until: door.until, bundles: door.bundles && [...door.bundles] },
  })

  const mustBeThere = async (session: string): Promise<Admitted> => {
    const admitted = await desk.current(session)
    // The guard has just let this session in; it can end only between the two looks.
    if (!admitted) throw new Error('the session ended while it was being used')
    return admitted
  }

  /** Carries out an administrator's wish; `may` names the refusals that the endpoint's table has. */
  const change = async <C extends ChangeRefusal>(
    call: Signed,
    id: string,
    may: readonly C[],
    wish: Parameters<Operators['change']>[1],
    prepare?: () => Promise<void>,
  ): Promise<Response | Refused<C> | undefined> => {
    // Always in this order, so that nobody waits in a ring.
    const outcome = await r.lanes.run(ADMINISTRATORS, () =>
      r.lanes.run(id, async () => ({ refusal: await operators.change(id, wish, doing(call), prepare) })),
    )
    if (!outcome) throw new Transient('Too many changes at once.')
    const { refusal } = outcome
    if (!refusal) return undefined
    const code = may.find((c) => c === refusal.refused)
    if (!code) throw new Error(`${refusal.refused} cannot be the answer to this`)
    return { ...refusal, refused: code }
  }

  /** People know names, the ledger knows ids. A name may look like an id, so who has the name goes first. */
  const actorIdOf = async (text: string): Promise<string> => {
    const named = await operators.idOf(text)
    return (await operators.load(named)).operator ? named : text
  }

  const users = async () => ({ now: await operators.count(), most: await r.userLimit() })

  const oneTime = async (password: string) => ({
    phc: await hashPassword(password, r.random),
    goodUntil: host.clock.now().add({ hours: r.oneTimeHours }),
  })

  return {
    ...auditorHandlers(r),

    health: async () => ({ status: 'ok' }),
    ready: async () => {
      try {
        if (await r.ready()) return { status: 'ready' }
      } catch (error) {
        host.log.warn({ error }, 'The product is not ready')
      }
      return refuse('not-ready', 'The product cannot do its work now.')
    },

    login: async ({ body, address, correlation, request }) => {
      const refused = await tooManySignIns(r.signInRate, address)
      if (refused) return refused
      const id = host.ids.opaque('session')
      const proven = await signIn.signIn({ ...body, session: id }, address, {
        correlation,
        causation: correlation,
      })
      if (isRefused(proven)) return proven
      const now = host.clock.now()
      const session = await sessions.open({
        session: id,
        operator: proven.operator.operator,
        as: body.as,
        now,
        trustedSince: proven.appended.at,
        reauthenticatedUntil: now.add({ minutes: limits.reauthenticatedMinutes }),
      })
      const admitted = { session, operator: proven.operator, door: null }
      const token = await desk.mint(admitted)
      const reply = gatewayHttp.login.reply.parse({
        session: describe(admitted),
        token: body.as === 'bearer' ? token : null,
      })
      return Response.json(reply, {
        headers: {
          'cache-control': 'no-store',
          ...(body.as === 'cookie' ? desk.handOver(token, 'cookie', request) : {}),
        },
      })
    },

    logout: async (call) => {
      const { who, request } = call
      await sessions.end(who.session, iso(host.clock.now()))
      await operators.record(
        who.operator,
        async () => ({
          facts: [fact('gateway.signed-out', { operator: who.operator, session: who.session })],
        }),
        doing(call),
      )
      return new Response(null, { status: 204, headers: desk.takeAway(request) })
    },

    session: async ({ who }) => describe(await mustBeThere(who.session)),

    reauthenticate: async (call) => {
      const { who, body, request } = call
      const proven = await signIn.prove(
        who.operator,
        body.password,
        { for: 'reauthenticate', session: who.session },
        doing(call),
      )
      if (isRefused(proven)) return proven
      const until = host.clock.now().add({ minutes: limits.reauthenticatedMinutes })
      await sessions.reauthenticate(who.session, iso(until))
      const admitted = await mustBeThere(who.session)
      const token = await desk.mint(admitted)
      const { as } = admitted.session
      return Response.json(
        gatewayHttp.reauthenticate.reply.parse({ until: iso(until), token: as === 'bearer' ? token : null }),
        {
          headers: {
            'cache-control': 'no-store',
            ...(as === 'cookie' ? desk.handOver(token, as, request) : {}),
          },
        },
      )
    },

    changePassword: async (call) => {
      const { who, body, request } = call
      if (body.next.normalize('NFKC') === body.current.normalize('NFKC'))
        return refuse('same-password', 'The new password is the old one.', [
          { field: 'body.next', message: 'must differ from the present password' },
        ])
      const next = await hashPassword(body.next, r.random)
      const proven = await signIn.prove(
        who.operator,
        body.current,
        { for: 'change-password' },
        doing(call),
        async () => {
          // Stored before it is recorded: after a crash in between the person chooses once more, with the new one.
          await operators.setPassword(who.operator, { phc: next, goodUntil: null })
          // What this browser asks at the same time must not find its session void before the next line but one.
          await sessions.trustSince(who.session, iso(host.clock.now().add({ minutes: 1 })))
        },
      )
      if (isRefused(proven)) return proven
      await sessions.trustSince(who.session, proven.appended.at)
      if (normalName(proven.operator.name) === FIRST_OPERATOR) await firstSignInUsed(r.stateDir)
      const admitted = await mustBeThere(who.session)
      const headers = desk.handOver(await desk.mint(admitted), admitted.session.as, request)
      return new Response(null, { status: 204, headers })
    },

    listOperators: async ({ query }) => {
      const now = host.clock.now()
      const page = await operators.list(query.after ?? null, query.limit)
      if (!page) return badPlace()
      return {
        items: page.operators.map((o) => ({
          operator: o.operator,
          name: o.name,
          roles: [...o.roles],
          state: standingOf(o, now),
          mustChangePassword: o.mustChangePassword,
          addedAt: o.addedAt,
          lastSignIn: o.lastSignIn,
        })),
        next: page.next,
        total: page.total,
      }
    },

    addOperator: async (call) => {
      const { name, roles } = call.body
      const operator = await operators.idOf(name)
      const password = oneTimePassword(r.random)
      const stored = await oneTime(password)
      const refused = await change(
        call,
        operator,
        ['name-taken', 'too-many-users'],
        async () => ({ do: 'add', operator, name, roles, users: await users() }),
        () => operators.setPassword(operator, stored),
      )
      return refused ?? { operator, oneTimePassword: password }
    },

    setRoles: async (call) => {
      const { operator } = call.params
      return change(call, operator, ['no-such-operator', 'last-administrator'], async () => ({
        do: 'set-roles',
        roles: call.body.roles,
        othersAdminister: await operators.othersAdminister(operator),
      }))
    },

    disableOperator: async (call) => {
      const { operator } = call.params
      const may = ['no-such-operator', 'last-administrator', 'already-disabled'] as const
      return change(call, operator, may, async () => ({
        do: 'disable',
        othersAdminister: await operators.othersAdminister(operator),
      }))
    },

    enableOperator: async (call) =>
      change(
        call,
        call.params.operator,
        ['no-such-operator', 'already-enabled', 'too-many-users'],
        async () => ({ do: 'enable', users: await users() }),
      ),

    resetPassword: async (call) => {
      const { operator } = call.params
      const password = oneTimePassword(r.random)
      const stored = await oneTime(password)
      const refused = await change(
        call,
        operator,
        ['no-such-operator'],
        async () => ({ do: 'reset-password' }),
        () => operators.setPassword(operator, stored),
      )
      return refused ?? { oneTimePassword: password }
    },

    licenseStatus: () => r.license(),

    live: async ({ who, request, signal }) => {
      const over = new AbortController()
      const ends = AbortSignal.any([signal, host.signal, over.signal])
      const recheck = setInterval(() => {
        const look = async () => {
          if (!(await desk.current(who.session))) over.abort()
        }
        // The database may be away for a moment: the next look decides.
        look().catch((error: unknown) =>
          host.log.debug({ error }, 'A live stream could not look at its session'),
        )
      }, r.liveRecheckMs)
      ends.addEventListener('abort', () => clearInterval(recheck), { once: true })
      const told = tell({
        feed: r.live(who.tenant, ends),
        after: lastSeen(request.headers),
        newest: async (limit) => (await r.ledger.page(who.tenant, { before: null, limit })).rows,
        // Whoever sees single bundles hears of evidence alone.
        only: who.bundles ? 'evidence.' : '',
      })
      return eventStream(told, ends)
    },

    listActivity: async ({ who, query }) => {
      if (who.bundles) return outsideScope()
      const { after, limit, type, actor, kind, from, to } = query
      const before = after === undefined ? null : wholeNumber(after)
      if (after !== undefined && before === null) return badPlace()
      const { rows, total } = await r.ledger.page(who.tenant, {
        before,
        limit,
        ...(type === undefined ? {} : { type }),
        ...(kind === undefined ? {} : { kind }),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(actor === undefined ? {} : { actor: await actorIdOf(actor) }),
      })
      const ids = rows.map((row) => row.actorId)
      const names = new Map([...(await operators.namesOf(ids)), ...(await auditors.namesOf(ids))])
      const last = rows.at(-1)
      return {
        items: rows.map((row) => ({ ...row, actorName: names.get(row.actorId) ?? null })),
        next: last && rows.length === limit && last.seq > 1 ? String(last.seq) : null,
        total,
      }
    },

    verifyLedger: async ({ who, signal }) => {
      if (who.bundles) return outsideScope()
      if (verifying) return refuse('already-verifying', 'The chain is being verified already.')
      verifying = true
      try {
        const started = host.clock.now()
        const verdict = await r.ledger.verify(who.tenant, AbortSignal.any([signal, host.signal]))
        return {
          ...verdict,
          durationMs: Math.max(0, Math.round(started.until(host.clock.now()).total('milliseconds'))),
        }
      } finally {
        verifying = false
      }
    },

    listOperations: async ({ who }) => ({
      services: [...(await r.ledger.lag(who.tenant))],
      stuck: [...(await r.stuck.list(who.tenant))],
    }),

    replayStuck: async ({ who, params }) =>
      (await r.stuck.replay(who.tenant, params.service, params.id))
        ? undefined
        : refuse('no-such-work', 'There is no such work; it may have been replayed already.'),
  }
}
