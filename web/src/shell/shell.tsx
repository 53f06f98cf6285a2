import { A, useLocation, useNavigate } from '@solidjs/router'
import { useQueryClient } from '@tanstack/solid-query'
import Activity from 'lucide-solid/icons/activity'
import Boxes from 'lucide-solid/icons/boxes'
import Command from 'lucide-solid/icons/command'
import FileCheck from 'lucide-solid/icons/file-check'
import Gauge from 'lucide-solid/icons/gauge'
import ListChecks from 'lucide-solid/icons/list-checks'
import LogOut from 'lucide-solid/icons/log-out'
import Menu from 'lucide-solid/icons/menu'
import RefreshCw from 'lucide-solid/icons/refresh-cw'
import ServerCog from 'lucide-solid/icons/server-cog'
import Settings from 'lucide-solid/icons/settings'
import ShieldAlert from 'lucide-solid/icons/shield-alert'
import Vault from 'lucide-solid/icons/vault'
import Waypoints from 'lucide-solid/icons/waypoints'
import {
  createEffect,
  createSignal,
  ErrorBoundary,
  For,
  onCleanup,
  type ParentProps,
  Show,
  Suspense,
} from 'solid-js'
import { Dynamic } from 'solid-js/web'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { count } from '../numbers.ts'
import { ProblemError } from '../problem.ts'
import { createAction, createReading } from '../reading.ts'
import { ROLE_NAMES, rolesMay } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import type { Choice } from './choices.ts'
import { escape, useKeyboard } from './keyboard.ts'
import { KeyHelp } from './key-help.tsx'
import { Wordmark } from './mark.tsx'
import { Broken } from './broken.tsx'
import { Palette } from './palette.tsx'
import { PLACES, type Place, placeOf } from './places.ts'
import { setTheme } from './theme.ts'
import { ThemeSwitch } from './theme-switch.tsx'

const ICONS: Readonly<Record<string, typeof Gauge>> = {
  '/': Gauge,
  '/findings': ShieldAlert,
  '/inventory': Boxes,
  '/vaults': Vault,
  '/rotation': RefreshCw,
  '/sync': Waypoints,
  '/compliance': ListChecks,
  '/evidence': FileCheck,
  '/activity': Activity,
  '/settings': Settings,
  '/operations': ServerCog,
}
/** A feed that is back sooner was only restarted; nobody needs to hear of it. */
const LOST_AFTER_MS = 3000
const GROUPS = ['Watch', 'Estate', 'Assurance', 'System'] as const

