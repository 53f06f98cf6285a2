import { Route, Router } from '@solidjs/router'
import { QueryClientProvider, useQueryClient } from '@tanstack/solid-query'
import { createSignal, Match, type ParentProps, Switch } from 'solid-js'
import { createQueries } from '../queries.ts'
import { createAction, createReading } from '../reading.ts'
import { Wordmark } from '../shell/mark.tsx'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { Empty } from '../ui/notice.tsx'
import { Audit } from './audit.tsx'
import { fleetApi, keepToken } from './fleet-api.ts'
import { FleetShell } from './fleet-shell.tsx'
import { Installs } from './installs.tsx'
import { License } from './license.tsx'
import { Licenses } from './licenses.tsx'
import { FleetNotice } from './notice.tsx'
import { Overview } from './overview.tsx'
import { People } from './people.tsx'
import { VendorProvider } from './vendor.tsx'

/** The vendor's view of the fleet. It talks to the licence service and to nobody else. */
export function FleetApp() {
  const queries = createQueries(fleetApi.vendorSession.id)
  return (
    <QueryClientProvider client={queries}>
      <Router root={Door}>
        <Route path="/fleet/" component={Overview} />
        <Route path="/fleet/licences" component={Licenses} />
        <Route path="/fleet/licences/:license" component={License} />
        <Route path="/fleet/installs" component={Installs} />
        <Route path="/fleet/audit" component={Audit} />
        <Route path="/fleet/people" component={People} />
        <Route
          path="*"
          component={() => (
            <div class="page">
              <Empty title="There is no such page">
                <a href="/fleet/">Back to the fleet</a>
              </Empty>
            </div>
          )}
        />
      </Router>
    </QueryClientProvider>
  )
}

function Door(props: ParentProps) {
  const queries = useQueryClient()
  const [wasIn, setWasIn] = createSignal(false)
  const session = createReading(fleetApi.vendorSession, () => ({}))
  return (
    <Switch fallback={<main class="door" aria-busy="true" />}>
      <Match when={session.problem()?.status === 401}>
        <SignIn ended={wasIn()} />
      </Match>
      <Match when={session.data()}>
        {(vendor) => {
          setWasIn(true)
          return (
            <VendorProvider vendor={vendor()}>
              <FleetShell>{props.children}</FleetShell>
            </VendorProvider>
          )
        }}
      </Match>
      <Match when={session.problem()}>
        {(problem) => (
          <main class="door">
            <div class="door-card">
              <Wordmark />
              <h1>Not reachable</h1>
              <FleetNotice problem={problem()} again={() => void queries.invalidateQueries()} />
            </div>
          </main>
        )}
      </Match>
    </Switch>
  )
}

function SignIn(props: { ended: boolean }) {
  const queries = useQueryClient()
  const [token, setToken] = createSignal('')
  const signIn = createAction(async () => {
    keepToken(token().trim())
    try {
      const vendor = await fleetApi.vendorSession({})
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== fleetApi.vendorSession.id })
      queries.setQueryData([fleetApi.vendorSession.id, {}], vendor)
    } catch (thrown) {
      keepToken(null)
      throw thrown
    }
  })
  return (
    <main class="door">
      <form
        class="door-card"
        onSubmit={(event) => {
          event.preventDefault()
          void signIn.run()
        }}
      >
        <Wordmark />
        <h1>Licences and fleet</h1>
        <p class="faint">
          {props.ended ? 'Your token is no longer accepted. Sign in again.' : 'For the vendor.'}
        </p>
        <Field label="Vendor token" hint="Kept in this tab alone, and gone when it closes.">
          {(id, note) => (
            <input
              id={id}
              type="password"
              autocomplete="off"
              required
              autofocus
              spellcheck={false}
              aria-describedby={note}
              value={token()}
              onInput={(event) => setToken(event.currentTarget.value)}
            />
          )}
        </Field>
        <FleetNotice problem={signIn.problem()} />
        <Button kind="primary" type="submit" busy={signIn.busy()}>
          Sign in
        </Button>
      </form>
    </main>
  )
}
