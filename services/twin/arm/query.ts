import { Refusal } from '../refusal.ts'

/*
 * The part of the Kusto language that the twin's Resource Graph understands; all else is refused as the service
 * refuses what it cannot parse.
 *
 *   query  = table { "|" step }
 *   table  = resources | resourcecontainers | authorizationresources
 *   step   = where predicate | project column {"," column} | project-away | order by path [asc|desc] {"," …}
 *          | sort by … | take n | limit n | count
 *   predicate = term { "and" term }          term = path op literal | path in|in~|!in (literal, …)
 *             | isnotempty(path) | isempty(path)
 *   op     = == | != | =~ | !~ | startswith | contains | has
 *   column = name | name "=" value           value = path | tostring(path) | tolower(path) | tobool(path)
 */
export type Row = Readonly<Record<string, unknown>>
export type Table = 'resources' | 'resourcecontainers' | 'authorizationresources'

export interface Query {
  readonly table: Table
  readonly steps: readonly ((rows: readonly Row[]) => readonly Row[])[]
}

const refuse = (what: string): Refusal =>
  new Refusal(
    400,
    'BadRequest',
    `Please provide below info when asking for support: timestamp and correlationId. Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before retrying. ParserFailure: ${what}`,
  )

type Token = { readonly kind: 'word' | 'text' | 'number' | 'sign'; readonly value: string }

