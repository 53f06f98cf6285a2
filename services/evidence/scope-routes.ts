import { type EventOf, fact } from '@attestry/contracts'
import type { evidenceScopeHttp } from '@attestry/contracts/http'
import { type Caller, type Handlers, type Host, isRefused } from '@attestry/kit'
import { readListing } from './scope-listing.ts'

/** Events of one read of the stream. */
const PAGE = 10_000

/** Declares and reads what is in scope. All of it is one stream, so the ledger is the only place that holds it. */
export function scopeHandlers(host: Host): Handlers<typeof evidenceScopeHttp> {
  const streamOf = async (tenant: string) => (await host.opaque(tenant))('scope', 'evidence')
  const by = (who: Caller, address: string) => ({
    kind: 'operator' as const,
    id: who.operator,
    ...(address ? { address } : {}),
  })
  return {
    async readScope({ who, signal }) {
      const stream = await streamOf(who.tenant)
      let statement: EventOf<'evidence.scope-declared'> | null = null
      let listing: EventOf<'evidence.listing-imported'> | null = null
      let after = 0
      // Ends: every page moves `after` on, and the last one is short.
      for (let full = true; full; ) {
        signal.throwIfAborted()
        const events = await host.stream(who.tenant, stream, after)
        for (const event of events) {
          if (event.type === 'evidence.scope-declared') statement = event
          if (event.type === 'evidence.listing-imported') listing = event
        }
        after = events.at(-1)?.position ?? after
        full = events.length === PAGE
      }
      return {
        statement: statement && {
          statement: statement.data.statement,
          subscriptions: statement.data.subscriptions,
          vaults: statement.data.vaults.map((v) => v.name),
          by: statement.by.id,
          at: statement.at,
        },
        listing: listing && {
          listing: listing.data.listing,
          sha256: listing.data.sha256,
          resources: listing.data.resources,
          vaults: listing.data.vaults,
          by: listing.by.id,
          at: listing.at,
        },
      }
    },

    async declareScope({ who, body, address, correlation }) {
      const scope = await streamOf(who.tenant)
      await host.append(who.tenant, {
        stream: scope,
        expected: 'any',
        facts: [
          fact('evidence.scope-declared', {
            scope,
            statement: body.statement,
            subscriptions: [...new Set(body.subscriptions.map((s) => s.toLowerCase()))].toSorted(),
            vaults: [...new Set(body.vaults)].toSorted().map((name) => ({ name })),
          }),
        ],
        by: by(who, address),
        cause: { correlation, causation: correlation },
      })
      return undefined
    },

    async importListing({ who, request, address, correlation }) {
      const listing = host.ids.opaque('listing')
      const facts = readListing(await request.text(), listing)
      if (isRefused(facts)) return facts
      await host.append(who.tenant, {
        stream: await streamOf(who.tenant),
        expected: 'any',
        facts,
        by: by(who, address),
        cause: { correlation, causation: correlation },
      })
      const [imported] = facts
      if (imported?.type !== 'evidence.listing-imported') throw new Error('a listing begins with its summary')
      return { listing, resources: imported.data.resources, vaults: imported.data.vaults }
    },
  }
}
