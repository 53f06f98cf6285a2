import { fact, type CredentialSubject, type EventOf } from '@attestry/contracts'
import type { rotationHttp } from '@attestry/contracts/http'
import {
  cursorOf,
  cursorText,
  Denied,
  type Handlers,
  isRefused,
  refuse,
  type Refused,
  Transient,
} from '@attestry/kit'
import { actorOf, decided } from './decided.ts'
import { type DriveParts, workFor } from './drive.ts'
import { type KnownCredential, readCredential, readFreezes, readVaults } from './known.ts'
import { makePlan } from './plan.ts'
import { policyFact, type PolicyRefusal, type PolicyState, problemOf, type Terms } from './policy.ts'
import { listPolicies } from './policy-rows.ts'

type Table = typeof rotationHttp
type Some = Pick<
  Handlers<Table>,
  | 'listPolicies'
  | 'savePolicy'
  | 'revisePolicy'
  | 'disablePolicy'
  | 'showWebhookKey'
  | 'listSelectors'
  | 'saveSelector'
  | 'disableSelector'
  | 'listMatches'
  | 'judgeMatch'
>

function evolvePolicy(state: PolicyState | null, e: EventOf): PolicyState | null {
  if (e.type === 'rotation.policy-disabled') return state && { ...state, enabled: false }
  if (e.type !== 'rotation.policy-enabled' && e.type !== 'rotation.policy-revised') return state
  const { policy, credential, cadenceDays, subject, settings, selector } = e.data
  if (!subject || !settings) return state
  const enabled = e.type === 'rotation.policy-enabled' || (state?.enabled ?? true)
  return { policy, enabled, credential, cadenceDays, subject, settings, selector: selector ?? null }
}

/** A policy as its stream tells it; null where there is none. */
export const policyOfStream = (events: readonly EventOf[]): PolicyState | null =>
  events.reduce(evolvePolicy, null)

/** A look at the cloud while a policy is saved takes no longer than this; without an answer the preflight decides later. */
const LOOK_MS = 15_000

