import { Show } from 'solid-js'
import type { api, ReplyOf } from '../api.ts'
import { count, percent } from '../numbers.ts'
import { RATING_WORDS } from '../overview/ratings.ts'
import { ScoreScale } from '../overview/score.tsx'
import { ScoreTrend } from '../overview/score-trend.tsx'
import type { Reading } from '../reading.ts'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Facts } from '../ui/side-panel.tsx'

/** How the score is made, with this evaluation's own numbers, so that anybody can recompute it. */
export function ScoreMade(props: { score: Reading<ReplyOf<typeof api.compliance.readScore.endpoint>> }) {
  return (
    <>
      <ProblemNotice problem={props.score.problem()} again={props.score.again} />
      <Show
        when={props.score.data()}
        fallback={
          <Show when={props.score.loading()}>
            <Skeleton lines={8} />
          </Show>
        }
      >
        {(score) => (
          <Show
            when={score().current}
            fallback={<Empty title="No score yet">It appears after the first scan.</Empty>}
          >
            {(current) => (
              <div class="score-made">
                <ScoreTrend points={score().trend} height={200} />
                <p class="formula">
                  <span class="tabular">
                    100 × {count(current().parts.weightPassed)} ÷ {count(current().parts.weightEvaluated)}
                  </span>{' '}
                  ={' '}
                  <strong class="tabular">
                    {current().score === null ? 'no score' : percent(current().score ?? 0)}
                  </strong>
                  <Show when={current().rating}>
                    {(rating) => <span class="soft"> {RATING_WORDS[rating()]}</span>}
                  </Show>
                </p>
                <ScoreScale score={current().score} />
                <div class="prose">
                  <p>
                    Each rule has a weight from its severity (critical 30, high 15, medium 8, low 2). A rule
                    passes when all it speaks of satisfies it, or the share that the rule states. The score is
                    the weight of the rules that passed, of the weight of those that passed or failed.
                  </p>
                  <p>
                    What could not be read is unknown, and stands on neither side: it lowers the coverage,{' '}
                    <span class="tabular">
                      {count(current().parts.weightEvaluated)} of {count(current().parts.weightEnabled)}
                    </span>{' '}
                    by weight, {percent(current().coverage)}%. Below 60% there is no rating, only
                    “insufficient evidence”.
                  </p>
                  <p>
                    Bands: Strong from 90, Healthy from 75, Significant gaps from 50, Weak below. A critical
                    rule that is unknown keeps the rating from being Strong. Numbers are cut, not rounded:
                    89.96 is not 90.
                  </p>
                  <Show when={current().assetProgress !== null}>
                    <p>
                      One failing asset of a thousand fails a whole rule. Asset progress gives the partial
                      credit:{' '}
                      <span class="tabular">
                        {count(current().parts.assetsPassed)} of {count(current().parts.assetsEvaluated)}
                      </span>{' '}
                      checks on assets passed, {percent(current().assetProgress ?? 0)}%.
                    </p>
                  </Show>
                </div>
                <Facts
                  rows={[
                    ['Evaluated', <Instant at={current().at} />],
                    ['Time windows measured from', <Instant at={current().now} />],
                    ['Rules as of', <Code text={current().rulesetDigest} label="ruleset digest" short />],
                  ]}
                />
              </div>
            )}
          </Show>
        )}
      </Show>
    </>
  )
}
