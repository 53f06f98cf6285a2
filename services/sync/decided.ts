import type { Actor, EventOf, Fact } from '@attestry/contracts'
import { type Host, isRefused, type Refused, Transient } from '@attestry/kit'

/** A decision is repeated so often when somebody else appended in between. */
const CONFLICTS = 5

/** Decides on a stream as it is now, appends, and decides anew when somebody else was faster. */
export async function decided<C extends string>(
  host: Host,
  tenant: string,
  at: { readonly stream: string; readonly by: Actor; readonly correlation: string },
  decide: (events: EventOf[]) => Fact[] | Refused<C> | Promise<Fact[] | Refused<C>>,
): Promise<null | Refused<C>> {
  for (let turn = 0; turn < CONFLICTS; turn++) {
    const events = await host.stream(tenant, at.stream)
    const facts = await decide(events)
    if (isRefused(facts)) return facts
    if (facts.length === 0) return null
    const correlation = at.correlation.slice(0, 80)
    const answer = await host.append(tenant, {
      stream: at.stream,
      expected: events.at(-1)?.position ?? 0,
      facts,
      by: at.by,
      cause: { correlation, causation: correlation },
    })
    if (answer.ok) return null
  }
  throw new Transient('Others changed the same thing at the same time; try again')
}