/** Handlers of policies, selectors and matches. */
export function policyHandlers(parts: DriveParts, webhookKeyOf: (policy: string) => Uint8Array): Some {
  const { host } = parts

  /** What is wrong with terms for a credential, by what is known and by what the cloud says; null: nothing. */
  async function wrong(
    tenant: string,
    subject: CredentialSubject,
    environment: string | null,
    terms: Terms,
    keyId: string | null,
    signal: AbortSignal,
  ): Promise<Refused<PolicyRefusal> | null> {
    const { freezes, vaults } = await host.tx(tenant, async (tx) => ({
      freezes: await readFreezes(tx),
      vaults: await readVaults(
        tx,
        terms.settings.targets.map((t) => t.vault),
      ),
    }))
    const issuer = parts.issuers[subject.kind]
    const now = host.clock.now()
    const problem = problemOf(subject.kind, terms, {
      now,
      freezes,
      vaults,
      environment,
      capDays: issuer?.longestDays ?? null,
    })
    if (problem || !issuer) return problem
    const work = workFor(parts, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]))
    const targets = terms.settings.targets.map(({ vault, secret, content }) => ({
      vault,
      uri: (vaults.get(vault)?.uri ?? '').replace(/\/$/, ''),
      secret,
      content,
      previous: null,
    }))
    try {
      const seen = await issuer.look(subject, targets, work)
      const draft = makePlan({
        rotation: 'rotation-draft',
        policy: {
          policy: 'policy-draft',
          enabled: true,
          credential: 'credential-draft',
          subject,
          selector: null,
          ...terms,
        },
        mode: 'normal',
        trigger: 'operator',
        targets,
        seen,
        dependents: [],
        issuer,
        keyId,
        now,
        salt: '',
      })
      if (isRefused(draft)) return null
      const [planned] = draft
      if (planned?.type !== 'rotation.planned') return null
      const order = { ...planned.data, attempt: 1 }
      for (const check of await issuer.preflight(order, work)) {
        if (check.state !== 'failed') continue
        if (check.check === 'lifetime-policy')
          return refuse('lifetime-above-cap', check.says, [
            { field: 'body.cadenceDays', message: check.says },
          ])
        if (check.check === 'vault-soft-deleted')
          return refuse('vault-gone', check.says, [{ field: 'body.settings.targets', message: check.says }])
        if (check.check === 'name-conflict')
          return refuse('bad-secret-name', check.says, [
            { field: 'body.settings.targets', message: check.says },
          ])
      }
      return null
    } catch (error) {
      signal.throwIfAborted()
      // What cannot be looked at now is looked at before anything is changed.
      if (error instanceof Denied || error instanceof Transient) return null
      throw error
    }
  }

  const noSuchPolicy = () => refuse('no-such-policy', 'No policy of this id is known.')

  return {
    listPolicies: ({ who, query }) => host.tx(who.tenant, (tx) => listPolicies(tx, query)),

    savePolicy: async ({ who, body, address, correlation, signal }) => {
      const opaque = await host.opaque(who.tenant)
      const found = await credentialFor(who.tenant, body)
      if (isRefused(found)) return found
      const { subject, asset } = found
      const refusal = await wrong(who.tenant, subject, found.environment, body, found.keyId, signal)
      if (refusal) return refusal
      // One policy a principal’s credential: two that save at once meet in one stream.
      const policy = opaque(
        'policy',
        `${subject.kind} ${subject.at} ${subject.part ?? ''} ${found.keyId ?? ''}`.toLowerCase(),
      )
      const taken = await host.tx(who.tenant, (tx) =>
        tx.rows<{ policy: string }>(
          'select policy from policies where tenant = $1 and credential = $2 and enabled and policy <> $3 limit 1',
          [tx.tenant, asset, policy],
        ),
      )
      const has = () =>
        refuse('credential-has-policy', 'A policy rotates this credential already.', [
          { field: 'body.credential', message: 'has a policy' },
        ])
      if (taken.length > 0) return has()
      const done = await decided(host, who.tenant, policy, actorOf(who, address), correlation, (events) =>
        policyOfStream(events)?.enabled
          ? has()
          : [policyFact('rotation.policy-enabled', { policy, credential: asset, subject }, body)],
      )
      return done ?? { policy }
    },

    revisePolicy: async ({ who, params, body, address, correlation, signal }) => {
      const state = policyOfStream(await host.stream(who.tenant, params.policy))
      if (!state?.enabled) return noSuchPolicy()
      const known = await host.tx(who.tenant, (tx) => readCredential(tx, state.credential))
      const credential = known === 'certificate' ? null : known
      const refusal = await wrong(
        who.tenant,
        state.subject,
        credential?.environment ?? null,
        body,
        credential?.keyId ?? null,
        signal,
      )
      if (refusal) return refusal
      return (
        (await decided(host, who.tenant, params.policy, actorOf(who, address), correlation, (events) => {
          const now = policyOfStream(events)
          return now?.enabled ? [policyFact('rotation.policy-revised', now, body)] : noSuchPolicy()
        })) ?? undefined
      )
    },

    disablePolicy: async ({ who, params, address, correlation }) =>
      (await decided(host, who.tenant, params.policy, actorOf(who, address), correlation, (events) =>
        policyOfStream(events)?.enabled
          ? [fact('rotation.policy-disabled', { policy: params.policy })]
          : noSuchPolicy(),
      )) ?? undefined,

    showWebhookKey: async ({ who, params }) => {
      const state = policyOfStream(await host.stream(who.tenant, params.policy))
      if (!state) return noSuchPolicy()
      if (!state.settings.owner?.webhook)
        return refuse('no-webhook', 'The owner of this policy is told by no webhook.')
      return { key: webhookKeyOf(params.policy).toHex() }
    },

    listSelectors: ({ who }) =>
      host.tx(who.tenant, async (tx) => ({
        items: await tx.rows<{ selector: string; namePart: string; cadenceDays: number; policies: number }>(
          `select s.selector, s.name_part as "namePart", s.cadence_days as "cadenceDays",
             (select count(*)::int from policies p where p.tenant = s.tenant and p.selector = s.selector and p.enabled) as policies
           from selectors s where s.tenant = $1 and s.enabled order by s.name_part, s.selector limit 200`,
          [tx.tenant],
        ),
      })),

    saveSelector: async ({ who, body, address, correlation, signal }) => {
      const { namePart, cadenceDays, settings } = body
      const subject: CredentialSubject = { kind: 'app-secret', at: 'any', part: null, name: 'any' }
      const { freezes, vaults } = await host.tx(who.tenant, async (tx) => ({
        freezes: await readFreezes(tx),
        vaults: await readVaults(
          tx,
          settings.targets.map((t) => t.vault),
        ),
      }))
      signal.throwIfAborted()
      const problem = problemOf(subject.kind, body, {
        now: host.clock.now(),
        freezes,
        vaults,
        environment: null,
        capDays: parts.issuers['app-secret']?.longestDays ?? null,
      })
      if (problem) return problem
      const selector = (await host.opaque(who.tenant))('selector', namePart.toLowerCase())
      const refusal = await decided<never>(
        host,
        who.tenant,
        selector,
        actorOf(who, address),
        correlation,
        () => [
          fact('rotation.selector-enabled', {
            selector,
            namePart,
            kinds: ['app-secret'],
            cadenceDays,
            settings,
          }),
        ],
      )
      return refusal ?? { selector }
    },

    disableSelector: async ({ who, params, address, correlation }) =>
      (await decided(host, who.tenant, params.selector, actorOf(who, address), correlation, (events) =>
        events.at(-1)?.type === 'rotation.selector-enabled'
          ? [fact('rotation.selector-disabled', { selector: params.selector })]
          : refuse('no-such-selector', 'No selector of this id is enabled.'),
      )) ?? undefined,

    listMatches: ({ who, query }) =>
      host.tx(who.tenant, async (tx) => {
        const place = cursorOf(query.after)
        const after = place && /^\d{1,3}$/.test(place.key) ? place : null
        const where = `m.tenant = $1 and p.enabled and ($2::text is null or m.policy = $2) and ($3::text is null or m.state = $3)
          and ($4::text is null or m.secret = $4)`
        const from = `from matches m join policies p on p.tenant = m.tenant and p.policy = m.policy
          left join items i on i.tenant = m.tenant and i.asset = m.secret
          left join vaults v on v.tenant = m.tenant and v.vault = i.vault where ${where}`
        const args = [tx.tenant, query.policy ?? null, query.state ?? null, query.secret ?? null]
        const rows = await tx.rows<{
          match: string
          policy: string
          policyName: string
          secret: string
          secretName: string
          vaultName: string
          confidence: number
          signals: string[]
          state: 'proposed' | 'verified' | 'excluded'
        }>(
          `select m.match, m.policy, p.name as "policyName", m.secret, coalesce(i.name, '') as "secretName",
             coalesce(v.name, '') as "vaultName", m.confidence, m.signals, m.state ${from}
             and ($5::int is null or (m.confidence, m.match) > ($5, $6)) order by m.confidence, m.match limit $7`,
          [...args, after ? Number(after.key) : null, after?.id ?? null, query.limit + 1],
        )
        const [count] = await tx.rows<{ total: number }>(`select count(*)::int as total ${from}`, args)
        const items = rows.slice(0, query.limit)
        const end = items.at(-1)
        return {
          items,
          next:
            rows.length > query.limit && end
              ? cursorText({ key: String(end.confidence), id: end.match })
              : null,
          total: count?.total ?? 0,
        }
      }),

    judgeMatch: async ({ who, params, body, address, correlation }) => {
      const { match } = params
      const [row] = await host.tx(who.tenant, (tx) =>
        tx.rows<{ policy: string }>('select policy from matches where tenant = $1 and match = $2', [
          tx.tenant,
          match,
        ]),
      )
      if (!row) return refuse('no-such-match', 'No match of this id is known.')
      const { policy } = row
      return (
        (await decided(host, who.tenant, policy, actorOf(who, address), correlation, (events) => {
          const last = events.findLast(
            (e) =>
              (e.type === 'rotation.match-verified' || e.type === 'rotation.match-excluded') &&
              e.data.match === match,
          )
          const type = body.verdict === 'verified' ? 'rotation.match-verified' : 'rotation.match-excluded'
          if (last?.type === type)
            return refuse('already-judged', `Somebody ${body.verdict} this match before.`)
          return [fact(type, { policy, match })]
        })) ?? undefined
      )
    },
  }

  async function credentialFor(
    tenant: string,
    body: { credential?: string | undefined; subject?: CredentialSubject | undefined },
  ): Promise<KnownCredential | Refused<'unknown-credential' | 'credential-not-rotatable'>> {
    if (body.subject) {
      const { subject } = body
      const opaque = await host.opaque(tenant)
      if (subject.kind === 'app-secret')
        return refuse(
          'unknown-credential',
          'An application’s secret is named by its credential, as discovery lists it.',
          [{ field: 'body.subject.kind', message: 'give body.credential instead' }],
        )
      const asset = opaque(subject.kind, `${subject.at}/${subject.part ?? ''}`.toLowerCase())
      let keyId: string | null = null
      const issuer = parts.issuers[subject.kind]
      if (!issuer) return refuse('credential-not-rotatable', `Nothing here can rotate a ${subject.kind}.`)
      try {
        const seen = await issuer.look(subject, [], workFor(parts, AbortSignal.timeout(LOOK_MS)))
        // The newest that works is the one in use, as far as anybody can tell from outside.
        keyId =
          subject.kind === 'sp-secret'
            ? (seen.live.toSorted((a, b) => ((a.startsAt ?? '') < (b.startsAt ?? '') ? 1 : -1))[0]?.keyId ??
              null)
            : null
      } catch (error) {
        if (error instanceof Denied)
          return refuse('unknown-credential', `Azure does not show it to us: ${error.message}`, [
            { field: 'body.subject.at', message: 'is not found, or we may not see it' },
          ])
        throw error
      }
      return { asset, subject, keyId, environment: null, startsAt: null, endsAt: null }
    }
    const found = await host.tx(tenant, (tx) => readCredential(tx, body.credential ?? ''))
    if (found === 'certificate')
      return refuse(
        'credential-not-rotatable',
        'A certificate that an application signs in with cannot be rotated here: its private key is made elsewhere.',
      )
    return (
      found ??
      refuse('unknown-credential', 'No credential of this id is known that can be rotated. Scan first.', [
        { field: 'body.credential', message: 'is not known' },
      ])
    )
  }
}
