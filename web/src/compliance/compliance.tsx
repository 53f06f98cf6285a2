import { For, Match, Switch } from 'solid-js'
import { useAddress } from '../address.ts'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { PageHead } from '../ui/panel.tsx'
import { FrameworkList } from './frameworks.tsx'
import { RuleTable } from './rules.tsx'
import { ScoreMade } from './score-made.tsx'

const PARTS = [
  ['', 'Frameworks'],
  ['rules', 'Rules'],
  ['score', 'How the score is made'],
] as const

/** Frameworks and controls, the rules behind them, and how they make the score. */
export function Compliance() {
  const address = useAddress('/compliance', ['part', 'framework', 'ids', 'rule', 'search'])
  const frameworks = createReading(api.compliance.listFrameworks, () => ({}))
  const rules = createReading(api.compliance.listRules, () => ({}))
  const score = createReading(api.compliance.readScore, () => ({}))
  return (
    <div class="page">
      <PageHead title="Compliance" />
      <nav class="tabs" aria-label="Parts of compliance">
        <For each={PARTS}>
          {([part, name]) => (
            <a
              href={part === '' ? '/compliance' : `/compliance?part=${part}`}
              aria-current={address.get('part') === part ? 'page' : undefined}
            >
              {name}
            </a>
          )}
        </For>
      </nav>
      <Switch>
        <Match when={address.get('part') === 'rules'}>
          <RuleTable
            rules={rules}
            chosen={address.get('rule')}
            search={address.get('search')}
            onSearch={(search) => address.set({ search })}
            href={(rule) => address.with({ rule })}
          />
        </Match>
        <Match when={address.get('part') === 'score'}>
          <ScoreMade score={score} />
        </Match>
        <Match when={true}>
          <FrameworkList
            frameworks={frameworks}
            chosen={address.get('framework')}
            ids={address.get('ids') === 'product' ? 'product' : 'published'}
            href={(framework) => address.with({ framework, part: '', rule: '' })}
            onIds={(ids) => address.set({ ids: ids === 'product' ? 'product' : '' })}
          />
        </Match>
      </Switch>
    </div>
  )
}
