import { type Accessor, createRoot, createSignal } from 'solid-js'

/** The present moment in milliseconds, moving every half minute: relative times follow it. */
export const now: Accessor<number> = createRoot(() => {
  const [time, setTime] = createSignal(Date.now())
  setInterval(() => setTime(Date.now()), 30_000)
  return time
})
