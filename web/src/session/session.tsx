import type { Endpoint, Session } from '@attestry/contracts/http'
import { type Accessor, createContext, type ParentProps, useContext } from 'solid-js'
import { rolesMay } from './roles.ts'

interface Signed {
  readonly session: Accessor<Session>
  /** Whether this session may use an operation: what it may not is hidden, and the server refuses it too. */
  may(operation: { readonly endpoint: Endpoint }): boolean
}

const Context = createContext<Signed>()

export function SessionProvider(props: ParentProps<{ session: Session }>) {
  const signed: Signed = {
    session: () => props.session,
    may: (operation) => rolesMay(props.session.roles, operation.endpoint),
  }
  return <Context.Provider value={signed}>{props.children}</Context.Provider>
}

/** Who is signed in and what they may do. */
export function useSession(): Signed {
  const signed = useContext(Context)
  if (!signed) throw new Error('useSession needs SessionProvider above it')
  return signed
}
