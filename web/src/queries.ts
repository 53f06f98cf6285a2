import { QueryCache, QueryClient } from '@tanstack/solid-query'
import { problemOf } from './problem.ts'

/**
 * The cache of what was read. A session ends on the server: the first refused read has it asked for anew, and the door
 * opens.
 * @param session names the reading that tells whether somebody is signed in
 */
export function createQueries(session: string): QueryClient {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (problemOf(error).status === 401 && query.queryKey[0] !== session)
          void queries.invalidateQueries({ queryKey: [session] })
      },
    }),
    defaultOptions: {
      queries: {
        // The browser's own idea of being online is often wrong, and says nothing about this server.
        networkMode: 'always',
        staleTime: 10_000,
        retry: (failures, error) => {
          const { status } = problemOf(error)
          return failures < 2 && (status === 0 || status >= 500)
        },
        retryDelay: (failures) => 500 * 2 ** failures,
      },
    },
  })
  return queries
}
