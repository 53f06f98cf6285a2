import type {
  ControlStatement,
  EventOf,
  FrameworkStatement,
  RuleResult,
  RuleStatement,
} from '@attestry/contracts'
import { KnownEstate } from './estate.ts'
import { Observed } from './observation.ts'
import { Policies } from './policies.ts'

/** What was judged by which rules, as the chain says it. */
export class Judgement {
  readonly rules = new Map<string, RuleStatement>()
  frameworks: readonly FrameworkStatement[] = []
  /** The last evaluation before the period's end. */
  last: EventOf<'compliance.evaluation-completed'> | null = null
  evaluations = 0
  /** Subjects of open findings, by rule. */
  readonly open = new Map<string, Set<string>>()

  apply(event: EventOf): void {
    if (event.type === 'compliance.ruleset-adopted')
      for (const rule of event.data.rules) this.rules.set(rule.rule, rule)
    if (event.type === 'compliance.frameworks-adopted') this.frameworks = event.data.frameworks
    if (event.type === 'compliance.evaluation-completed') {
      this.last = event
      this.evaluations++
    }
    if (event.type === 'compliance.findings-changed') {
      const { opened, reopened, resolved } = event.data
      for (const { rule, subject } of [...opened, ...reopened]) {
        const subjects = this.open.get(rule)
        if (subjects) subjects.add(subject)
        else this.open.set(rule, new Set([subject]))
      }
      for (const { rule, subject } of resolved) this.open.get(rule)?.delete(subject)
    }
  }

  resultOf(rule: string): RuleResult | undefined {
    return this.last?.data.results.find((r) => r.rule === rule)
  }

  /** The controls that name a rule, of one framework or of all. */
  controlsOf(rule: string, framework: string | null): { framework: string; control: ControlStatement }[] {
    return this.frameworks
      .filter((f) => framework === null || f.framework === framework)
      .flatMap((f) =>
        f.controls
          .filter((c) => c.rules.includes(rule))
          .map((control) => ({ framework: f.framework, control })),
      )
  }
}

/** Everything that reports know in common, up to the end of the period. */
export class Known {
  readonly estate = new KnownEstate()
  readonly judgement = new Judgement()
  readonly observed = new Observed()
  readonly policies = new Policies()

  /** @returns the assets, vaults and edges that the event told something of */
  apply(event: EventOf): readonly string[] {
    this.judgement.apply(event)
    this.observed.apply(event)
    return [...this.estate.apply(event), ...this.policies.apply(event)]
  }
}
