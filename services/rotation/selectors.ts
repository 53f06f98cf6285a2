import type { CredentialSubject, Fact } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'
import { policyFact, type Terms } from './policy.ts'

/** Policies made at once; the next look makes the rest. */
const PAGE = 1000

/** Policies that selectors make: for each application secret whose name has the part and that has none yet. */
export async function expandSelectors(
  tx: Tx,
  opaque: (kind: string, name: string) => string,
): Promise<{ policy: string; fact: Fact }[]> {
  const rows = await tx.rows<{
    selector: string
    cadence_days: number
    settings: Terms['settings']
    asset: string
    object_id: string
    app_id: string
    app_name: string
    key_id: string
  }>(
    `select s.selector, s.cadence_days, s.settings, c.asset, c.object_id, c.app_id, c.app_name, c.key_id
     from selectors s join credentials c on c.tenant = s.tenant and c.kind = 'secret'
       and position(lower(s.name_part) in lower(c.app_name)) > 0
     where s.tenant = $1 and s.enabled
       and not exists (select 1 from policies p where p.tenant = c.tenant and p.credential = c.asset)
     order by c.asset limit ${PAGE}`,
    [tx.tenant],
  )
  return rows.map((r) => {
    const subject: CredentialSubject = {
      kind: 'app-secret',
      at: r.object_id,
      part: r.app_id,
      name: r.app_name,
    }
    const policy = opaque('policy', `app-secret ${r.object_id} ${r.app_id} ${r.key_id}`.toLowerCase())
    return {
      policy,
      fact: policyFact(
        'rotation.policy-enabled',
        { policy, credential: r.asset, subject, selector: r.selector },
        { cadenceDays: r.cadence_days, settings: r.settings },
      ),
    }
  })
}
