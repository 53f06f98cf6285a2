import type { RouteSettings } from '@attestry/contracts'
import type { ConnectorRow, CopyRow, PlanLine, RouteRow, RunRow } from '@attestry/contracts/http'
import { cursorOf, cursorText, type Host, instantOf, literally, timeCursorOf, type Tx } from '@attestry/kit'
import type { Copy } from './copy.ts'

/* What pages read: rows of the folds in the words of the contract. */

interface Page<R> {
  readonly items: R[]
  readonly next: string | null
  readonly total: number
}

/** The rows of a page out of one more than it holds, with the place to go on from. */
function paged<R extends { readonly key: string; readonly id: string }>(
  rows: readonly R[],
  limit: number,
): { page: R[]; next: string | null } {
  const page = rows.slice(0, limit)
  const end = page.at(-1)
  return { page, next: rows.length > limit && end ? cursorText({ key: end.key, id: end.id }) : null }
}

const countOf = async (tx: Tx, sql: string, values: readonly unknown[]): Promise<number> => {
  const [row] = await tx.rows<{ total: number }>(`select count(*)::int as total ${sql}`, values)
  return row?.total ?? 0
}

export async function listConnectors(tx: Tx): Promise<ConnectorRow[]> {
  const rows = await tx.rows<
    Omit<ConnectorRow, 'addedAt' | 'test' | 'stopped'> & {
      added_at: string
      tested_at: string | null
      tested_ok: boolean
      problem: string | null
      thrown_at: string | null
      reason: string | null
    }
  >(
    `select c.connector, c.cloud, c.name, c.account, c.region, c.how, c.access, c.added_at, c.tested_at, c.tested_ok,
       c.problem, s.thrown_at, s.reason,
       (select count(*)::int from route r where r.tenant = c.tenant and r.connector = c.connector and r.state <> 'closed') as routes
     from connector c left join kill_switch s on s.tenant = c.tenant and s.connector = c.connector
     where c.tenant = $1 and c.removed_at is null order by c.name, c.connector limit 1000`,
    [tx.tenant],
  )
  return rows.map(({ added_at, tested_at, tested_ok, problem, thrown_at, reason, ...row }) => ({
    ...row,
    addedAt: instantOf(added_at),
    test: tested_at === null ? null : { at: instantOf(tested_at), ok: tested_ok, problem },
    stopped: thrown_at === null ? null : { at: instantOf(thrown_at), reason: reason ?? '' },
  }))
}

interface RunColumns {
  run: string
  route: string
  route_name: string
  trigger: RunRow['trigger']
  started_at: string
  ended_at: string | null
  outcome: RunRow['outcome']
  plan: string | null
  needs: RunRow['needs']
  decided: RunRow['decided']
  planned: RunRow['planned']
  done: RunRow['done']
  failed: number
  list_calls: number
  values_read: number
  problem: string | null
}

const RUN = `select n.run, n.route, r.name as route_name, n.trigger, n.started_at, n.ended_at, n.outcome, n.plan, n.needs,
  n.decided, n.planned, n.done, n.failed, n.list_calls, n.values_read, n.problem
  from run n join route r on r.tenant = n.tenant and r.route = n.route`

const isProgress = (value: unknown): value is { done: number; total: number } =>
  typeof value === 'object' &&
  value !== null &&
  'done' in value &&
  'total' in value &&
  typeof value.done === 'number' &&
  typeof value.total === 'number'

async function runRows(host: Host, tx: Tx, rows: readonly RunColumns[]): Promise<RunRow[]> {
  const running = rows.filter((row) => row.ended_at === null).map((row) => row.run)
  const states = running.length > 0 ? await host.commands(tx, running) : []
  return rows.map((row) => {
    const progress = states.find((state) => state.id === row.run)?.progress
    return {
      run: row.run,
      route: row.route,
      routeName: row.route_name,
      trigger: row.trigger,
      startedAt: instantOf(row.started_at),
      endedAt: row.ended_at === null ? null : instantOf(row.ended_at),
      outcome: row.outcome,
      plan: row.plan,
      needs: row.needs,
      decided: row.decided,
      planned: row.planned,
      done: row.done,
      failed: row.failed,
      listCalls: row.list_calls,
      valuesRead: row.values_read,
      problem: row.problem,
      progress: isProgress(progress) ? { done: progress.done, total: progress.total } : null,
    }
  })
}

