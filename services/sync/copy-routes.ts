import { type Actor, type EventOf, fact } from '@attestry/contracts'
import type { ProvenanceRow, syncHttp } from '@attestry/contracts/http'
import { type Handlers, refuse } from '@attestry/kit'
import { openTarget } from './account.ts'
import { connectorOf } from './connector.ts'
import { type Copy, evolveCopy, isCopyEvent } from './copy.ts'
import { decided } from './decided.ts'
import { listCopies, readCopy, readMatrix } from './lists.ts'
import { type Route, routeOf } from './route.ts'
import type { RouteParts } from './routes.ts'
import { sendRun } from './send-run.ts'

type Names = 'listCopies' | 'readMatrix' | 'readCopy' | 'retryCopy' | 'adoptCopy'

export function copyHandlers({
  host,
  keyring,
  world,
  byOf,
}: RouteParts): Pick<Handlers<typeof syncHttp>, Names> {
  const routeNow = async (tenant: string, id: string): Promise<Route | null> =>
    routeOf(await host.stream(tenant, id))

  const copyOf = async (tenant: string, id: string): Promise<Copy | null> => {
    let copy: Copy | null = null
    for (const event of await host.stream(tenant, id)) if (isCopyEvent(event)) copy = evolveCopy(copy, event)
    return copy
  }

  const runOne = async (
    tenant: string,
    copy: { readonly route: string; readonly secret: string },
    by: Actor,
    correlation: string,
  ): Promise<void> => {
    const route = await routeNow(tenant, copy.route)
    if (route)
      await host.tx(tenant, (tx) =>
        sendRun(host, tx, route, { trigger: 'operator', by, secrets: [copy.secret], correlation }),
      )
  }

  return {
    listCopies: ({ who, query }) => host.tx(who.tenant, (tx) => listCopies(tx, query)),
    readMatrix: ({ who, query }) => host.tx(who.tenant, (tx) => readMatrix(tx, query)),

    readCopy: async ({ who, params }) => {
      const copy = await host.tx(who.tenant, (tx) => readCopy(tx, params.copy))
      if (!copy) return noSuchCopy()
      const events = await host.stream(who.tenant, params.copy)
      return { copy, provenance: events.toReversed().slice(0, 500).map(provenanceOf) }
    },

    retryCopy: async ({ who, params, correlation }) => {
      const by = byOf(who)
      const copy = await copyOf(who.tenant, params.copy)
      const refusal = await decided(host, who.tenant, { stream: params.copy, by, correlation }, () =>
        copy
          ? copy.state === 'failed'
            ? [fact('sync.copy-replayed', { route: copy.route, copy: copy.copy, secret: copy.secret })]
            : refuse('not-set-aside', 'This copy was not set aside.')
          : noSuchCopy(),
      )
      if (refusal) return refusal
      if (copy) await runOne(who.tenant, copy, by, correlation)
      return undefined
    },

    adoptCopy: async ({ who, params, body, correlation, signal }) => {
      const row = await host.tx(who.tenant, (tx) => readCopy(tx, params.copy))
      if (!row) return noSuchCopy()
      const adoptable = ['unmanaged', 'unmarked', 'drifted', 'holds-another-secret', 'pending-deletion']
      if (row.line?.action !== 'conflict' || !adoptable.includes(row.line.reason))
        return refuse('no-conflict', 'Nothing is there that could be given to this route.')
      const route = await routeNow(who.tenant, row.route)
      const connector = route && connectorOf(await host.stream(who.tenant, route.connector))
      if (!route || !connector) return noSuchCopy()
      const target = await openTarget(host, keyring, world, who.tenant, connector, route.settings.kind)
      const there = await target.describe(row.line.targetName, signal)
      if (!there || there.version !== body.targetVersion)
        return refuse(
          'changed-since',
          'What is at the target changed since it was looked at: plan again and look.',
        )
      const by = byOf(who)
      const { copy, secret, line } = row
      await decided(host, who.tenant, { stream: copy, by, correlation }, () => [
        fact('sync.adopted', {
          route: row.route,
          copy,
          secret,
          targetName: line.targetName,
          targetVersion: there.version,
        }),
      ])
      await runOne(who.tenant, { route: row.route, secret }, by, correlation)
      return undefined
    },
  }
}

/** An event of a copy as its provenance shows it. */
function provenanceOf(event: EventOf): ProvenanceRow {
  const { seq, at, by } = event
  const base: ProvenanceRow = {
    seq,
    at,
    what: event.type.slice('sync.'.length),
    sourceVersion: null,
    targetVersion: null,
    sourceMac: null,
    targetMac: null,
    run: null,
    plan: null,
    actor: { kind: by.kind, id: by.id },
    detail: null,
  }
  switch (event.type) {
    case 'sync.copied': {
      const { sourceVersion, targetVersion, sourceMac, targetMac, run, plan, recovered } = event.data
      const detail = recovered ? 'found at the target after an interruption' : null
      return {
        ...base,
        sourceVersion,
        targetVersion,
        sourceMac,
        targetMac,
        run: run ?? null,
        plan: plan ?? null,
        detail,
      }
    }
    case 'sync.copy-failed':
      return { ...base, run: event.data.run ?? null, detail: event.data.reason }
    case 'sync.drifted':
      return { ...base, targetVersion: event.data.found, detail: event.data.drift }
    case 'sync.adopted':
      return { ...base, targetVersion: event.data.targetVersion }
    case 'sync.pruned':
      return { ...base, targetVersion: event.data.targetVersion, run: event.data.run, plan: event.data.plan }
    case 'sync.copy-disabled':
      return { ...base, targetVersion: event.data.targetVersion, run: event.data.run }
    default:
      return base
  }
}

const noSuchCopy = () => refuse('no-such-copy', 'No copy of this id is known.')
