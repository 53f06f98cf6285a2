import type { Actor } from '@attestry/contracts'
import { type Host, iso, type Refused, refuse, type Send, type Tx } from '@attestry/kit'
import type { ScanBody } from './scan.ts'

/** The newest requests of an environment that can still be at work; older ones have long ended. */
const LOOK_BACK = 20

/** The scan of an environment that waits or runs, or null. */
export async function scanAtWork(host: Host, tx: Tx, environment: string): Promise<string | null> {
  const requests = await tx.rows<{ scan: string }>(
    `select scan from scan_request where tenant = $1 and environment = $2
     order by requested_at desc limit ${LOOK_BACK}`,
    [tx.tenant, environment],
  )
  const states = await host.commands(
    tx,
    requests.map((r) => r.scan),
  )
  return states.find((s) => s.state === 'waiting' || s.state === 'running')?.id ?? null
}

/**
 * Asks for a scan: the request and its command in one transaction, one at a time an environment.
 * @refuses 'already-running'
 */
export async function requestScan(
  host: Host,
  tx: Tx,
  body: ScanBody,
  by: Actor,
  correlation: string,
): Promise<{ readonly scan: string } | Refused<'already-running'>> {
  // Two people who press the button at once meet here, not in the ledger.
  await tx.rows('select pg_advisory_xact_lock(hashtext($1), hashtext($2))', [tx.tenant, body.environment])
  if (await scanAtWork(host, tx, body.environment))
    return refuse('already-running', 'A scan of this environment waits or runs already.')
  const now = host.clock.now()
  await tx.rows(
    `insert into scan_request (tenant, scan, environment, trigger, requested_at) values ($1, $2, $3, $4, $5)
     on conflict do nothing`,
    [tx.tenant, body.scan, body.environment, body.trigger, iso(now)],
  )
  await host.send(tx, [scanSend(body, by, correlation, now)])
  return { scan: body.scan }
}

/** The command that scans, with an id of the scan's own, so that a repeated send is dropped. */
export const scanSend = (body: ScanBody, by: Actor, correlation: string, now: Temporal.Instant): Send => ({
  command: 'scan',
  id: body.scan,
  // Scans of one environment run one after the other.
  session: body.environment,
  body,
  by,
  cause: { correlation, causation: `${body.trigger} ${iso(now)}` },
})
