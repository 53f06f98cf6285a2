import type { CalendarEntry } from '@attestry/contracts/http'
import ChevronLeft from 'lucide-solid/icons/chevron-left'
import ChevronRight from 'lucide-solid/icons/chevron-right'
import Snowflake from 'lucide-solid/icons/snowflake'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { exact, localZone } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { now } from '../ui/now.ts'
import { Confirm, Line } from './confirm.tsx'
import { type Day, isMonth, later, monthOf, stretch, weeksOf } from './month.ts'
import type { RotationAddress } from './rotation.tsx'

const WORDS: Readonly<Record<CalendarEntry['kind'], string>> = {
  due: 'Due',
  window: 'Window',
  freeze: 'Freeze',
  running: 'At work',
}
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
/** Entries shown on a day; the rest are counted. */
const SHOWN = 4

/** What is due on which day, when windows open, what is frozen and what runs: a month at a time. */
export function Calendar(props: { address: RotationAddress }) {
  const { may } = useSession()
  const [freezing, setFreezing] = createSignal(false)
  const [chosen, setChosen] = createSignal<CalendarEntry>()
  const month = (): string =>
    isMonth(props.address.get('month')) ? props.address.get('month') : monthOf(now())
  const calendar = createReading(api.rotation.readCalendar, () => ({ query: stretch(month()) }))
  const title = (): string =>
    new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric' }).format(
      new Date(`${month()}-15T12:00:00`),
    )
  return (
    <>
      <div class="filters rotation-bar">
        <Button
          square
          aria-label="The month before"
          title="The month before"
          onClick={() => props.address.set({ month: later(month(), -1) })}
          icon={<ChevronLeft size={16} aria-hidden="true" />}
        />
        <h2 class="rotation-month-name" aria-live="polite">
          {title()}
        </h2>
        <Button
          square
          aria-label="The month after"
          title="The month after"
          onClick={() => props.address.set({ month: later(month(), 1) })}
          icon={<ChevronRight size={16} aria-hidden="true" />}
        />
        <Show when={month() !== monthOf(now())}>
          <button type="button" class="link" onClick={() => props.address.set({ month: '' })}>
            This month
          </button>
        </Show>
        <span class="faint">Days are those of {localZone()}.</span>
        <Show when={may(api.rotation.declareFreeze)}>
          <Button
            class="rotation-new"
            icon={<Snowflake size={14} aria-hidden="true" />}
            onClick={() => setFreezing(true)}
          >
            Declare a freeze
          </Button>
        </Show>
      </div>
      <ProblemNotice problem={calendar.problem()} again={calendar.again} />
      <div class="scroll" tabindex="0" role="region" aria-label="Calendar">
        <div class="rotation-part">
          <Show when={calendar.data()} fallback={<Skeleton lines={12} />}>
            {(known) => (
              <>
                <Month month={month()} entries={known().items} onFreeze={setChosen} />
                <Show when={known().items.length === 0}>
                  <p class="soft">Nothing is due, open, frozen or at work in this month.</p>
                </Show>
                <Show when={known().cut}>
                  <p class="faint">
                    There is more than a calendar can show; the first thousand entries stand here.
                  </p>
                </Show>
              </>
            )}
          </Show>
        </div>
      </div>
      <Show when={freezing()}>
        <Freeze onClose={() => setFreezing(false)} />
      </Show>
      <Show when={chosen()} keyed>
        {(entry) => <Lift entry={entry} onClose={() => setChosen(undefined)} />}
      </Show>
    </>
  )
}

