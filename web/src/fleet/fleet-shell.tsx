import { A, useLocation, useNavigate } from '@solidjs/router'
import { useQueryClient } from '@tanstack/solid-query'
import Gauge from 'lucide-solid/icons/gauge'
import KeyRound from 'lucide-solid/icons/key-round'
import LogOut from 'lucide-solid/icons/log-out'
import Menu from 'lucide-solid/icons/menu'
import ScrollText from 'lucide-solid/icons/scroll-text'
import Server from 'lucide-solid/icons/server'
import UserRound from 'lucide-solid/icons/user-round'
import { createEffect, createSignal, For, type ParentProps, Show } from 'solid-js'
import { Dynamic } from 'solid-js/web'
import { escape, useKeyboard } from '../shell/keyboard.ts'
import { Wordmark } from '../shell/mark.tsx'
import { ThemeSwitch } from '../shell/theme-switch.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { fleetApi, keepToken } from './fleet-api.ts'
import { useVendor } from './vendor.tsx'
import { ROLE_WORDS } from './words.ts'

const PLACES = [
  { path: '/fleet/', name: 'Fleet', key: 'f', icon: Gauge, needs: fleetApi.fleetHealth },
  { path: '/fleet/licences', name: 'Licences', key: 'l', icon: KeyRound, needs: fleetApi.listLicenses },
  { path: '/fleet/installs', name: 'Installs', key: 'i', icon: Server, needs: fleetApi.listInstalls },
  { path: '/fleet/audit', name: 'Audit', key: 'a', icon: ScrollText, needs: fleetApi.listAudit },
  { path: '/fleet/people', name: 'Personal data', key: 'p', icon: UserRound, needs: fleetApi.exportSubject },
] as const

/** Everything around a page of the fleet view. */
export function FleetShell(props: ParentProps) {
  const { vendor, may } = useVendor()
  const location = useLocation()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const [menu, setMenu] = createSignal(false)
  const [help, setHelp] = createSignal(false)
  const places = () => PLACES.filter((p) => may(p.needs))
  const signOut = (): void => {
    keepToken(null)
    queries.clear()
    globalThis.location.assign('/fleet/')
  }
  useKeyboard(
    () => new Map(places().map((p) => [p.key, p.path])),
    (wish) => {
      if (wish === 'help') setHelp(true)
      else if (wish === 'close') escape()
      else if (typeof wish === 'object') navigate(wish.to)
    },
  )
  createEffect(() => {
    const place = PLACES.findLast((p) => location.pathname.startsWith(p.path))
    document.title = `${place?.name ?? 'Fleet'} · Attestry licences`
    setMenu(false)
  })
  return (
    <div class="shell" data-menu={menu() ? '' : undefined}>
      <a class="skip" href="#page">
        Skip to the page
      </a>
      <header class="bar">
        <A href="/fleet/" class="bar-home" aria-label="Attestry licences: fleet">
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
        <p class="side-group">Vendor</p>
        <ul>
          <For each={places()}>
            {(place) => (
              <li>
                <A href={place.path} end={place.path === '/fleet/'} class="side-link">
                  <Dynamic component={place.icon} size={16} aria-hidden="true" />
                  <span>{place.name}</span>
                </A>
              </li>
            )}
          </For>
        </ul>
        <div class="side-foot">
          <ThemeSwitch />
          <div class="side-me">
            <span class="side-name">
              <strong>{vendor().name}</strong>
              <span class="faint">{ROLE_WORDS[vendor().role]}</span>
            </span>
            <Button
              kind="quiet"
              square
              aria-label="Sign out"
              title="Sign out"
              onClick={signOut}
              icon={<LogOut size={15} aria-hidden="true" />}
            />
          </div>
        </div>
      </nav>
      <div class="stage">
        <main id="page" tabindex="-1">
          {props.children}
        </main>
      </div>
      <Dialog open={help()} onClose={() => setHelp(false)} title="Keys">
        <dl class="facts">
          <For
            each={[
              ['/', 'Search the list'],
              ['j k', 'Next and previous row'],
              ['Enter', 'Open the row'],
              ...places().map((p) => [`g ${p.key}`, p.name]),
            ]}
          >
            {([keys, what]) => (
              <div>
                <dt>
                  <kbd>{keys}</kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            )}
          </For>
        </dl>
        <Show when={!may(fleetApi.issueLicense)}>
          <p class="faint">What your role may not do is not shown.</p>
        </Show>
      </Dialog>
    </div>
  )
}
