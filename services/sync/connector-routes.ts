import { type EventOf, fact } from '@attestry/contracts'
import type { syncHttp } from '@attestry/contracts/http'
import { type Handlers, type Host, type Refused, refuse, Secret } from '@attestry/kit'
import { openTarget, triedKind, trySignIn } from './account.ts'
import {
  accessPairs,
  accessProblems,
  type Connector,
  connectorOf,
  connectorProblems,
  decideRemove,
  isStored,
  noSuchConnector,
} from './connector.ts'
import { decided } from './decided.ts'
import { type Keyring, sealedName } from './keyring.ts'
import { listConnectors } from './lists.ts'
import type { RouteParts } from './routes.ts'

const badAccess = (errors: { field: string; message: string }[]) =>
  refuse('bad-access', 'The account or its sign-in cannot be as it is.', errors)

/** A demonstration writes to its stand-ins alone, and a real chain never to a stand-in. */
const mayConnect = (host: Host, overridden: boolean) =>
  (host.origin === 'demo') === overridden
    ? null
    : refuse(
        'demonstration-takes-no-real-connection',
        overridden
          ? 'The clouds are stand-ins on this machine, and this chain is a real one.'
          : 'This chain is a demonstration and takes no real connection. Start a new install for real accounts.',
      )

type Names = 'listConnectors' | 'addConnector' | 'testConnector' | 'replaceCredential' | 'removeConnector'

export function connectorHandlers({
  host,
  keyring,
  world,
  byOf,
}: RouteParts): Pick<Handlers<typeof syncHttp>, Names> {
  const connectorNow = async (tenant: string, id: string): Promise<Connector | null> => {
    const connector = connectorOf(await host.stream(tenant, id))
    return connector?.connected ? connector : null
  }
  const tried = async (
    tenant: string,
    connector: Connector,
    fresh: Secret | undefined,
    signal: AbortSignal,
  ) =>
    trySignIn(
      await openTarget(host, keyring, world, tenant, connector, triedKind(connector.cloud), fresh),
      connector.account,
      signal,
    )
  /** Seals a secret, or forgets the one that the sign-in no longer needs. */
  const store = (tenant: string, connector: string, secret: Secret | undefined) =>
    host.tx(tenant, (tx) => keep(keyring, tx, connector, secret))

  return {
    listConnectors: ({ who }) => host.tx(who.tenant, async (tx) => ({ items: await listConnectors(tx) })),

    addConnector: async ({ who, body, correlation, signal }) => {
      const refusal = mayConnect(host, world.endpoint !== undefined)
      if (refusal) return refusal
      const problems = connectorProblems(body)
      if (problems.length > 0) return badAccess(problems)
      const opaque = await host.opaque(who.tenant)
      const { cloud, name, account, region, access } = body
      const connector = opaque('connector', name.trim().toLowerCase())
      const wish: Connector = {
        connector,
        cloud,
        name: name.trim(),
        account,
        region,
        how: access.how,
        access: accessPairs(access),
        connected: true,
      }
      const known = await connectorNow(who.tenant, connector)
      if (known) return nameTaken(name)
      const secret = access.secret === undefined ? undefined : new Secret(access.secret)
      try {
        const problem = await tried(who.tenant, wish, secret, signal)
        if (problem) return problem
        const taken = await decided(
          host,
          who.tenant,
          { stream: connector, by: byOf(who), correlation },
          (events: EventOf[]) => {
            if (connectorOf(events)?.connected) return nameTaken(name)
            const { connected: _, ...data } = wish
            return [
              fact('sync.connector-added', data),
              fact('sync.connector-tested', { connector, ok: true, problem: null }),
            ]
          },
        )
        if (taken) return taken
        await store(who.tenant, connector, isStored(access.how) ? secret : undefined)
        return { connector }
      } finally {
        secret?.wipe()
      }
    },

    testConnector: async ({ who, params, correlation, signal }) => {
      const { connector } = params
      const known = await connectorNow(who.tenant, connector)
      if (!known) return noSuchConnector()
      const problem = await tried(who.tenant, known, undefined, signal)
      const answer = { ok: problem === null, problem: problem?.detail ?? null }
      await decided(host, who.tenant, { stream: connector, by: byOf(who), correlation }, () => [
        fact('sync.connector-tested', { connector, ...answer }),
      ])
      return answer
    },

    replaceCredential: async ({ who, params, body, correlation, signal }) => {
      const { connector } = params
      const known = await connectorNow(who.tenant, connector)
      if (!known) return noSuchConnector()
      const refusal = mayConnect(host, world.endpoint !== undefined)
      if (refusal) return refusal
      const problems = accessProblems(known.cloud, body)
      if (problems.length > 0)
        return badAccess(problems.map((p) => ({ ...p, field: p.field.replace('body.access.', 'body.') })))
      const secret = body.secret === undefined ? undefined : new Secret(body.secret)
      const access = accessPairs(body)
      try {
        const problem = await tried(who.tenant, { ...known, how: body.how, access }, secret, signal)
        if (problem) return problem
        await store(who.tenant, connector, isStored(body.how) ? secret : undefined)
        await decided(host, who.tenant, { stream: connector, by: byOf(who), correlation }, () => [
          fact('sync.credential-replaced', { connector, how: body.how, access }),
          fact('sync.connector-tested', { connector, ok: true, problem: null }),
        ])
        return undefined
      } finally {
        secret?.wipe()
      }
    },

    removeConnector: async ({ who, params, correlation }) => {
      const { connector } = params
      const [row] = await host.tx(who.tenant, (tx) =>
        tx.rows<{ open: number }>(
          `select count(*)::int as open from route where tenant = $1 and connector = $2 and state <> 'closed'`,
          [tx.tenant, connector],
        ),
      )
      const refusal = await decided(
        host,
        who.tenant,
        { stream: connector, by: byOf(who), correlation },
        (events) => decideRemove(connectorOf(events), row?.open ?? 0),
      )
      if (refusal) return refusal
      await store(who.tenant, connector, undefined)
      return undefined
    },
  }
}

const keep = async (
  keyring: Keyring,
  tx: Parameters<Keyring['forget']>[0],
  connector: string,
  secret: Secret | undefined,
): Promise<void> =>
  secret ? keyring.seal(tx, sealedName(connector), secret) : keyring.forget(tx, sealedName(connector))

const nameTaken = (name: string): Refused<'name-taken'> =>
  refuse('name-taken', `A connector called ${name} is there already.`, [
    { field: 'body.name', message: 'is taken' },
  ])
