/** What can go wrong on purpose. Each is what a client of the real cloud can meet. */
export type Trouble =
  | { readonly kind: 'latency'; readonly ms: number }
  /** 429 in the plane's own shape; without `retryAfterSeconds` there is no Retry-After header. */
  | { readonly kind: 'throttled'; readonly retryAfterSeconds?: number }
  /** A 403 in the plane's own shape: the right was taken away, or is not known everywhere yet. */
  | { readonly kind: 'forbidden' }
  /** A 5xx in the plane's own shape; `after`: once what was asked for is done. */
  | { readonly kind: 'error'; readonly status: 500 | 502 | 503 | 504; readonly after?: true }
  /** The connection ends without an answer; `after`: once what was asked for is done. */
  | { readonly kind: 'reset'; readonly after?: true }
  /** No answer until the client gives up (or two minutes); `after`: once what was asked for is done. */
  | { readonly kind: 'hang'; readonly after?: true }
  /** Something else happens meanwhile: a change made by hand, a clock that jumps, a process that is killed. */
  | { readonly kind: 'meanwhile'; readonly happen: () => void; readonly after?: true }
  /** The body stops half way, though its length was announced. */
  | { readonly kind: 'partial-page' }
  /** A 200 whose body is not what its content type says. */
  | { readonly kind: 'malformed-page' }
  /** Reads go on answering what they answered first after the fault was added. */
  | { readonly kind: 'stale-read' }
  /** The caller's token is treated as expired. */
  | { readonly kind: 'expired-token' }

export interface Fault {
  /** Operation name or a prefix of it: `keyvault`, `keyvault.secrets`, `keyvault.secrets.list`; default: all. */
  readonly operation?: string
  /** Host the call was meant for, such as `kv-payments.vault.azure.net`; default: any. */
  readonly host?: string
  /** Only calls that change something: signed ones, of operations that write. */
  readonly mutating?: true
  /** Only signed calls that change nothing. */
  readonly reading?: true
  /** So many matching calls pass untroubled first. */
  readonly skip?: number
  /** So many matching calls are troubled; default: every one until removed. */
  readonly times?: number
  readonly trouble: Trouble
}

export interface Faults {
  /** @returns a function that takes the fault away again */
  add(fault: Fault): () => void
  clear(): void
}

interface Active {
  readonly fault: Fault
  skip: number
  left: number
  readonly seen: Map<string, Response>
}

export interface ActiveFaults extends Faults {
  /** The troubles that befall this call, each counted down once. `asks`: a call without a token, which asks how to sign in. */
  befalling(operation: string, host: string, does: 'changes' | 'reads' | 'asks'): Active[]
}

const matches = (
  { operation, host, mutating, reading }: Fault,
  calledOperation: string,
  calledHost: string,
  does: 'changes' | 'reads' | 'asks',
): boolean =>
  (mutating === undefined || does === 'changes') &&
  (reading === undefined || does === 'reads') &&
  (host === undefined || host === calledHost) &&
  (operation === undefined || calledOperation === operation || calledOperation.startsWith(`${operation}.`))

export function faultRegistry(initial: readonly Fault[] = []): ActiveFaults {
  const active = new Set<Active>()
  const add = (fault: Fault) => {
    const entry: Active = {
      fault,
      skip: fault.skip ?? 0,
      left: fault.times ?? Number.POSITIVE_INFINITY,
      seen: new Map(),
    }
    active.add(entry)
    return () => void active.delete(entry)
  }
  initial.forEach(add)
  return {
    add,
    clear: () => active.clear(),
    befalling(operation, host, does) {
      const hit = [...active].filter(
        (entry) => matches(entry.fault, operation, host, does) && entry.skip-- <= 0,
      )
      for (const entry of hit) if (--entry.left <= 0) active.delete(entry)
      return hit
    },
  }
}