/** Everything around a page: navigation, banner, commands, keys. */
export function Shell(props: ParentProps) {
  const { session, may } = useSession()
  const location = useLocation()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const [palette, setPalette] = createSignal(false)
  const [help, setHelp] = createSignal(false)
  const [menu, setMenu] = createSignal(false)
  const places = (): readonly Place[] => PLACES.filter((p) => rolesMay(session().roles, p.needs))
  const score = createReading(api.compliance.readScore, () =>
    may(api.compliance.readScore) ? {} : undefined,
  )
  const openFindings = (): number => (score.data()?.open ?? []).reduce((sum, o) => sum + o.count, 0)

  const live = useLive()
  const [lost, setLost] = createSignal(false)
  createEffect(() => {
    if (live.state() !== 'reconnecting') {
      setLost(false)
      return
    }
    const timer = setTimeout(() => setLost(true), LOST_AFTER_MS)
    onCleanup(() => clearTimeout(timer))
  })

  const leave = createAction(async () => {
    try {
      await api.gateway.logout({})
    } catch (thrown) {
      // Who is signed in no more is out; anybody else would be taken for out and is not.
      if (!(thrown instanceof ProblemError && thrown.problem.status === 401)) throw thrown
    }
    queries.clear()
    globalThis.location.assign('/')
  })
  const choices = (): readonly Choice[] => [
    ...places().map((p) => ({
      name: p.name,
      hint: `g ${p.key}`,
      group: 'Pages',
      words: p.words,
      run: () => navigate(p.path),
    })),
    ...(may(api.discovery.startScan)
      ? [
          {
            name: 'Scan now',
            hint: '',
            group: 'Actions',
            words: 'discovery',
            run: () => navigate('/?scan=now'),
          },
        ]
      : []),
    ...(may(api.evidence.requestBundle)
      ? [
          {
            name: 'Build an evidence bundle',
            hint: '',
            group: 'Actions',
            run: () => navigate('/evidence?build=yes'),
          },
        ]
      : []),
    ...(['auto', 'light', 'dark'] as const).map((t) => ({
      name: `Theme: ${t === 'auto' ? 'as the system' : t}`,
      hint: '',
      group: 'Actions',
      words: 'dark light appearance',
      run: () => setTheme(t),
    })),
    {
      name: 'Show keys',
      hint: '?',
      group: 'Actions',
      words: 'keyboard shortcuts help',
      run: () => setHelp(true),
    },
    { name: 'Sign out', hint: '', group: 'Actions', words: 'log out leave', run: () => void leave.run() },
  ]
  useKeyboard(
    () => new Map(places().map((p) => [p.key, p.path])),
    (wish) => {
      if (wish === 'palette') setPalette((open) => !open)
      else if (wish === 'help') setHelp(true)
      else if (wish === 'close') escape()
      else if (typeof wish === 'object') navigate(wish.to)
    },
  )
  createEffect(() => {
    const place = placeOf(location.pathname)
    document.title = place ? `${place.name} · Attestry` : 'Attestry'
    setMenu(false)
  })

  return (
    <div class="shell" data-menu={menu() ? '' : undefined}>
      <a class="skip" href="#page">
        Skip to the page
      </a>
      <header class="bar">
        <A href="/" class="bar-home" aria-label="Attestry: overview">
          <Wordmark />
        </A>
        <Button
          kind="quiet"
          square
          class="bar-menu"
          aria-label={menu() ? 'Close navigation' : 'Open navigation'}
          aria-expanded={menu()}
          onClick={() => setMenu((open) => !open)}
          icon={<Menu size={18} aria-hidden="true" />}
        />
      </header>
      <nav class="side" aria-label="Pages">
        <button type="button" class="side-search" onClick={() => setPalette(true)}>
          <Command size={14} aria-hidden="true" />
          <span>Search or do…</span>
          <kbd>Ctrl K</kbd>
        </button>
        <For each={GROUPS}>
          {(group) => (
            <Show when={places().some((p) => p.group === group)}>
              <p class="side-group">{group}</p>
              <ul>
                <For each={places().filter((p) => p.group === group)}>
                  {(place) => (
                    <li>
                      <A href={place.path} end={place.path === '/'} class="side-link">
                        <Dynamic component={ICONS[place.path] ?? Gauge} size={16} aria-hidden="true" />
                        <span>{place.name}</span>
                        <Show when={place.path === '/findings' && openFindings() > 0}>
                          <span class="side-count" aria-label={`${count(openFindings())} open`}>
                            {count(openFindings())}
                          </span>
                        </Show>
                      </A>
                    </li>
                  )}
                </For>
              </ul>
            </Show>
          )}
        </For>
        <div class="side-foot">
          <LiveMark />
          <ThemeSwitch />
          <div class="side-me">
            <span class="side-name">
              <strong>{session().name}</strong>
              <span class="faint">
                {session()
                  .roles.map((r) => ROLE_NAMES[r])
                  .join(', ')}
              </span>
            </span>
            <Button
              kind="quiet"
              square
              aria-label="Sign out"
              title="Sign out"
              onClick={() => void leave.run()}
              icon={<LogOut size={15} aria-hidden="true" />}
            />
          </div>
        </div>
      </nav>
      <div class="stage">
        <Show when={session().origin === 'demo'}>
          <aside class="demonstration" aria-label="Demonstration">
            <strong>DEMONSTRATION</strong>
            <span>A made-up estate on a simulated cloud. Nothing here is evidence about a real one.</span>
          </aside>
        </Show>
        <ProblemNotice problem={leave.problem()} again={() => void leave.run()} />
        <Show when={lost()}>
          <p class="lost" role="status">
            The connection is interrupted. What is shown may be old; it is read again as soon as the server
            answers.
          </p>
        </Show>
        <main id="page" tabindex="-1">
          <ErrorBoundary fallback={(thrown, reset) => <Broken thrown={thrown} leave={reset} />}>
            <Suspense fallback={<Skeleton lines={6} label="Loading the page" />}>{props.children}</Suspense>
          </ErrorBoundary>
        </main>
      </div>
      <Palette open={palette()} onClose={() => setPalette(false)} choices={choices()} />
      <KeyHelp open={help()} onClose={() => setHelp(false)} />
    </div>
  )
}

function LiveMark() {
  const live = useLive()
  const text = (): string =>
    ({ connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' })[live.state()]
  const title = (): string =>
    live.state() === 'live'
      ? 'What happens is shown as it happens.'
      : 'The live feed is interrupted; what is shown may be old. It reconnects by itself.'
  return (
    <p class="live" data-state={live.state()} role="status" title={title()}>
      <span class="live-dot" aria-hidden="true" />
      {text()}
      <Show when={live.seq() > 0}>
        <span class="faint tabular">event {count(live.seq())}</span>
      </Show>
    </p>
  )
}
