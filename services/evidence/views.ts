import type { EventOf } from '@attestry/contracts'
import type { Fold, Tx } from '@attestry/kit'

async function apply(event: EventOf, tx: Tx): Promise<void> {
  switch (event.type) {
    case 'evidence.bundle-requested': {
      const { bundle, reports, period, framework, formats, scope } = event.data
      await tx.rows(
        `insert into bundle (tenant, bundle, state, reports, period_from, period_to, requested_at, requested_by, seq,
           framework, formats, scope)
         values ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing`,
        [
          tx.tenant,
          bundle,
          reports,
          period.from,
          period.to,
          event.at,
          event.by.id,
          event.seq,
          framework ?? null,
          formats ?? null,
          scope ? JSON.stringify(scope) : null,
        ],
      )
      return
    }
    case 'evidence.assertion-signed': {
      const { bundle, name, title, statement } = event.data
      await tx.rows('update bundle set assertion = $3 where tenant = $1 and bundle = $2', [
        tx.tenant,
        bundle,
        JSON.stringify({ name, title, statement, at: event.at }),
      ])
      return
    }
    case 'evidence.bundle-resumed':
      await tx.rows(
        `update bundle set state = 'queued', problem = null, attempts = attempts + 1
         where tenant = $1 and bundle = $2`,
        [tx.tenant, event.data.bundle],
      )
      return
    case 'evidence.bundle-downloaded':
      await tx.rows(
        'update bundle set downloads = downloads + 1, downloaded_at = $3 where tenant = $1 and bundle = $2',
        [tx.tenant, event.data.bundle, event.at],
      )
      return
    case 'evidence.bundle-expired':
      await tx.rows(
        `update bundle set state = 'expired', expired_at = $3 where tenant = $1 and bundle = $2`,
        [tx.tenant, event.data.bundle, event.at],
      )
      return
    case 'evidence.bundle-timestamped': {
      const { bundle, status, tsa, independent, genTime } = event.data
      await tx.rows('update bundle set stamp = $3 where tenant = $1 and bundle = $2', [
        tx.tenant,
        bundle,
        JSON.stringify({ status, tsa, independent, genTime }),
      ])
      return
    }
    case 'evidence.bundle-sealed': {
      const { bundle, bytes, sumsSha256, signingKey } = event.data
      await tx.rows(
        `update bundle set state = 'sealed', sealed_at = $3, bytes = $4, sums_sha256 = $5, signing_key = $6
         where tenant = $1 and bundle = $2`,
        [tx.tenant, bundle, event.at, bytes, sumsSha256, signingKey],
      )
      return
    }
    case 'evidence.bundle-completed': {
      await tx.rows('update bundle set bytes = $3 where tenant = $1 and bundle = $2', [
        tx.tenant,
        event.data.bundle,
        event.data.bytes,
      ])
      return
    }
    case 'evidence.bundle-failed': {
      const { bundle, reason, detail } = event.data
      await tx.rows('update bundle set state = $3, problem = $4 where tenant = $1 and bundle = $2', [
        tx.tenant,
        bundle,
        reason === 'cancelled' ? 'cancelled' : 'failed',
        detail,
      ])
      return
    }
    default:
  }
}

/** Bundles as rows. */
export const bundles: Fold = {
  name: 'bundles',
  contexts: ['evidence'],
  version: 2,
  apply: async (events, tx) => {
    for (const event of events) await apply(event, tx)
  },
  clear: async (tx) => {
    await tx.rows('delete from bundle where tenant = $1', [tx.tenant])
  },
}
