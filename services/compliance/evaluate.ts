import type { RuleResult, Verdict } from '@attestry/contracts'
import { Calendar } from './calendar.ts'
import type { Estate, Touched } from './estate.ts'
import type { Holds, Moment, Rule } from './rules/rule.ts'
import type { Ruleset } from './ruleset.ts'
import { type Subject, SUBJECT_KINDS, type SubjectKind } from './subject.ts'

/** What a rule says of one subject: unread facts are unknown whatever the rule. */
export const judge = (rule: Rule, subject: Subject, moment: Moment): Holds =>
  subject.unread === null ? rule.holds(subject, moment) : 'unknown'

/** Why a subject fails a rule or cannot be judged, in a sentence. */
export const reasonOf = (rule: Rule, subject: Subject, moment: Moment): string =>
  subject.unread ?? rule.reason(subject, moment)

/** How a rule's population stands: what the verdict is made of. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly unknown: number
}

/**
 * A rule's verdict: at least `share` of its population holds. What is unknown could go either way, so a rule
 * passes only if it would with all of it failing, and fails only if it would with all of it passing.
 */
export function conclude(rule: { readonly share: number }, { passed, failed, unknown }: Counts): Verdict {
  const population = passed + failed + unknown
  if (population === 0) return 'not-applicable'
  const needed = Math.round(rule.share * 100) * population
  if (passed * 100 >= needed) return 'pass'
  return (passed + unknown) * 100 >= needed ? 'unknown' : 'fail'
}

// One byte a subject and rule. Zero is what a slot holds that was never judged.
const OUTSIDE = 0
const PASS = 1
const FAIL = 2
const UNKNOWN = 3
type Code = 0 | 1 | 2 | 3

const codeOf = (holds: Holds): Code =>
  holds === true ? PASS : holds === false ? FAIL : holds === 'unknown' ? UNKNOWN : OUTSIDE

const VERDICTS = ['not-applicable', 'pass', 'fail', 'unknown'] as const

/** A rule with its running counts. */
interface Running {
  readonly rule: Rule
  /** Its place among the rules over the same population. */
  readonly place: number
  readonly counts: [outside: number, pass: number, fail: number, unknown: number]
  readonly failing: Set<string>
  /** Subjects whose verdict under this rule moved since `settle` was last called. */
  moved: Set<string>
}

/** The verdicts over one population: a row of bytes a subject, one a rule. */
interface Population {
  readonly rules: readonly Running[]
  readonly slots: Map<string, number>
  readonly free: number[]
  codes: Uint8Array
}

/**
 * Where every subject stands under every rule, kept up to date: after the first time only what was touched
 * is judged again, and what time turned. Judging all afresh gives the same.
 */
export class Standing {
  readonly #estate: Estate
  readonly #running: readonly Running[]
  readonly #byId: ReadonlyMap<string, Running>
  readonly #populations: ReadonlyMap<SubjectKind, Population>
  #calendar: Calendar | null = null
  /** All was judged since `settle`: then `moved` is not kept, because looking at all is as cheap. */
  movedAll = false
  #now: number | null = null