export async function listRuns(
  host: Host,
  tx: Tx,
  query: { readonly after?: string | undefined; readonly limit: number; readonly route?: string | undefined },
): Promise<Page<RunRow>> {
  const after = timeCursorOf(query.after)
  const rows = await tx.rows<RunColumns>(
    `${RUN} where n.tenant = $1 and ($2::text is null or n.route = $2)
       and ($3::timestamptz is null or (n.started_at, n.run) < ($3, $4))
     order by n.started_at desc, n.run desc limit $5`,
    [tx.tenant, query.route ?? null, after?.key ?? null, after?.id ?? null, query.limit + 1],
  )
  const items = await runRows(host, tx, rows.slice(0, query.limit))
  const end = items.at(-1)
  return {
    items,
    next: rows.length > query.limit && end ? cursorText({ key: end.startedAt, id: end.run }) : null,
    total: await countOf(tx, 'from run where tenant = $1 and ($2::text is null or route = $2)', [
      tx.tenant,
      query.route ?? null,
    ]),
  }
}

export async function readRun(host: Host, tx: Tx, run: string): Promise<RunRow | null> {
  const rows = await tx.rows<RunColumns>(`${RUN} where n.tenant = $1 and n.run = $2`, [tx.tenant, run])
  return (await runRows(host, tx, rows))[0] ?? null
}

interface RouteColumns {
  route: string
  state: RouteRow['state']
  accepted: boolean
  settings: RouteSettings
  source: string
  source_name: string | null
  connector: string
  connector_name: string
  account: string
  opened_at: string
  copies: RouteRow['copies']
  held: number
  last_run: string | null
}

const ROUTE = `select r.route, r.state, r.accepted, r.settings, r.source, v.name as source_name, r.connector,
    k.name as connector_name, k.account, r.opened_at,
    (select jsonb_build_object(
       'inSync', count(*) filter (where c.state = 'in-sync'), 'drifted', count(*) filter (where c.state = 'drifted'),
       'retrying', count(*) filter (where c.state = 'retrying'), 'failed', count(*) filter (where c.state = 'failed'),
       'disabled', count(*) filter (where c.state = 'disabled'),
       'conflicts', (select count(*) from plan_line l where l.tenant = r.tenant and l.route = r.route and l.action = 'conflict'))
     from copy c where c.tenant = r.tenant and c.route = r.route) as copies,
    (select count(*)::int from held h where h.tenant = r.tenant and h.route = r.route) as held,
    (select n.run from run n where n.tenant = r.tenant and n.route = r.route order by n.started_at desc, n.run desc limit 1) as last_run
  from route r join connector k on k.tenant = r.tenant and k.connector = r.connector
  left join source_vault v on v.tenant = r.tenant and v.vault = r.source`

async function routeRows(host: Host, tx: Tx, rows: readonly RouteColumns[]): Promise<RouteRow[]> {
  const last = await tx.rows<RunColumns>(`${RUN} where n.tenant = $1 and n.run = any($2)`, [
    tx.tenant,
    rows.flatMap((row) => (row.last_run === null ? [] : [row.last_run])),
  ])
  const runs = new Map((await runRows(host, tx, last)).map((run) => [run.run, run]))
  return rows.map((row) => ({
    route: row.route,
    state: row.state,
    accepted: row.accepted,
    settings: row.settings,
    source: { vault: row.source, name: row.source_name ?? '' },
    target: { connector: row.connector, name: row.connector_name, account: row.account },
    openedAt: instantOf(row.opened_at),
    copies: row.copies,
    lastRun: (row.last_run === null ? null : runs.get(row.last_run)) ?? null,
    held: row.held,
  }))
}

