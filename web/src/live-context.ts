import { createContext, useContext } from 'solid-js'

export type LiveState = 'connecting' | 'live' | 'reconnecting'

export interface Live {
  state(): LiveState
  /** The newest event that the feed told of; 0 before the first. */
  seq(): number
  /** Marks reads as old (operation ids or services): what is on screen is read again, now and a moment later. */
  touch(reads: Iterable<string>): void
  /** Calls back when this operation becomes stale; answers how to stop. */
  onStale(operationId: string, listener: () => void): () => void
}

export const LiveContext = createContext<Live>()

export function useLive(): Live {
  const live = useContext(LiveContext)
  if (!live) throw new Error('useLive needs LiveFeed above it')
  return live
}
