import type { Unreachable } from '@attestry/contracts'
import type { ScanRow } from '@attestry/contracts/http'
import { type CommandState, type Cursor, type Host, instantOf, type Tx } from '@attestry/kit'
import * as z from 'zod'

interface Row {
  scan: string
  environment: string
  state: 'running' | 'completed' | 'failed' | 'cancelled' | null
  trigger: ScanRow['trigger']
  started_at: string | null
  ended_at: string | null
  counts: ScanRow['counts']
  unreachable: { vault: string; name: string; why: Unreachable }[]
  problem: string | null
  calls: number | null
  at: string
}

/** A command's progress as the scan wrote it; an older version's is left aside. */
const Shown = z.object({
  phase: z.enum(['queued', 'subscriptions', 'vaults', 'items', 'applications', 'resources', 'done']),
  vaultsDone: z.int(),
  vaultsTotal: z.int(),
  items: z.int(),
  calls: z.int(),
})

/** Requests and recorded scans together: what was asked for is seen before anything of it is recorded. */
const SCANS = `
  select coalesce(s.scan, r.scan) as scan, coalesce(s.environment, r.environment) as environment, s.state,
    coalesce(r.trigger, s.trigger) as trigger, s.started_at, s.ended_at, s.counts, s.problem, s.calls,
    coalesce(r.requested_at, s.started_at, s.ended_at) as at,
    (select coalesce(jsonb_agg(jsonb_build_object('vault', u->>'vault', 'why', u->>'why', 'name', coalesce(v.name, ''))
       order by v.name), '[]')
     from jsonb_array_elements(s.unreachable) as u
     left join vaults v on v.tenant = s.tenant and v.vault = u->>'vault') as unreachable
  from (select * from scans where tenant = $1) s
  full join (select * from scan_request where tenant = $1) r on r.scan = s.scan`

const nothingYet = { vaultsDone: 0, vaultsTotal: 0, items: 0, calls: 0 } as const

/** The state to show: what is recorded, or, before and after that, what its command says. */
function stateOf(recorded: Row['state'], command: CommandState | undefined): ScanRow['state'] {
  if (recorded !== null && recorded !== 'running') return recorded
  if (command?.state === 'failed') return 'failed'
  if (command?.state === 'cancelled') return 'cancelled'
  return recorded ?? (command?.state === 'waiting' || !command ? 'queued' : 'running')
}

function progressOf(
  row: Row,
  state: ScanRow['state'],
  command: CommandState | undefined,
): ScanRow['progress'] {
  const shown = Shown.safeParse(command?.progress)
  if (shown.success) return state === 'completed' ? { ...shown.data, phase: 'done' } : shown.data
  const { counts } = row
  if (!counts) return { ...nothingYet, phase: 'queued' }
  return {
    phase: 'done',
    vaultsDone: counts.vaults,
    vaultsTotal: counts.vaults,
    items: counts.secrets + counts.keys + counts.certificates,
    calls: row.calls ?? 0,
  }
}

async function shown(host: Host, tx: Tx, rows: readonly Row[]): Promise<ScanRow[]> {
  const commands = await host.commands(
    tx,
    rows.map((row) => row.scan),
  )
  const byId = new Map(commands.map((c) => [c.id, c]))
  return rows.map((row) => {
    const command = byId.get(row.scan)
    const state = stateOf(row.state, command)
    return {
      scan: row.scan,
      environment: row.environment,
      state,
      trigger: row.trigger,
      startedAt: instantOf(row.started_at),
      endedAt: instantOf(row.ended_at),
      progress: progressOf(row, state, command),
      counts: row.counts,
      unreachable: row.unreachable,
      problem: row.problem ?? (state === 'failed' ? (command?.problem ?? null) : null),
    }
  })
}

export async function readScan(host: Host, tx: Tx, scan: string): Promise<ScanRow | null> {
  const rows = await tx.rows<Row>(`select * from (${SCANS}) x where scan = $2`, [tx.tenant, scan])
  return (await shown(host, tx, rows))[0] ?? null
}

/** Scans, newest first. */
export async function listScans(
  host: Host,
  tx: Tx,
  after: Cursor | null,
  limit: number,
): Promise<{ items: ScanRow[]; last: Cursor | null; total: number }> {
  const [count] = await tx.rows<{ total: number }>(`select count(*)::int as total from (${SCANS}) x`, [
    tx.tenant,
  ])
  const rows = await tx.rows<Row>(
    `select x.*, x.at::text as at from (${SCANS}) x
     where $2::text is null or (x.at, x.scan) < ($2::timestamptz, $3) order by x.at desc, x.scan desc limit $4`,
    [tx.tenant, after?.key ?? null, after?.id ?? null, limit + 1],
  )
  const page = rows.slice(0, limit)
  const end = page.at(-1)
  return {
    items: await shown(host, tx, page),
    last: rows.length > limit && end ? { key: end.at, id: end.scan } : null,
    total: count?.total ?? 0,
  }
}

/** The newest scan of each environment. */
export async function lastScans(host: Host, tx: Tx): Promise<Map<string, ScanRow>> {
  const rows = await tx.rows<Row>(
    `select distinct on (environment) * from (${SCANS}) x order by environment, at desc, scan desc`,
    [tx.tenant],
  )
  return new Map((await shown(host, tx, rows)).map((row) => [row.environment, row]))
}
