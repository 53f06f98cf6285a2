import { Route, Router } from '@solidjs/router'
import { QueryClientProvider, useQueryClient } from '@tanstack/solid-query'
import { createMemo, createSignal, lazy, Match, type ParentProps, Show, Switch } from 'solid-js'
import { api } from './api.ts'
import { LiveFeed } from './live.tsx'
import { createQueries } from './queries.ts'
import { createReading } from './reading.ts'
import { ForcedChange } from './session/change-password.tsx'
import { ProofProvider } from './session/proof.tsx'
import { SessionProvider } from './session/session.tsx'
import { EnterAsAuditor, LINK_PATH } from './session/enter.tsx'
import { SignIn } from './session/sign-in.tsx'
import { Shell } from './shell/shell.tsx'
import { Wordmark } from './shell/mark.tsx'
import { ProblemNotice } from './ui/notice.tsx'

const Overview = lazy(() => import('./overview/overview.tsx').then((m) => ({ default: m.Overview })))
const Findings = lazy(() => import('./findings/findings.tsx').then((m) => ({ default: m.Findings })))
const Inventory = lazy(() => import('./inventory/inventory.tsx').then((m) => ({ default: m.Inventory })))
const Vaults = lazy(() => import('./vaults/vaults.tsx').then((m) => ({ default: m.Vaults })))
const Compliance = lazy(() => import('./compliance/compliance.tsx').then((m) => ({ default: m.Compliance })))
const Evidence = lazy(() => import('./evidence/evidence.tsx').then((m) => ({ default: m.Evidence })))
const VerifyBundle = lazy(() => import('./evidence/verify.tsx').then((m) => ({ default: m.VerifyBundle })))
const Activity = lazy(() => import('./activity/activity.tsx').then((m) => ({ default: m.Activity })))
const Settings = lazy(() => import('./settings/settings.tsx').then((m) => ({ default: m.Settings })))
const Operations = lazy(() => import('./operations/operations.tsx').then((m) => ({ default: m.Operations })))
const Sync = lazy(() => import('./sync/sync.tsx').then((m) => ({ default: m.Sync })))
const Rotation = lazy(() => import('./rotation/rotation.tsx').then((m) => ({ default: m.Rotation })))
const OneRotation = lazy(() => import('./rotation/one.tsx').then((m) => ({ default: m.OneRotation })))
const Nowhere = lazy(() => import('./shell/nowhere.tsx').then((m) => ({ default: m.Nowhere })))

/** The whole console. */
export function App() {
  const queries = createQueries(api.gateway.session.id)
  return (
    <QueryClientProvider client={queries}>
      <Router root={Door}>
        <Route path="/" component={Overview} />
        <Route path="/findings" component={Findings} />
        <Route path="/inventory" component={Inventory} />
        <Route path="/vaults" component={Vaults} />
        <Route path="/compliance" component={Compliance} />
        <Route path="/evidence" component={Evidence} />
        <Route path="/evidence/verify" component={VerifyBundle} />
        <Route path="/activity" component={Activity} />
        <Route path="/settings/:part?" component={Settings} />
        <Route path="/operations" component={Operations} />
        <Route path="/rotation" component={Rotation} />
        <Route path="/rotation/:rotation" component={OneRotation} />
        <Route path="/sync" component={Sync} />
        <Route path="*" component={Nowhere} />
      </Router>
    </QueryClientProvider>
  )
}

/** Lets the signed-in through; everybody else gets the door that is theirs. */
function Door(props: ParentProps) {
  const queries = useQueryClient()
  const [wasIn, setWasIn] = createSignal(false)
  const session = createReading(api.gateway.session, () => ({}))
  /** While it is asked once more what was known stands: the form of the door would lose what is typed into it. */
  const out = createMemo((was: boolean): boolean => {
    const problem = session.problem()
    if (problem) return problem.status === 401
    return was && session.data() === undefined
  }, false)
  return (
    <Switch fallback={<main class="door" aria-busy="true" />}>
      <Match when={window.location.pathname === LINK_PATH}>
        <EnterAsAuditor />
      </Match>
      <Match when={out()}>
        <SignIn ended={wasIn()} />
      </Match>
      <Match when={session.data()}>
        {(known) => {
          setWasIn(true)
          return (
            <SessionProvider session={known()}>
              <Show when={!known().mustChangePassword} fallback={<ForcedChange />}>
                <LiveFeed>
                  <ProofProvider>
                    <Shell>{props.children}</Shell>
                  </ProofProvider>
                </LiveFeed>
              </Show>
            </SessionProvider>
          )
        }}
      </Match>
      <Match when={session.problem()}>
        {(problem) => (
          <main class="door">
            <div class="door-card">
              <Wordmark />
              <h1>Not reachable</h1>
              <ProblemNotice problem={problem()} again={() => void queries.invalidateQueries()} />
            </div>
          </main>
        )}
      </Match>
    </Switch>
  )
}