  constructor(estate: Estate, ruleset: Ruleset) {
    this.#estate = estate
    this.#running = ruleset.rules.map((rule, i) => ({
      rule,
      place: ruleset.rules.slice(0, i).filter((r) => r.over === rule.over).length,
      counts: [0, 0, 0, 0],
      failing: new Set(),
      moved: new Set(),
    }))
    this.#byId = new Map(this.#running.map((r) => [r.rule.id, r]))
    this.#populations = new Map(
      SUBJECT_KINDS.map((kind) => [
        kind,
        {
          rules: this.#running.filter((r) => r.rule.over === kind),
          slots: new Map(),
          free: [],
          codes: new Uint8Array(0),
        },
      ]),
    )
  }

  /**
   * Brings the standing to an instant. `touched` is what the estate answered since the last time. All is judged
   * the first time, and when the clock was put back.
   */
  advance(touched: Touched, now: number): void {
    const moment = { now }
    if (this.#now === null || now < this.#now) {
      this.#calendar = null
      this.movedAll = true
      for (const [kind, population] of this.#populations) this.#judgeAll(kind, population, moment)
    } else {
      this.#calendar ??= this.#noteAll(this.#now)
      const due: Touched = new Map([...touched].map(([kind, ids]) => [kind, new Set(ids)]))
      this.#calendar.collect(this.#now, now, due)
      for (const [kind, ids] of due) {
        const population = this.#populations.get(kind)
        if (population) for (const id of ids) this.#judgeOne(kind, population, id, moment, this.#calendar)
      }
    }
    this.#now = now
  }

  #judgeAll(kind: SubjectKind, population: Population, moment: Moment): void {
    const subjects = this.#estate.subjects(kind)
    for (const id of population.slots.keys()) if (!subjects.has(id)) this.#forget(population, id)
    for (const [id, subject] of subjects) this.#record(population, id, subject, moment)
  }

  #judgeOne(kind: SubjectKind, population: Population, id: string, moment: Moment, calendar: Calendar): void {
    const subject = this.#estate.subject(kind, id)
    if (!subject) return this.#forget(population, id)
    this.#record(population, id, subject, moment)
    note(population, subject, moment.now, calendar)
  }

  #noteAll(now: number): Calendar {
    const calendar = new Calendar()
    for (const [kind, population] of this.#populations)
      if (population.rules.some((r) => 'turns' in r.rule))
        for (const subject of this.#estate.subjects(kind).values()) note(population, subject, now, calendar)
    return calendar
  }

  #record(population: Population, id: string, subject: Subject, moment: Moment): void {
    const { rules } = population
    const at = slotOf(population, id) * rules.length
    for (let i = 0; i < rules.length; i++) {
      const running = rules[i] as Running // within bounds: i counts them
      const is = codeOf(judge(running.rule, subject, moment))
      const was = population.codes[at + i] as Code // the row was just made sure of
      if (was === is) continue
      population.codes[at + i] = is
      move(running, id, was, is, !this.movedAll)
    }
  }

  #forget(population: Population, id: string): void {
    const slot = population.slots.get(id)
    if (slot === undefined) return
    const at = slot * population.rules.length
    for (const [i, running] of population.rules.entries()) {
      const was = population.codes[at + i] as Code // a slot in use has a whole row
      if (was !== OUTSIDE) move(running, id, was, OUTSIDE, !this.movedAll)
      population.codes[at + i] = OUTSIDE
    }
    population.slots.delete(id)
    population.free.push(slot)
  }

  /** Each rule's result, in the order of the ruleset. */
  results(): RuleResult[] {
    return this.#running.map(({ rule, counts: [, passed, failed, unknown] }) => ({
      // The ids of built-in and custom rules fit the contract's pattern; tests hold them against it.
      rule: rule.id,
      verdict: conclude(rule, { passed, failed, unknown }),
      weight: rule.weight,
      population: passed + failed + unknown,
      passed,
      failed,
      unknown,
      waived: 0,
    }))
  }

  /** A rule's verdict. */
  verdict(rule: string): Verdict {
    const running = this.#byId.get(rule)
    if (!running) return 'not-applicable'
    const [, passed, failed, unknown] = running.counts
    return conclude(running.rule, { passed, failed, unknown })
  }

  /** What a rule said of one subject; `absent` when the subject is not part of the estate. */
  verdictOn(rule: Rule, id: string): Exclude<Verdict, 'waived'> | 'absent' {
    const population = this.#populations.get(rule.over)
    const slot = population?.slots.get(id)
    const i = this.#byId.get(rule.id)?.place
    if (!population || slot === undefined || i === undefined) return 'absent'
    return VERDICTS[(population.codes[slot * population.rules.length + i] ?? OUTSIDE) as Code]
  }

  /** Subjects that fail a rule. */
  failing(rule: string): ReadonlySet<string> {
    return this.#byId.get(rule)?.failing ?? new Set()
  }

  /** Subjects whose verdict under a rule may have moved since `settle`. */
  moved(rule: string): ReadonlySet<string> {
    return this.#byId.get(rule)?.moved ?? new Set()
  }

  /** Says that everything that moved has been dealt with. */
  settle(): void {
    this.movedAll = false
    for (const running of this.#running) if (running.moved.size > 0) running.moved = new Set()
  }
}

function slotOf(population: Population, id: string): number {
  const known = population.slots.get(id)
  if (known !== undefined) return known
  const slot = population.free.pop() ?? population.slots.size
  population.slots.set(id, slot)
  const needed = (slot + 1) * population.rules.length
  if (needed > population.codes.length) {
    const larger = new Uint8Array(Math.max(needed, population.codes.length * 2, 1024))
    larger.set(population.codes)
    population.codes = larger
  }
  return slot
}

function move(running: Running, id: string, was: Code, is: Code, remember: boolean): void {
  if (was !== OUTSIDE) running.counts[was]--
  if (is !== OUTSIDE) running.counts[is]++
  if (is === FAIL) running.failing.add(id)
  else if (was === FAIL) running.failing.delete(id)
  if (remember) running.moved.add(id)
}

/** Notes the next instant at which a subject may turn; looking at it then notes the one after. */
function note(population: Population, subject: Subject, now: number, calendar: Calendar): void {
  let next = Number.POSITIVE_INFINITY
  // At the instant itself a rule may still say what it said before: the minute is looked at until it ends.
  for (const { rule } of population.rules)
    for (const at of rule.turns?.(subject) ?? []) if (at !== null && at >= now && at < next) next = at
  if (next < Number.POSITIVE_INFINITY) calendar.note(subject.kind, subject.id, next)
}

/** An evaluation as a value. */
export interface Evaluation {
  readonly results: readonly RuleResult[]
  /** Ids of failing subjects, by rule. */
  readonly failing: ReadonlyMap<string, ReadonlySet<string>>
}

/** Judges a whole estate at one instant (epoch milliseconds). Pure. */
export function evaluate(estate: Estate, ruleset: Ruleset, now: number): Evaluation {
  const standing = new Standing(estate, ruleset)
  standing.advance(new Map(), now)
  return {
    results: standing.results(),
    failing: new Map(ruleset.rules.map((r) => [r.id, standing.failing(r.id)])),
  }
}
