import { ErrorBoundary, lazy, Suspense } from 'solid-js'
import type { TrendPoint } from './trend.tsx'

const Trend = lazy(() => import('./trend.tsx').then((m) => ({ default: m.Trend })))

/** The chart of the score, which is loaded by itself; a page goes on without it. */
export function ScoreTrend(props: { points: readonly TrendPoint[]; height: number }) {
  return (
    <ErrorBoundary
      fallback={(thrown) => {
        // The boundary has caught it; whoever looks for the cause finds it where errors of a page are.
        reportError(thrown)
        return <p class="faint">The chart could not be drawn. The figures beside it are complete.</p>
      }}
    >
      <Suspense fallback={<div class="trend" />}>
        <Trend points={props.points} height={props.height} />
      </Suspense>
    </ErrorBoundary>
  )
}