function tokenize(source: string): Token[] {
  const pattern =
    /\s*(?:\/\/[^\n]*(?:\n|$)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(!?in~|!in\b)|(project-away)\b|([A-Za-z_$][\w$]*(?:(?:\.[A-Za-z_$][\w$]*)|\[(?:'[^']*'|"[^"]*")\])*)|(\d+)|(==|!=|=~|!~|[|=(),]))/gy
  const tokens: Token[] = []
  const text = source.trimEnd()
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex
    const match = pattern.exec(text)
    if (match === null) throw refuse(`unexpected '${text.slice(at, at + 20)}' at position ${at}`)
    const [, literal, membership, away, word, number, sign] = match
    if (literal !== undefined)
      tokens.push({ kind: 'text', value: literal.slice(1, -1).replace(/\\(.)/g, '$1') })
    else if (number !== undefined) tokens.push({ kind: 'number', value: number })
    else if (sign !== undefined) tokens.push({ kind: 'sign', value: sign })
    else if (membership !== undefined) tokens.push({ kind: 'word', value: membership })
    else if (away !== undefined) tokens.push({ kind: 'word', value: away })
    else if (word !== undefined) tokens.push({ kind: 'word', value: word })
  }
  return tokens
}

/** Follows `a.b['c']` into a row; column names do not distinguish case, names inside `properties` do. */
function valueAt(row: Row, path: string): unknown {
  const [column = '', ...rest] = path.replaceAll(/\[(?:'([^']*)'|"([^"]*)")\]/g, '.$1$2').split('.')
  const known = Object.keys(row).find((name) => name.toLowerCase() === column.toLowerCase())
  let value: unknown = known === undefined ? undefined : row[known]
  for (const part of rest)
    value =
      typeof value === 'object' && value !== null
        ? Object.entries(value).find(([name]) => name === part)?.[1]
        : undefined
  return value
}

const asText = (value: unknown): string =>
  value === undefined || value === null
    ? ''
    : typeof value === 'object'
      ? JSON.stringify(value)
      : `${value as string | number | boolean}` // what is left of JSON's values

const comparisons: Record<string, (left: string, right: string) => boolean> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '=~': (left, right) => left.toLowerCase() === right.toLowerCase(),
  '!~': (left, right) => left.toLowerCase() !== right.toLowerCase(),
  startswith: (left, right) => left.toLowerCase().startsWith(right.toLowerCase()),
  contains: (left, right) => left.toLowerCase().includes(right.toLowerCase()),
  has: (left, right) =>
    left
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .includes(right.toLowerCase()),
}

const conversions: Record<string, (value: unknown) => unknown> = {
  tostring: asText,
  tolower: (value) => asText(value).toLowerCase(),
  tobool: (value) =>
    typeof value === 'boolean'
      ? value
      : asText(value) === 'true'
        ? true
        : asText(value) === 'false'
          ? false
          : null,
}

/** @throws Refusal in Resource Graph's own shape for anything outside the grammar above */
export function parseQuery(source: string): Query {
  const tokens = tokenize(source)
  let at = 0
  const peek = () => tokens[at]
  const isNext = (value: string) => peek()?.value.toLowerCase() === value && peek()?.kind !== 'text'
  const take = (): Token => {
    const token = tokens[at]
    if (token === undefined) throw refuse('unexpected end of query')
    at += 1
    return token
  }
  const expect = (value: string) => {
    const token = take()
    if (token.kind === 'text' || token.value.toLowerCase() !== value)
      throw refuse(`expected '${value}', found '${token.value}'`)
  }
  const word = (): string => {
    const token = take()
    if (token.kind !== 'word') throw refuse(`expected a name, found '${token.value}'`)
    return token.value
  }
  const literal = (): string => {
    const token = take()
    if (token.kind === 'sign' || (token.kind === 'word' && !/^(true|false)$/i.test(token.value)))
      throw refuse(`expected a literal, found '${token.value}'`)
    return token.value
  }
  function commaSeparated<T>(one: () => T): T[] {
    const list = [one()]
    while (isNext(',')) {
      take()
      list.push(one())
    }
    return list
  }
  /** `path` or `tostring(path)`. */
  function value(): { name: string; read: (row: Row) => unknown } {
    const name = word()
    const convert = conversions[name.toLowerCase()]
    if (!isNext('(')) return { name, read: (row) => valueAt(row, name) }
    if (convert === undefined) throw refuse(`unknown function '${name}'`)
    expect('(')
    const path = word()
    expect(')')
    return { name: path, read: (row) => convert(valueAt(row, path)) }
  }
  function term(): (row: Row) => boolean {
    if (isNext('isnotempty') || isNext('isempty')) {
      const empty = word().toLowerCase() === 'isempty'
      expect('(')
      const path = word()
      expect(')')
      return (row) => (asText(valueAt(row, path)) === '') === empty
    }
    const { read } = value()
    const operator = take()
    const name = operator.value.toLowerCase()
    if (name === 'in' || name === 'in~' || name === '!in' || name === '!in~') {
      expect('(')
      const list = commaSeparated(literal)
      expect(')')
      const fold = (text: string) => (name.endsWith('~') ? text.toLowerCase() : text)
      const members = new Set(list.map(fold))
      return (row) => members.has(fold(asText(read(row)))) !== name.startsWith('!')
    }
    const compare = comparisons[name]
    if (compare === undefined || operator.kind === 'text')
      throw refuse(`unknown operator '${operator.value}'`)
    const right = literal()
    return (row) => compare(asText(read(row)), right)
  }
  function where(): (rows: readonly Row[]) => readonly Row[] {
    const terms = [term()]
    while (isNext('and')) {
      take()
      terms.push(term())
    }
    return (rows) => rows.filter((row) => terms.every((holds) => holds(row)))
  }
  function project(): (rows: readonly Row[]) => readonly Row[] {
    const columns = commaSeparated(() => {
      const first = value()
      if (!isNext('='))
        return { name: first.name.replaceAll(/[.[\]'"]+/g, '_').replace(/_$/, ''), read: first.read }
      take()
      return { name: first.name, read: value().read }
    })
    return (rows) =>
      rows.map((row) => Object.fromEntries(columns.map(({ name, read }) => [name, read(row) ?? null])))
  }
  function order(): (rows: readonly Row[]) => readonly Row[] {
    expect('by')
    const keys = commaSeparated(() => {
      const { read } = value()
      const ascending = isNext('asc')
      if (ascending || isNext('desc')) take()
      return { read, ascending }
    })
    return (rows) =>
      rows.toSorted((a, b) => {
        for (const { read, ascending } of keys) {
          const [left, right] = [asText(read(a)), asText(read(b))]
          if (left !== right) return left < right === ascending ? -1 : 1
        }
        return 0
      })
  }
  function step(): (rows: readonly Row[]) => readonly Row[] {
    const operator = word().toLowerCase()
    switch (operator) {
      case 'where':
        return where()
      case 'project':
        return project()
      case 'project-away': {
        const names = new Set(commaSeparated(word).map((name) => name.toLowerCase()))
        return (rows) =>
          rows.map((row) =>
            Object.fromEntries(Object.entries(row).filter(([name]) => !names.has(name.toLowerCase()))),
          )
      }
      case 'order':
      case 'sort':
        return order()
      case 'take':
      case 'limit': {
        const count = Number(literal())
        return (rows) => rows.slice(0, count)
      }
      case 'count':
        return (rows) => [{ Count: rows.length }]
      default:
        throw refuse(`unknown operator '${operator}'`)
    }
  }
  const table = word().toLowerCase()
  if (table !== 'resources' && table !== 'resourcecontainers' && table !== 'authorizationresources')
    throw refuse(`unknown table '${table}'`)
  const steps: Query['steps'][number][] = []
  while (at < tokens.length) {
    expect('|')
    steps.push(step())
  }
  return { table, steps }
}

export const runQuery = (query: Query, rows: readonly Row[]): readonly Row[] =>
  query.steps.reduce((left, step) => step(left), rows)
