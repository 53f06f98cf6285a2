import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { machineName } from './words.ts'

/** Names of those who did something: the reader, the product, and other people where the reader may see them. */
export function createNames(): (id: string) => string {
  const { session, may } = useSession()
  const people = createReading(api.gateway.listOperators, () =>
    may(api.gateway.listOperators) ? { query: { limit: 1000 } } : undefined,
  )
  return (id) =>
    id === session().operator
      ? 'you'
      : (machineName(id) ??
        people.data()?.items.find((o) => o.operator === id)?.name ??
        `operator ${id.replace(/^operator-/, '').slice(0, 6)}`)
}