export async function listRoutes(
  host: Host,
  tx: Tx,
  query: { readonly after?: string | undefined; readonly limit: number },
): Promise<Page<RouteRow>> {
  const after = cursorOf(query.after)
  const rows = await tx.rows<RouteColumns & { key: string; id: string }>(
    `select q.*, q.settings ->> 'name' as key, q.route as id from (${ROUTE} where r.tenant = $1 and r.state <> 'closed') as q
     where $2::text is null or (q.settings ->> 'name', q.route) > ($2, $3)
     order by q.settings ->> 'name', q.route limit $4`,
    [tx.tenant, after?.key ?? null, after?.id ?? null, query.limit + 1],
  )
  const { page, next } = paged(rows, query.limit)
  return {
    items: await routeRows(host, tx, page),
    next,
    total: await countOf(tx, `from route where tenant = $1 and state <> 'closed'`, [tx.tenant]),
  }
}

export async function readRoute(host: Host, tx: Tx, route: string): Promise<RouteRow | null> {
  const rows = await tx.rows<RouteColumns>(`${ROUTE} where r.tenant = $1 and r.route = $2`, [
    tx.tenant,
    route,
  ])
  return (await routeRows(host, tx, rows))[0] ?? null
}

export async function listPlan(
  tx: Tx,
  run: string,
  query: {
    readonly after?: string | undefined
    readonly limit: number
    readonly action?: string | undefined
  },
): Promise<Page<PlanLine>> {
  const after = cursorOf(query.after)
  const values = [tx.tenant, run, query.action ?? null]
  const where = 'from plan_line where tenant = $1 and run = $2 and ($3::text is null or action = $3)'
  const rows = await tx.rows<{ key: string; id: string; body: PlanLine }>(
    `select source_name as key, copy as id, body ${where} and ($4::text is null or (source_name, copy) > ($4, $5))
     order by source_name, copy limit $6`,
    [...values, after?.key ?? null, after?.id ?? null, query.limit + 1],
  )
  const { page, next } = paged(rows, query.limit)
  return { items: page.map((row) => row.body), next, total: await countOf(tx, where, values) }
}

interface CopyColumns {
  key: string
  id: string
  route_name: string
  changed_at: string | null
  body: Copy | null
  line: PlanLine | null
  route: string
}

/** Copies that are recorded, and those that so far stand in a plan alone. */
const COPIES = `from (
    select coalesce(c.tenant, l.tenant) as tenant, coalesce(c.copy, l.copy) as copy, coalesce(c.route, l.route) as route,
      coalesce(c.state, 'planned') as state, coalesce(nullif(c.source_name, ''), l.source_name, '') as source_name,
      coalesce(nullif(c.target_name, ''), l.body ->> 'targetName', '') as target_name,
      coalesce(c.secret, l.secret) as secret, c.changed_at, c.body, l.body as line
    from (select * from copy where tenant = $1) c
    full join (select * from plan_line where tenant = $1) l on l.copy = c.copy
  ) q join route r on r.tenant = q.tenant and r.route = q.route and r.state <> 'closed'`

const copyRow = (
  { id, key, route, route_name, changed_at, body, line }: CopyColumns,
  opened: string,
): CopyRow => ({
  copy: id,
  route,
  routeName: route_name,
  secret: body?.secret ?? line?.secret ?? '',
  sourceName: key,
  targetName: body?.targetName || (line?.targetName ?? ''),
  state: body?.state ?? 'planned',
  changedAt: instantOf(changed_at ?? opened),
  sourceVersion: body?.written?.sourceVersion ?? null,
  targetVersion: body?.written?.targetVersion ?? null,
  sourceMac: body?.written?.sourceMac ?? null,
  targetMac: body?.written?.targetMac ?? null,
  writtenAt: body?.written?.at ?? null,
  attempt: body?.attempt ?? 0,
  retryAt: body?.retryAt ?? null,
  reason: body?.reason ?? null,
  drift: body?.drift ?? null,
  line,
})

