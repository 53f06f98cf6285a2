import type { PolicyDocument, Statement } from './account.ts'

/** What is asked of the account: one action on one resource, with the condition keys that the request sets. */
export interface Asked {
  readonly action: string
  readonly resource: string
  readonly context: Readonly<Record<string, string | readonly string[]>>
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T] // not an array, so one of them

const patterns = new Map<string, RegExp>()
/** `*` is any text, `?` any one character. */
function like(pattern: string, text: string): boolean {
  let expression = patterns.get(pattern)
  if (expression === undefined) {
    const source = pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    expression = new RegExp(`^${source}$`, 's')
    patterns.set(pattern, expression)
  }
  return expression.test(text)
}

const operators: Readonly<Record<string, (wanted: string, given: string) => boolean>> = {
  StringEquals: (wanted, given) => wanted === given,
  StringEqualsIgnoreCase: (wanted, given) => wanted.toLowerCase() === given.toLowerCase(),
  StringLike: like,
  Bool: (wanted, given) => wanted.toLowerCase() === given.toLowerCase(),
  ArnEquals: like,
  ArnLike: like,
}
const negative: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotLike: 'StringLike',
  ArnNotLike: 'ArnLike',
}

/**
 * One condition operator over the request's keys, with `…IfExists`, `ForAllValues:` and `ForAnyValue:`. Names of keys
 * fold case, values do not.
 * @throws Error on an operator that the twin does not know: a policy that is half understood proves nothing
 */
function holds(
  operator: string,
  keys: Readonly<Record<string, string | readonly string[]>>,
  asked: Asked,
): boolean {
  const [, set, name = '', ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(operator) ?? []
  const folded = new Map(
    Object.entries(asked.context).map(([key, value]) => [key.toLowerCase(), list(value)]),
  )
  return Object.entries(keys).every(([key, value]) => {
    const wanted = list(value)
    const given = folded.get(key.toLowerCase())
    if (name === 'Null') return wanted.includes(String(given === undefined))
    const test = operators[negative[name] ?? name]
    if (test === undefined) throw new Error(`The condition operator ${operator} is not known here.`)
    const any = (text: string) => wanted.some((one) => test(one, text))
    if (name in negative) return given === undefined || !given.some(any)
    if (set === 'ForAllValues') return (given ?? []).every(any)
    if (given === undefined) return ifExists !== undefined
    return given.some(any)
  })
}

const applies = (statement: Statement, asked: Asked): boolean =>
  list(statement.Action).some((action) => like(action.toLowerCase(), asked.action.toLowerCase())) &&
  (statement.Resource === undefined || list(statement.Resource).some((one) => like(one, asked.resource))) &&
  Object.entries(statement.Condition ?? {}).every(([operator, keys]) => holds(operator, keys, asked))

export type Verdict = 'allowed' | 'denied' | 'not-allowed'

/**
 * Evaluates policies the way IAM does: an explicit deny wins, then any allow, else nothing is allowed.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function evaluate(policies: readonly PolicyDocument[], asked: Asked): Verdict {
  const hits = policies.flatMap(({ Statement: all }) => all.filter((statement) => applies(statement, asked)))
  if (hits.some(({ Effect }) => Effect === 'Deny')) return 'denied'
  return hits.length > 0 ? 'allowed' : 'not-allowed'
}

/**
 * Whether a role's trust policy lets a principal take it on.
 * @param principals names by which the caller may be meant: its ARN, its account's root, its account's id
 */
export function trusts(
  trust: PolicyDocument,
  by: { readonly aws: readonly string[] } | { readonly federated: string },
  asked: Omit<Asked, 'resource'>,
): boolean {
  const meant = ({ Principal }: Statement) =>
    'aws' in by
      ? list(Principal?.AWS).some((one) => one === '*' || by.aws.includes(one))
      : Principal?.Federated === by.federated
  return (
    evaluate([{ ...trust, Statement: trust.Statement.filter(meant) }], { ...asked, resource: '*' }) ===
    'allowed'
  )
}
