import type { AdviceRow } from '@attestry/contracts/http'
import type { Tx } from '@attestry/kit'
import type * as z from 'zod'

/** Application secrets that only workloads in Azure use: a managed identity, or a federation, would need none. */
export async function adviceOf(tx: Tx): Promise<z.input<typeof AdviceRow>[]> {
  const rows = await tx.rows<{ asset: string; name: string; resources: string[]; kinds: string[] }>(
    `select c.asset, c.app_name as name, array_agg(distinct r.name) as resources, array_agg(distinct r.type) as kinds
     from credentials c join policies p on p.tenant = c.tenant and p.credential = c.asset and p.enabled
     join matches m on m.tenant = p.tenant and m.policy = p.policy and m.state = 'verified'
     join edges e on e.tenant = m.tenant and e.target = m.secret and e.verdict <> 'rejected' and e.confidence >= 70
     join resources r on r.tenant = e.tenant and r.resource = e.resource
     where c.tenant = $1 and c.kind = 'secret' group by c.asset, c.app_name order by c.app_name limit 200`,
    [tx.tenant],
  )
  return rows.map(({ asset, name, resources }) => ({
    credential: asset,
    name,
    advice: resources.length === 1 ? ('managed-identity' as const) : ('federation' as const),
    says:
      resources.length === 1
        ? `${resources[0]} runs in Azure and could sign in with its own managed identity. Then there is no secret to rotate.`
        : `${resources.length} workloads in Azure share this secret. Managed identities, federated with the application, would need none.`,
    resources,
  }))
}