export async function listCopies(
  tx: Tx,
  query: {
    readonly after?: string | undefined
    readonly limit: number
    readonly route?: string | undefined
    readonly state?: string | undefined
    readonly conflicts?: string | undefined
    readonly search?: string | undefined
  },
): Promise<Page<CopyRow>> {
  const after = cursorOf(query.after)
  const values = [
    tx.tenant,
    query.route ?? null,
    query.state ?? null,
    query.conflicts === 'true',
    query.search === undefined ? null : `%${literally(query.search.toLowerCase())}%`,
  ]
  const where = `where ($2::text is null or q.route = $2) and ($3::text is null or q.state = $3)
    and (not $4 or q.line ->> 'action' = 'conflict')
    and ($5::text is null or lower(q.source_name) like $5 or lower(q.target_name) like $5)`
  const rows = await tx.rows<CopyColumns & { opened_at: string }>(
    `select q.source_name as key, q.copy as id, q.route, r.name as route_name, q.changed_at, q.body, q.line, r.opened_at
     ${COPIES} ${where} and ($6::text is null or (q.source_name, q.copy) > ($6, $7))
     order by q.source_name, q.copy limit $8`,
    [...values, after?.key ?? null, after?.id ?? null, query.limit + 1],
  )
  const { page, next } = paged(rows, query.limit)
  return {
    items: page.map((row) => copyRow(row, row.opened_at)),
    next,
    total: await countOf(tx, `${COPIES} ${where}`, values),
  }
}

export async function readCopy(tx: Tx, copy: string): Promise<CopyRow | null> {
  const [row] = await tx.rows<CopyColumns & { opened_at: string }>(
    `select q.source_name as key, q.copy as id, q.route, r.name as route_name, q.changed_at, q.body, q.line, r.opened_at
     ${COPIES} where q.copy = $2`,
    [tx.tenant, copy],
  )
  return row ? copyRow(row, row.opened_at) : null
}

type Cell = CopyRow['state'] | 'conflict' | 'skipped'

/** What a copy is, with what the newest plan says of it. */
const cellOf = (state: CopyRow['state'], action: string | null): Cell =>
  action === 'conflict' && state !== 'drifted'
    ? 'conflict'
    : action === 'skip' && state === 'planned'
      ? 'skipped'
      : state

export async function readMatrix(
  tx: Tx,
  query: {
    readonly after?: string | undefined
    readonly limit: number
    readonly search?: string | undefined
  },
) {
  const routes = await tx.rows<{ route: string; name: string; target: string }>(
    `select r.route, r.name, k.name as target from route r
     join connector k on k.tenant = r.tenant and k.connector = r.connector
     where r.tenant = $1 and r.state <> 'closed' order by r.name, r.route limit 200`,
    [tx.tenant],
  )
  const after = cursorOf(query.after)
  const values = [tx.tenant, query.search === undefined ? null : `%${literally(query.search.toLowerCase())}%`]
  const where = 'where ($2::text is null or lower(q.source_name) like $2)'
  const rows = await tx.rows<{
    key: string
    id: string
    cells: { route: string; copy: string; state: CopyRow['state']; action: string | null }[]
  }>(
    `select min(q.source_name) as key, q.secret as id, jsonb_agg(jsonb_build_object('route', q.route, 'copy', q.copy,
       'state', q.state, 'action', q.line ->> 'action')) as cells
     ${COPIES} ${where} group by q.secret
     having $3::text is null or (min(q.source_name), q.secret) > ($3, $4)
     order by 1, 2 limit $5`,
    [...values, after?.key ?? null, after?.id ?? null, query.limit + 1],
  )
  const { page, next } = paged(rows, query.limit)
  return {
    routes,
    items: page.map(({ key, id, cells }) => ({
      secret: id,
      name: key,
      cells: cells.map(({ route, copy, state, action }) => ({ route, copy, state: cellOf(state, action) })),
    })),
    next,
    total: await countOf(tx, `from (select 1 ${COPIES} ${where} group by q.secret) as s`, values),
  }
}
