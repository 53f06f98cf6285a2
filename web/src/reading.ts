import type { Problem } from '@attestry/contracts/http'
import { keepPreviousData, useQuery } from '@tanstack/solid-query'
import { batch, createSignal } from 'solid-js'
import type { EndpointShape, Operation, ReplyOf, RequestOf } from './operation.ts'
import { problemOf } from './problem.ts'

/** A read that keeps itself fresh: what is known, what went wrong with the last attempt, and whether it is new. */
export interface Reading<T> {
  /** The last good answer; stays while a newer one is fetched or failed. */
  data(): T | undefined
  problem(): Problem | undefined
  /** Nothing is known yet and an answer is under way. */
  loading(): boolean
  /** What is shown answers an earlier question (another filter), the new answer is under way. */
  settling(): boolean
  /** When `data` was read, milliseconds; 0 before. */
  readAt(): number
  again(): void
}

/**
 * The field that tells one row of an answer from another. A newer answer is merged into the one on screen row by
 * row, so that a refresh neither takes away the focus nor the button that somebody is about to press.
 */
const IDENTITY: Readonly<Record<string, string>> = {
  'discovery.listEnvironments': 'environment',
  'discovery.listVaults': 'vault',
  'discovery.listAssets': 'asset',
  'discovery.summariseAssets': 'kind',
  'compliance.listFindings': 'finding',
  'compliance.listRules': 'rule',
  'compliance.listFrameworks': 'framework',
  'evidence.listBundles': 'bundle',
  'gateway.listOperators': 'operator',
  'rotation.listPolicies': 'policy',
  'rotation.listMatches': 'match',
  'rotation.listSelectors': 'selector',
  'sync.listConnectors': 'connector',
  'sync.listRoutes': 'route',
  'sync.listRuns': 'run',
  'sync.listCopies': 'copy',
  'vendor.listLicenses': 'license',
  'vendor.listInstalls': 'install',
}

/** Reads an endpoint for as long as the owner lives. `request` answers undefined while nothing should be asked. */
export function createReading<E extends EndpointShape>(
  operation: Operation<E>,
  request: () => RequestOf<E> | undefined,
  options: { everyMs?: () => number | false } = {},
): Reading<ReplyOf<E>> {
  const query = useQuery(() => {
    const asked = request()
    return {
      queryKey: [operation.id, asked],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        asked === undefined ? Promise.reject(new Error('nothing was asked')) : operation(asked, signal),
      enabled: asked !== undefined,
      placeholderData: keepPreviousData,
      refetchInterval: options.everyMs?.() ?? false,
      reconcile: IDENTITY[operation.id] ?? 'id',
    }
  })
  return {
    // `data` of a pending query would suspend the page; every page shows its own skeleton instead.
    data: () => (query.isPending ? undefined : query.data),
    problem: () => (query.error ? problemOf(query.error) : undefined),
    loading: () => query.isPending && query.fetchStatus !== 'idle',
    settling: () => query.isPlaceholderData,
    readAt: () => query.dataUpdatedAt,
    again: () => void query.refetch(),
  }
}

/** Something an operator does: whether it runs, and why it failed. */
export interface Action<A extends readonly unknown[], T> {
  busy(): boolean
  problem(): Problem | undefined
  /** Answers the work's result, or undefined when it failed (see `problem`). A second run while busy does nothing. */
  run(...args: A): Promise<T | undefined>
  clear(): void
}

/** Wraps work that may be refused, so that every refusal ends beside the control that caused it. */
export function createAction<A extends readonly unknown[], T>(
  work: (...args: A) => Promise<T>,
): Action<A, T> {
  const [busy, setBusy] = createSignal(false)
  const [problem, setProblem] = createSignal<Problem>()
  return {
    busy,
    problem,
    clear: () => setProblem(undefined),
    async run(...args) {
      if (busy()) return undefined
      batch(() => {
        setBusy(true)
        setProblem(undefined)
      })
      try {
        return await work(...args)
      } catch (thrown) {
        setProblem(problemOf(thrown))
        return undefined
      } finally {
        setBusy(false)
      }
    },
  }
}
