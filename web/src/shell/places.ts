import { http } from '@attestry/contracts/http'
import type { Endpoint } from '@attestry/contracts/http'

/** A page of the console: its address, the key after `g`, and the endpoint whose roles may see it. */
export interface Place {
  readonly path: string
  readonly name: string
  readonly key: string
  readonly group: 'Watch' | 'Estate' | 'Assurance' | 'System'
  readonly needs: Endpoint
  /** Other words that a search should find it by. */
  readonly words: string
}

export const PLACES: readonly Place[] = [
  {
    path: '/',
    name: 'Overview',
    key: 'o',
    group: 'Watch',
    needs: http.compliance.readScore,
    words: 'home score expiries scan',
  },
  {
    path: '/findings',
    name: 'Findings',
    key: 'f',
    group: 'Watch',
    needs: http.compliance.listFindings,
    words: 'problems violations fix',
  },
  {
    path: '/inventory',
    name: 'Inventory',
    key: 'i',
    group: 'Estate',
    needs: http.discovery.listAssets,
    words: 'secrets keys certificates assets app credentials',
  },
  {
    path: '/vaults',
    name: 'Vaults',
    key: 'v',
    group: 'Estate',
    needs: http.discovery.listVaults,
    words: 'posture unreachable firewall',
  },
  {
    path: '/rotation',
    name: 'Rotation',
    key: 'r',
    group: 'Estate',
    needs: http.rotation.listRotations,
    words: 'policies plan approve calendar windows freezes matches secretless renew',
  },
  {
    path: '/sync',
    name: 'Sync',
    key: 'y',
    group: 'Estate',
    needs: http.sync.readStatus,
    words: 'routes copies aws google targets drift conflicts plan kill switch',
  },
  {
    path: '/compliance',
    name: 'Compliance',
    key: 'c',
    group: 'Assurance',
    needs: http.compliance.listFrameworks,
    words: 'frameworks controls rules weights',
  },
  {
    path: '/evidence',
    name: 'Evidence',
    key: 'e',
    group: 'Assurance',
    needs: http.evidence.listBundles,
    words: 'bundle reports auditor download verify',
  },
  {
    path: '/activity',
    name: 'Activity',
    key: 'a',
    group: 'Assurance',
    needs: http.gateway.listActivity,
    words: 'ledger events audit log chain',
  },
  {
    path: '/settings',
    name: 'Settings',
    key: 's',
    group: 'System',
    // An auditor has nothing to set; their own account is at /settings/account.
    needs: http.discovery.listEnvironments,
    words: 'people users roles environments licence',
  },
  {
    path: '/operations',
    name: 'Operations',
    key: 'p',
    group: 'System',
    needs: http.gateway.listOperations,
    words: 'services lag stuck replay',
  },
]

/** The page that an address belongs to. */
export const placeOf = (pathname: string): Place | undefined =>
  PLACES.find((p) =>
    p.path === '/' ? pathname === '/' : pathname === p.path || pathname.startsWith(`${p.path}/`),
  )
