import { Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { PageHead } from '../ui/panel.tsx'
import { Expiries } from './expiries.tsx'
import { FirstRun } from './first-run.tsx'
import { Holdings } from './holdings.tsx'
import { Needs } from './needs.tsx'
import { Scans } from './scan.tsx'
import { ScorePanel } from './score.tsx'
import { UnreachableVaults } from './unreachable.tsx'

/** Monday morning: how well we stand, what expires when, what needs somebody, and whether the scan ran. */
export function Overview() {
  const score = createReading(api.compliance.readScore, () => ({}))
  const summary = createReading(api.discovery.summariseAssets, () => ({}))
  const environments = createReading(api.discovery.listEnvironments, () => ({}))
  return (
    <div class="page">
      <PageHead title="Overview" />
      <Show when={environments.data() && score.data()}>
        <Show when={environments.data()}>
          {(known) => <FirstRun environments={known()} evaluated={score.data()?.current !== null} />}
        </Show>
      </Show>
      <div class="overview">
        <ScorePanel score={score} />
        <Needs score={score} />
        <Expiries summary={summary} />
        <div class="overview-side">
          <Scans environments={environments} />
          <UnreachableVaults environments={environments.data()} />
          <Holdings summary={summary} />
        </div>
      </div>
    </div>
  )
}
