import TrendingDown from 'lucide-solid/icons/trending-down'
import TrendingUp from 'lucide-solid/icons/trending-up'
import { For, Show } from 'solid-js'
import type { api, ReplyOf } from '../api.ts'
import { percent } from '../numbers.ts'
import type { Reading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { BANDS, movedSays, RATING_WORDS, step } from './ratings.ts'
import { ScoreTrend } from './score-trend.tsx'

type Score = ReplyOf<typeof api.compliance.readScore.endpoint>
type Evaluation = NonNullable<Score['current']>

const TONES = {
  strong: 'good',
  healthy: 'good',
  'significant-gaps': 'medium',
  weak: 'critical',
  'insufficient-evidence': 'plain',
} as const

/** The score with what it rests on, where it goes, and what moved it. */
export function ScorePanel(props: { score: Reading<Score> }) {
  return (
    <Panel
      title="Score"
      class="score"
      note={
        <Show when={props.score.data()?.current}>
          {(current) => (
            <>
              evaluated <Instant at={current().at} />
              <Show when={props.score.data()?.pending}> · a newer evaluation is under way</Show>
            </>
          )}
        </Show>
      }
      actions={<a href="/compliance?part=score">How it is made</a>}
    >
      <ProblemNotice problem={props.score.problem()} again={props.score.again} />
      <Show
        when={props.score.data()}
        fallback={
          <Show when={props.score.loading()}>
            <Skeleton lines={6} />
          </Show>
        }
      >
        {(score) => (
          <Show
            when={score().current}
            fallback={
              <Empty title={score().pending ? 'Being evaluated' : 'No score yet'}>
                The score appears when the first scan has been evaluated.
              </Empty>
            }
          >
            {(current) => <Known current={current()} score={score()} />}
          </Show>
        )}
      </Show>
    </Panel>
  )
}

function Known(props: { current: Evaluation; score: Score }) {
  const moved = () => step(props.score.trend)
  return (
    <div class="score-body">
      <div class="score-now">
        <p class="score-number">
          <Show when={props.current.score !== null} fallback={<span class="faint">—</span>}>
            <span class="tabular">{percent(props.current.score ?? 0)}</span>
          </Show>
          <Show when={props.current.rating}>
            {(rating) => <Badge tone={TONES[rating()]}>{RATING_WORDS[rating()]}</Badge>}
          </Show>
        </p>
        <ScoreScale score={props.current.score} />
        <dl class="score-facts">
          <div>
            <dt title="Evaluated weight of enabled weight: what the score rests on. Below 60 % there is no rating.">
              Coverage
            </dt>
            <dd class="tabular">{percent(props.current.coverage)}%</dd>
          </div>
          <Show when={props.current.assetProgress !== null}>
            <div>
              <dt title="Share of assets that satisfy all that was asked of them: one failing asset fails a whole rule, this shows the progress below.">
                Asset progress
              </dt>
              <dd class="tabular">{percent(props.current.assetProgress ?? 0)}%</dd>
            </div>
          </Show>
        </dl>
        <p class="soft">
          <Show when={moved()}>
            {(points) => (
              <strong class="moved" data-tone={points() > 0 ? 'good' : 'critical'}>
                <Show when={points() > 0} fallback={<TrendingDown size={14} aria-hidden="true" />}>
                  <TrendingUp size={14} aria-hidden="true" />
                </Show>
                {points() > 0 ? 'Up' : 'Down'} <span class="tabular">{Math.abs(points()).toFixed(1)}</span>
              </strong>
            )}
          </Show>{' '}
          {moved() ? 'since' : 'Since'} last time: {movedSays(props.score.moved)}.
        </p>
      </div>
      <figure class="score-trend">
        <ScoreTrend points={props.score.trend} height={196} />
        <figcaption>
          <span data-line="score">Score</span>
          <span data-line="coverage">Coverage</span>
        </figcaption>
      </figure>
    </div>
  )
}

/** Where the score lies among the bands. */
export function ScoreScale(props: { score: number | null }) {
  return (
    <div class="scale" aria-hidden="true">
      <For each={BANDS}>
        {(band, i) => (
          <span
            class="scale-band"
            data-band={band.rating}
            title={`${RATING_WORDS[band.rating]} from ${band.from}`}
            style={{ 'flex-grow': (BANDS[i() + 1]?.from ?? 100) - band.from }}
          />
        )}
      </For>
      <Show when={props.score !== null}>
        <span class="scale-mark" style={{ left: `${props.score ?? 0}%` }} />
      </Show>
    </div>
  )
}
