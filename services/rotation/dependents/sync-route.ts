import { type Host, iso, type Tx } from '@attestry/kit'
import type { Goal, Switcher } from './dependent.ts'
import type { Order } from '../issuers/issuer.ts'

/** A copy that has not arrived by then is late; sync itself tries for as long. */
const CACHE_MS = 30 * 60_000

/** What a route copied last of a secret, as sync's own facts tell it. */
const copiedOf = (tx: Tx, route: string, secret: string) =>
  tx.rows<{ source_version: string }>(
    'select source_version from copies where tenant = $1 and route = $2 and secret = $3',
    [tx.tenant, route, secret],
  )

/**
 * A sync route takes a new version by itself: it hears of `credential-stored`. So there is nothing to switch, and it is
 * confirmed when sync says that this very version arrived.
 */
export function syncRouteSwitcher(host: Pick<Host, 'tx' | 'opaque'>, tenant: string): Switcher {
  const copied = async (order: Order, route: string, target: number | null, goal: Goal): Promise<boolean> => {
    const place = target === null ? undefined : order.targets[target]
    const version = goal.versions.find((v) => v.target === target)?.version
    if (!place || !version) return false
    const secret = (await host.opaque(tenant))('secret', `${place.vault}/${place.secret.toLowerCase()}`)
    const [row] = await host.tx(tenant, (tx) => copiedOf(tx, route, secret))
    return row?.source_version === version
  }
  return {
    kind: 'sync-route',
    possible: () => Promise.resolve(null),
    switch: (_order, _dependent, _goal, work) =>
      Promise.resolve({ cacheMs: CACHE_MS, says: `Sync was told of the new version at ${iso(work.now())}.` }),
    confirm: async (order, dependent, goal) =>
      (await copied(order, dependent.at ?? '', dependent.target, goal))
        ? { state: 'confirmed' }
        : { state: 'unconfirmed', why: 'The route has not copied the new version yet.' },
    back: () => Promise.resolve(),
  }
}
