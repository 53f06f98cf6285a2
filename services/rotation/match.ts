import { type Actor, fact } from '@attestry/contracts'
import { type Command, command, folded, type Host, instantOf, type Reaction, Transient } from '@attestry/kit'
import * as z from 'zod'
import { atOnce } from './at-once.ts'
import { matcher, type SecretFacts, sharedWords } from './matching.ts'
import { expandSelectors } from './selectors.ts'
import { rotationView } from './views.ts'

/*
 * After each scan, and when a policy is enabled: selectors make their policies, and matches are proposed for policies of
 * application secrets. A match that a person judged is never proposed again.
 */

const actor: Actor = { kind: 'service', id: 'rotation' }
const MOST_POLICIES = 5000
/** What happens within so long of each other is matched once: a selector enables a thousand policies in a second. */
const GATHER_MS = 2000
const APPENDS_AT_ONCE = 64
/** How long it waits for its rows before it comes back another time. */
const FOLDED_MS = 5000

const Match = z.object({})

export const matchReaction = ({ clock }: Pick<Host, 'clock'>): Reaction => ({
  name: 'matches',
  on: ['discovery.scan-completed', 'rotation.policy-enabled', 'rotation.selector-enabled'],
  react: (event) => {
    // By the time of now: what comes late finds no turn that is over already.
    const turn = Math.floor(clock.now().epochMilliseconds / GATHER_MS) + 1
    return Promise.resolve({
      send: [
        {
          command: 'match',
          id: `match-${turn}`,
          session: 'match',
          body: {},
          dueAt: Temporal.Instant.fromEpochMilliseconds(turn * GATHER_MS),
          by: actor,
          cause: { correlation: event.cause.correlation, causation: event.id },
        },
      ],
    })
  },
})

export const matchCommand = (host: Host): Command =>
  command<z.infer<typeof Match>>({
    name: 'match',
    body: Match,
    work: async (job) => {
      // What this turn was asked for by is in the ledger; the rows may not tell it yet.
      const { seq } = await host.head(job.tenant)
      if (!(await folded(host, job.tenant, rotationView, seq, FOLDED_MS, job.signal)))
        throw new Transient('The rows that matches are looked for in are behind the ledger')
      const opaque = await host.opaque(job.tenant)
      const made = await host.tx(job.tenant, (tx) => expandSelectors(tx, opaque))
      await atOnce(APPENDS_AT_ONCE, made, async ({ policy, fact: enabled }) => {
        const events = await host.stream(job.tenant, policy)
        if (events.length > 0) return
        const { by, cause } = job
        await host.append(job.tenant, { stream: policy, expected: 0, facts: [enabled], by, cause })
      })
      const found = await host.tx(job.tenant, async (tx) => {
        const policies = await tx.rows<{
          policy: string
          key_id: string
          app_id: string
          app_name: string
          name: string | null
          starts_at: string | null
          ends_at: string | null
          known: string[]
        }>(
          `select p.policy, c.key_id, c.app_id, c.app_name, c.name, c.starts_at, c.ends_at,
             array(select m.secret from matches m where m.tenant = p.tenant and m.policy = p.policy) as known
           from policies p join credentials c on c.tenant = p.tenant and c.asset = p.credential
           where p.tenant = $1 and p.enabled order by p.policy limit ${MOST_POLICIES}`,
          [tx.tenant],
        )
        if (policies.length === 0) return []
        const secrets = await tx.rows<SecretFacts>(
          `select asset, name, created, updated, expires, tags from items
           where tenant = $1 and kind = 'secret' and not managed and enabled`,
          [tx.tenant],
        )
        const facts = secrets.map((s) => ({
          ...s,
          created: instantOf(s.created),
          updated: instantOf(s.updated),
          expires: instantOf(s.expires),
        }))
        const apps = await tx.rows<{ name: string }>(
          'select distinct app_name as name from credentials where tenant = $1',
          [tx.tenant],
        )
        const proposals = matcher(facts, sharedWords(apps.map((a) => a.name)))
        return policies.map((p) => ({
          policy: p.policy,
          proposals: proposals({
            keyId: p.key_id,
            appId: p.app_id,
            appName: p.app_name,
            name: p.name,
            startsAt: instantOf(p.starts_at),
            endsAt: instantOf(p.ends_at),
          }).filter((one) => !p.known.includes(one.secret)),
        }))
      })
      await atOnce(APPENDS_AT_ONCE, found, async ({ policy, proposals }) => {
        if (proposals.length === 0) return
        job.signal.throwIfAborted()
        // The rows may be behind: the stream tells what was proposed before.
        const events = await host.stream(job.tenant, policy)
        const before = new Set(
          events.flatMap((e) => (e.type === 'rotation.match-proposed' ? [e.data.secret] : [])),
        )
        const facts = proposals
          .filter((p) => !before.has(p.secret))
          .map(({ secret, confidence, signals }) =>
            fact('rotation.match-proposed', {
              policy,
              match: opaque('match', `${policy} ${secret}`),
              secret,
              confidence,
              signals: [...signals],
            }),
          )
        if (facts.length === 0) return
        const { by, cause } = job
        const expected = events.at(-1)?.position ?? 0
        const appended = await host.append(job.tenant, { stream: policy, expected, facts, by, cause })
        if (!appended.ok) throw new Transient('A policy was changed while its matches were looked for')
      })
    },
  })
