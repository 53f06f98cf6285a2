import { createHash } from 'node:crypto'
import type { evidenceScopeHttp } from '@attestry/contracts/http'
import type * as z from 'zod'
import { DAY, type Handlers, iso, refuse } from './answers.fixture.ts'

type Scope = z.input<typeof evidenceScopeHttp.readScope.reply>

/** What is declared to be in scope, and the listing that it is held against: both can be given anew. */
export function scopeHandlers(): Pick<Handlers['evidence'], 'readScope' | 'declareScope' | 'importListing'> {
  const scope: Scope = {
    statement: {
      statement: 'All production vaults of Contoso and what depends on them; the sandbox is out of scope.',
      subscriptions: [],
      vaults: [],
      by: 'operator-1',
      at: iso(Date.now() - 20 * DAY),
    },
    listing: null,
  }
  return {
    readScope: () => scope,
    declareScope: ({ body }) => {
      scope.statement = { ...body, by: 'operator-1', at: iso(Date.now()) }
    },
    importListing: ({ upload }) => {
      if (!upload.startsWith('['))
        return refuse(
          400,
          'listing-unreadable',
          'The listing must be the JSON array that az resource list prints, each entry with id and type.',
        )
      const sha256 = createHash('sha256').update(upload).digest('hex')
      const listing = { listing: 'listing-000000000001', resources: JSON.parse(upload).length, vaults: 1 }
      scope.listing = { ...listing, sha256, by: 'operator-1', at: iso(Date.now()) }
      return listing
    },
  }
}
