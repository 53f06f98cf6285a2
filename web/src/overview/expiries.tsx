import { createMemo, For, Show } from 'solid-js'
import type { api, ReplyOf } from '../api.ts'
import { count, counted } from '../numbers.ts'
import type { Reading } from '../reading.ts'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { now } from '../ui/now.ts'
import { Panel } from '../ui/panel.tsx'
import { NextToExpire } from './next.tsx'
import { type Day, heatMap, heatMapSays } from './heat-map.ts'

type Summary = ReplyOf<typeof api.discovery.summariseAssets.endpoint>

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

const addressOf = (day: Day): string => {
  if (day.distance < 7) return '/inventory?state=expires-7d&sort=expires'
  if (day.distance < 30) return '/inventory?state=expires-30d&sort=expires'
  return '/inventory?sort=expires&order=asc'
}

/** What expires in the next 90 days, as a calendar. Each day prints its number, so colour only repeats it. */
export function Expiries(props: { summary: Reading<Summary> }) {
  const today = (): string => new Date(now()).toISOString().slice(0, 10)
  const weeks = createMemo(() => heatMap(props.summary.data()?.expiries ?? [], today()))
  const state = (name: string): number =>
    props.summary.data()?.states.find((s) => s.state === name)?.count ?? 0
  return (
    <Panel title="Expiries" note="next 90 days, UTC" class="expiries">
      <ProblemNotice problem={props.summary.problem()} again={props.summary.again} />
      <Show when={props.summary.data()} fallback={<Skeleton lines={6} />}>
        {(summary) => (
          <>
            <ul class="figures">
              <li>
                <a href="/inventory?state=expired&sort=expires">
                  <strong class="tabular" data-tone={state('expired') > 0 ? 'critical' : undefined}>
                    {count(state('expired'))}
                  </strong>{' '}
                  expired
                </a>
              </li>
              <li>
                <a href="/inventory?state=expires-7d&sort=expires">
                  <strong class="tabular" data-tone={state('expires-7d') > 0 ? 'high' : undefined}>
                    {count(state('expires-7d'))}
                  </strong>{' '}
                  within 7 days
                </a>
              </li>
              <li>
                <a href="/inventory?state=expires-30d&sort=expires">
                  <strong class="tabular">{count(state('expires-30d'))}</strong> within 30 days
                </a>
              </li>
              <li>
                <a href="/inventory?state=no-expiry">
                  <strong class="tabular">{count(state('no-expiry'))}</strong> without expiry
                </a>
              </li>
            </ul>
            <div class="calendar-scroll" tabindex="0" role="region" aria-label="Calendar of expiries">
              <table class="calendar">
                <caption class="unseen">{heatMapSays(summary().expiries)}</caption>
                <thead>
                  <tr>
                    <td />
                    <For each={weeks()}>
                      {(week) => (
                        <th scope="col">
                          <span class="unseen">week of {week.days.find((d) => d !== null)?.day}</span>
                          {week.month}
                        </th>
                      )}
                    </For>
                  </tr>
                </thead>
                <tbody>
                  <For each={WEEKDAYS}>
                    {(weekday, at) => (
                      <tr>
                        <th scope="row">
                          {at() % 2 === 0 ? weekday : <span class="unseen">{weekday}</span>}
                        </th>
                        <For each={weeks()}>
                          {(week) => (
                            <Show when={week.days[at()]} fallback={<td />}>
                              {(day) => (
                                <td
                                  data-level={day().level}
                                  data-today={day().distance === 0 ? '' : undefined}
                                >
                                  <Show
                                    when={day().count > 0}
                                    fallback={<span title={`${day().day}: nothing expires`} />}
                                  >
                                    <a
                                      href={addressOf(day())}
                                      title={`${day().day}: ${counted(day().count, 'credential')} expire`}
                                      aria-label={`${day().day}: ${counted(day().count, 'credential')}`}
                                    >
                                      {day().count > 99 ? '99' : day().count}
                                    </a>
                                  </Show>
                                </td>
                              )}
                            </Show>
                          )}
                        </For>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
            <NextToExpire />
          </>
        )}
      </Show>
    </Panel>
  )
}
