import { COUNTERS } from '@attestry/contracts'
import type { TrendDay } from '@attestry/contracts/http'
import { For, Show } from 'solid-js'
import type { Address } from '../address.ts'
import { count } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { localZone, dayOf } from '../time.ts'
import { Filter } from '../ui/field.tsx'
import { Empty, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { fleetApi } from './fleet-api.ts'
import { FleetNotice } from './notice.tsx'
import { counterWord } from './words.ts'

const CHOICES = ['installs', ...COUNTERS] as const
type Choice = (typeof CHOICES)[number]
const isChoice = (text: string): text is Choice => (CHOICES as readonly string[]).includes(text)
const SPANS = ['30', '90', '365'] as const

const valueOf = (day: TrendDay, what: Choice): number =>
  what === 'installs' ? day.installs : (day.totals[what] ?? 0)

const WIDE = 1000
const HIGH = 160

/** A step a day: the daily sums are what is known, nothing between them. */
function Chart(props: { days: readonly TrendDay[]; what: Choice }) {
  const values = (): number[] => props.days.map((d) => valueOf(d, props.what))
  const most = (): number => Math.max(1, ...values())
  const x = (i: number): number => (i / Math.max(1, props.days.length)) * WIDE
  const y = (value: number): number => HIGH - (value / most()) * (HIGH - 4)
  const line = (): string =>
    values()
      .map((v, i) => `${i === 0 ? 'M' : 'L'}${x(i)} ${y(v)}H${x(i + 1)}`)
      .join('')
  const says = (): string => {
    const [first, last] = [props.days[0], props.days.at(-1)]
    if (!first || !last) return 'No day yet.'
    return `${counterWord(props.what)}: from ${count(valueOf(first, props.what))} on ${first.day} to ${count(valueOf(last, props.what))} on ${last.day}.`
  }
  return (
    <figure class="fleet-trend">
      <div class="fleet-trend-scale faint tabular" aria-hidden="true">
        <span>{count(most())}</span>
        <span>0</span>
      </div>
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label={says()}>
        <path class="fleet-trend-fill" d={`${line()}V${HIGH}H0Z`} />
        <path class="fleet-trend-line" d={line()} />
        <For each={props.days}>
          {(day, i) => (
            <rect
              x={x(i())}
              y="0"
              width={WIDE / Math.max(1, props.days.length)}
              height={HIGH}
              fill="transparent"
            >
              <title>{`${day.day}: ${count(valueOf(day, props.what))}`}</title>
            </rect>
          )}
        </For>
      </svg>
      <figcaption class="faint">
        <span>{dayOf(`${props.days[0]?.day}T12:00:00Z`, localZone())}</span>
        <span>{dayOf(`${props.days.at(-1)?.day}T12:00:00Z`, localZone())}</span>
      </figcaption>
      <p class="unseen">{says()}</p>
    </figure>
  )
}

/** Daily sums over the installs that were heard of, over time. */
export function Trends(props: { address: Address<'days' | 'what'> }) {
  const what = (): Choice => {
    const asked = props.address.get('what')
    return isChoice(asked) ? asked : 'installs'
  }
  const span = (): string => SPANS.find((s) => s === props.address.get('days')) ?? '90'
  const trends = createReading(fleetApi.trends, () => ({ query: { days: Number(span()) } }))
  return (
    <Panel
      title="Over time"
      actions={
        <>
          <Filter
            label="Show"
            value={what()}
            onChange={(next) => props.address.set({ what: next === 'installs' ? '' : next })}
            options={CHOICES.map((c) => [c, counterWord(c)] as const)}
          />
          <span class="segments" role="group" aria-label="Days">
            <For each={SPANS}>
              {(days) => (
                <button
                  type="button"
                  aria-pressed={span() === days}
                  onClick={() => props.address.set({ days: days === '90' ? '' : days })}
                >
                  {days}
                </button>
              )}
            </For>
          </span>
        </>
      }
    >
      <FleetNotice problem={trends.problem()} again={trends.again} />
      <Show when={trends.data()} fallback={<Show when={trends.loading()}>{<Skeleton lines={4} />}</Show>}>
        {(known) => (
          <Show
            when={known().items.length > 1}
            fallback={
              <Empty title="Not two days yet">A day’s sums are saved each night, at 03:17 UTC.</Empty>
            }
          >
            <Chart days={known().items} what={what()} />
          </Show>
        )}
      </Show>
    </Panel>
  )
}
