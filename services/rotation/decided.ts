import type { Actor, EventOf, Fact } from '@attestry/contracts'
import { type Caller, type Host, isRefused, type Refused, Transient } from '@attestry/kit'

/** A decision is repeated so often when somebody else appended in between. */
const CONFLICTS = 5

export const actorOf = (who: Caller, address: string, reason?: string): Actor => ({
  kind: 'operator',
  id: who.operator,
  ...(address === '' ? {} : { address: address.slice(0, 200) }),
  ...(reason ? { reason } : {}),
})

/** Decides on a stream as it is now, appends, and decides anew when somebody else was faster. Null: it is done. */
export async function decided<C extends string>(
  host: Host,
  tenant: string,
  stream: string,
  by: Actor,
  correlation: string,
  decide: (events: EventOf[]) => Fact[] | Refused<C>,
): Promise<null | Refused<C>> {
  for (let turn = 0; turn < CONFLICTS; turn++) {
    const events = await host.stream(tenant, stream)
    const facts = decide(events)
    if (isRefused(facts)) return facts
    if (facts.length === 0) return null
    const cause = { correlation: correlation.slice(0, 80), causation: correlation.slice(0, 80) }
    const expected = events.at(-1)?.position ?? 0
    const result = await host.append(tenant, { stream, expected, facts, by, cause })
    if (result.ok) return null
  }
  throw new Transient('Others changed the same thing at the same time; try again')
}
