import { vendorMay, type VendorEndpoint, type VendorRole } from '@attestry/contracts/http'
import { useQueryClient } from '@tanstack/solid-query'
import { type Accessor, createContext, onCleanup, type ParentProps, useContext } from 'solid-js'

interface Known {
  readonly name: string
  readonly role: VendorRole
}

interface Signed {
  readonly vendor: Accessor<Known>
  /** Whether this token may use an operation: what it may not is hidden, and the Worker refuses it too. */
  may(operation: { readonly endpoint: VendorEndpoint }): boolean
  /** Something was changed: everything on screen is read again. */
  changed(): void
  /** As the console's live feed: calls back when something was changed here. There is no feed of what others do. */
  onStale(operationId: string, listener: () => void): () => void
}

const Context = createContext<Signed>()

/** Who holds the token, and the page's own notice of changes. */
export function VendorProvider(props: ParentProps<{ vendor: Known }>) {
  const queries = useQueryClient()
  const listeners = new Set<() => void>()
  onCleanup(() => listeners.clear())
  const signed: Signed = {
    vendor: () => props.vendor,
    may: ({ endpoint }) => endpoint.roles === 'open' || vendorMay(props.vendor.role, endpoint.roles),
    changed: () => {
      void queries.invalidateQueries()
      for (const listener of listeners) listener()
    },
    onStale: (_, listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return <Context.Provider value={signed}>{props.children}</Context.Provider>
}

export function useVendor(): Signed {
  const signed = useContext(Context)
  if (!signed) throw new Error('useVendor needs VendorProvider above it')
  return signed
}
