import { cell, column, type Report } from './report.ts'
import { STRETCH_COLUMNS, Timeline } from './timeline.ts'

/** How each vault lets people and networks in, over the period. */
export const vaultPosture: Report = {
  type: 'vault-posture',
  title: 'Vault access model and network posture',
  says: 'How every vault decides who may use it and from which networks it can be reached: as it stood at both ends of the period, with every stretch in which it stood otherwise.',
  kind: 'posture',
  columns: [
    column('vault', 'id', 'Opaque id of the vault', 'discovery.vault-scanned vault'),
    column('name', 'text', 'Name of the vault', 'discovery.vault-scanned facts.name'),
    column('subscription', 'id', 'Azure subscription', 'discovery.vault-scanned facts.subscription'),
    column('location', 'text', 'Azure region', 'discovery.vault-scanned facts.location'),
    column('sku', 'text', 'standard or premium', 'discovery.vault-scanned facts.sku'),
    column(
      'access_model',
      'text',
      'rbac: Azure role assignments decide; access-policies: the vault’s own list does, which is also what Azure means where it says nothing',
      'discovery.vault-scanned facts.rbac',
    ),
    column(
      'network',
      'text',
      'closed: no public access; restricted: public with a default of deny; open: any address may try',
      'discovery.vault-scanned facts.publicNetworkAccess, facts.defaultAction, facts.openToAll',
    ),
    column(
      'public_network_access',
      'text',
      'enabled or disabled; empty: Azure left it unsaid',
      'discovery.vault-scanned facts.publicNetworkAccess',
    ),
    column(
      'default_action',
      'text',
      'allow or deny; empty: Azure left it unsaid',
      'discovery.vault-scanned facts.defaultAction',
    ),
    column(
      'open_to_all',
      'boolean',
      'Whether a rule admits every address',
      'discovery.vault-scanned facts.openToAll',
    ),
    column(
      'private_endpoints',
      'integer',
      'Private endpoints',
      'discovery.vault-scanned facts.privateEndpoints',
      'endpoints',
    ),
    column(
      'contents_readable',
      'text',
      'readable, or why what is in it could not be read',
      'discovery.vault-unreachable why',
    ),
    ...STRETCH_COLUMNS,
  ],
  printed: [
    'name',
    'access_model',
    'network',
    'private_endpoints',
    'contents_readable',
    'state_from',
    'state_until',
    'at_start',
    'at_end',
  ],
  limits: [
    'It tells how a vault decides, not whom it lets in: role assignments and entries of access policies are not recorded.',
    'Network rules are told as Resource Manager describes them; nobody tried to reach a vault from outside.',
    'What stood between two scans and was undone before the second is not seen.',
  ],
  fold({ period }, { estate }) {
    const timeline = new Timeline(period)
    return {
      apply({ event, touched }) {
        for (const id of touched) {
          const vault = estate.vaults.get(id)
          if (!vault) continue
          const { facts, unreachable } = vault
          timeline.set(
            id,
            event.at,
            unreachable === 'gone'
              ? null
              : [
                  cell(facts?.subscription),
                  cell(facts?.location),
                  cell(facts?.sku),
                  facts ? (facts.rbac ? 'rbac' : 'access-policies') : '',
                  facts ? networkOf(facts) : '',
                  cell(facts?.publicNetworkAccess),
                  cell(facts?.defaultAction),
                  cell(facts?.openToAll),
                  cell(facts?.privateEndpoints),
                  unreachable ?? 'readable',
                ],
          )
        }
        return []
      },
      end: () =>
        timeline
          .stretches()
          .map((s) => [s.key, cell(estate.vaults.get(s.key)?.facts?.name), ...s.state, ...timeline.cells(s)]),
      totals: () => {
        const atEnd = timeline.stretches().filter((s) => s.until === null)
        const having = (index: number, value: string) => atEnd.filter((s) => s.state[index] === value).length
        return [
          ...timeline.totals('vaults'),
          { name: 'Decided by role assignments at the end', value: having(3, 'rbac') },
          { name: 'Decided by access policies at the end', value: having(3, 'access-policies') },
          { name: 'Closed to public networks at the end', value: having(4, 'closed') },
          { name: 'Restricted at the end', value: having(4, 'restricted') },
          { name: 'Open at the end', value: having(4, 'open') },
        ]
      },
    }
  },
}

/** The network posture in one word, by the reading of rule CIS-8.7. */
export function networkOf(facts: {
  readonly publicNetworkAccess: 'enabled' | 'disabled' | null
  readonly defaultAction: 'allow' | 'deny' | null
  readonly openToAll: boolean
}): 'closed' | 'restricted' | 'open' {
  if (facts.publicNetworkAccess === 'disabled') return 'closed'
  return facts.defaultAction === 'deny' && !facts.openToAll ? 'restricted' : 'open'
}