function Month(props: {
  month: string
  entries: readonly CalendarEntry[]
  onFreeze: (entry: CalendarEntry) => void
}) {
  const weeks = () => weeksOf(props.month, props.entries, now())
  const today = (): string => weeksOf(monthOf(now()), [], now()).flat().find(isToday)?.date ?? ''
  return (
    <table class="rotation-month">
      <thead>
        <tr>
          <For each={DAYS}>{(day) => <th scope="col">{day}</th>}</For>
        </tr>
      </thead>
      <tbody>
        <For each={weeks()}>
          {(week) => (
            <tr>
              <For each={week}>
                {(day) => (
                  <td
                    data-outside={day.inMonth ? undefined : ''}
                    data-empty={day.entries.length === 0 ? '' : undefined}
                    data-today={day.date === today() ? '' : undefined}
                  >
                    <time class="rotation-day" dateTime={day.date}>
                      <span class="rotation-day-long">{longDay(day.date)}</span>
                      <span class="rotation-day-short" aria-hidden="true">
                        {Number(day.date.slice(8))}
                      </span>
                    </time>
                    <ul>
                      <For each={day.entries.slice(0, SHOWN)}>
                        {(entry) => (
                          <li>
                            <Entry entry={entry} onFreeze={props.onFreeze} />
                          </li>
                        )}
                      </For>
                      <Show when={day.entries.length > SHOWN}>
                        <li class="faint">
                          <span title={day.entries.slice(SHOWN).map(told).join('\n')}>
                            and {day.entries.length - SHOWN} more
                          </span>
                        </li>
                      </Show>
                    </ul>
                  </td>
                )}
              </For>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  )
}

const pad = (n: number): string => String(n).padStart(2, '0')
const isToday = (day: Day): boolean => {
  const date = new Date(now())
  return day.date === `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
}
const longDay = (date: string): string =>
  new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' }).format(
    new Date(`${date}T12:00:00`),
  )

const told = (entry: CalendarEntry): string =>
  `${WORDS[entry.kind]}: ${entry.name}, ${exact(entry.from, localZone())}${entry.until ? ` to ${exact(entry.until, localZone())}` : ''}`

function Entry(props: { entry: CalendarEntry; onFreeze: (entry: CalendarEntry) => void }) {
  const inside = () => (
    <>
      <span class="rotation-entry-kind">{WORDS[props.entry.kind]}</span> {props.entry.name}
    </>
  )
  const href = (): string =>
    props.entry.rotation === null
      ? `/rotation?part=policies&policy=${props.entry.policy ?? ''}`
      : `/rotation/${props.entry.rotation}`
  return (
    <Show
      when={props.entry.kind === 'freeze'}
      fallback={
        <a class="rotation-entry" data-kind={props.entry.kind} href={href()} title={told(props.entry)}>
          {inside()}
        </a>
      }
    >
      <button
        type="button"
        class="rotation-entry"
        data-kind="freeze"
        title={told(props.entry)}
        onClick={() => props.onFreeze(props.entry)}
      >
        {inside()}
      </button>
    </Show>
  )
}

/** What a local date and time of a form is as an instant; null where it is none. */
const instantOf = (local: string): string | null => {
  const ms = Date.parse(local)
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}

function Freeze(props: { onClose: () => void }) {
  const live = useLive()
  const [name, setName] = createSignal('')
  const [from, setFrom] = createSignal('')
  const [until, setUntil] = createSignal('')
  const [wrong, setWrong] = createSignal<string>()
  const declare = createAction(async () => {
    const begins = instantOf(from())
    const ends = instantOf(until())
    setWrong(begins === null || ends === null || begins >= ends ? 'It must end after it begins.' : undefined)
    if (begins === null || ends === null || begins >= ends) return
    await api.rotation.declareFreeze({ body: { from: begins, until: ends, name: name().trim() } })
    live.touch(['rotation'])
    props.onClose()
  })
  return (
    <Confirm
      title="Declare a freeze"
      says={[
        'Between these times nothing is begun, switched or retired, whatever the policies say.',
        'Rolling back goes on, and after a compromise or with the glass broken a freeze is passed over.',
      ]}
      word="Declare it"
      action={declare}
      onClose={props.onClose}
    >
      <Line label="Name" required most={120} hint="Such as Year end." value={name()} onInput={setName} />
      <div class="side-by-side">
        <Line label="From" type="datetime-local" required value={from()} onInput={setFrom} />
        <Line
          label="Until"
          type="datetime-local"
          required
          error={wrong()}
          value={until()}
          onInput={setUntil}
        />
      </div>
      <p class="faint">In your zone, {localZone()}.</p>
    </Confirm>
  )
}

function Lift(props: { entry: CalendarEntry; onClose: () => void }) {
  const { may } = useSession()
  const live = useLive()
  const lift = createAction(async () => {
    const { freeze } = props.entry
    if (freeze === null || !may(api.rotation.liftFreeze)) return props.onClose()
    await api.rotation.liftFreeze({ params: { freeze } })
    live.touch(['rotation'])
    props.onClose()
  })
  return (
    <Confirm
      title={`Freeze: ${props.entry.name}`}
      says={[
        told(props.entry),
        ...(may(api.rotation.liftFreeze)
          ? ['Lifting it lets what waited begin as soon as its window is open.']
          : ['Nothing is begun, switched or retired meanwhile.']),
      ]}
      word={may(api.rotation.liftFreeze) ? 'Lift it' : 'Good'}
      action={lift}
      onClose={props.onClose}
    />
  )
}
