import { Refusal } from '../refusal.ts'
import type { Message, Value } from './message.ts'

/**
 * The part of the SQL filter language that this broker understands. Anything else is refused when the rule is
 * made, never ignored.
 *
 *     condition  = conjunct { OR conjunct }
 *     conjunct   = negation { AND negation }
 *     negation   = [ NOT ] predicate
 *     predicate  = '(' condition ')' | EXISTS '(' property ')'
 *                | operand ( '=' | '<>' | '!=' | '<' | '<=' | '>' | '>=' ) operand
 *                | operand [ NOT ] IN '(' literal { ',' literal } ')'
 *                | operand [ NOT ] LIKE string [ ESCAPE string ]
 *                | operand IS [ NOT ] NULL
 *     operand    = literal | property
 *     literal    = 'text' ('' is one quote) | [ - ] digits [ . digits ] | TRUE | FALSE
 *     property   = [ user. | sys. ] ( name | '[' name ']' | '"' name '"' )
 *
 * Keywords and the names of system properties are read without regard to case, names of user properties with it.
 * A missing user property makes a comparison unknown, as in SQL; unknown is no match. Values of different types
 * never compare. Not supported: arithmetic, parameters (@name), functions other than EXISTS, rule actions.
 *
 * Grammar of the real thing: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messaging-sql-filter
 */
export type Expression =
  | { readonly is: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly is: 'not'; readonly of: Expression }
  | { readonly is: 'compare'; readonly operator: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly is: 'in'; readonly operand: Operand; readonly values: readonly Value[] }
  | { readonly is: 'like'; readonly operand: Operand; readonly pattern: RegExp }
  | { readonly is: 'null'; readonly operand: Operand }
  | { readonly is: 'exists'; readonly operand: Operand }

type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='
type Operand =
  | { readonly literal: Value }
  | { readonly user: string }
  | { readonly system: (message: Message) => Value }

const SYSTEM: Readonly<Record<string, (message: Message) => Value>> = {
  messageid: (m) => m.messageId,
  correlationid: (m) => m.correlationId,
  label: (m) => m.subject,
  subject: (m) => m.subject,
  to: (m) => m.to,
  replyto: (m) => m.replyTo,
  sessionid: (m) => m.sessionId,
  replytosessionid: (m) => m.replyToSessionId,
  contenttype: (m) => m.contentType,
}

const LONGEST = 1024
const DEEPEST = 64
const TOKEN =
  /(?:'((?:[^']|'')*)'|(-?\d+(?:\.\d+)?)(?![\w.])|\[([^\]]+)\]|"([^"]+)"|([A-Za-z_]\w*)|(<>|!=|<=|>=|[=<>(),.]))/y
const KEYWORDS = new Set([
  'and',
  'or',
  'not',
  'in',
  'like',
  'escape',
  'is',
  'null',
  'exists',
  'true',
  'false',
])

type Token =
  | { readonly kind: 'literal'; readonly value: string | number }
  | { readonly kind: 'name' | 'keyword' | 'sign'; readonly text: string }
  | { readonly kind: 'end' }

/** Reads a filter text of at most 1,024 characters. @throws Refusal `argument-error` with the place and reason. */
export function parse(text: string): Expression {
  if (text.length > LONGEST) throw refused(text.slice(0, 40), `longer than ${LONGEST} characters`)
  return new Parser(text).whole()
}

/** True, false or unknown (undefined). */
export function evaluate(expression: Expression, message: Message): boolean | undefined {
  switch (expression.is) {
    case 'and': {
      const left = evaluate(expression.left, message)
      if (left === false) return false
      const right = evaluate(expression.right, message)
      return right === false ? false : left && right
    }
    case 'or': {
      const left = evaluate(expression.left, message)
      if (left === true) return true
      const right = evaluate(expression.right, message)
      return right === true ? true : left === undefined ? undefined : right
    }
    case 'not': {
      const value = evaluate(expression.of, message)
      return value === undefined ? undefined : !value
    }
    case 'compare':
      return compared(
        expression.operator,
        valueOf(expression.left, message),
        valueOf(expression.right, message),
      )
    case 'in': {
      const value = valueOf(expression.operand, message)
      return value === undefined ? undefined : expression.values.includes(value)
    }
    case 'like': {
      const value = valueOf(expression.operand, message)
      return typeof value === 'string' ? expression.pattern.test(value) : undefined
    }
    case 'null':
    case 'exists':
      return (valueOf(expression.operand, message) === undefined) === (expression.is === 'null')
    default:
      return expression satisfies never
  }
}

function valueOf(operand: Operand, message: Message): Value {
  if ('literal' in operand) return operand.literal
  if ('system' in operand) return operand.system(message)
  return Object.hasOwn(message.properties, operand.user)
    ? (message.properties[operand.user] ?? undefined)
    : undefined
}

function compared(operator: Comparison, left: Value, right: Value): boolean | undefined {
  if (left === undefined || right === undefined || left === null || right === null) return undefined
  if (typeof left !== typeof right || typeof left === 'object' || typeof right === 'object') return undefined
  return COMPARISONS[operator](left, right)
}

type Comparable = string | number | boolean | bigint
const COMPARISONS: Readonly<Record<Comparison, (left: Comparable, right: Comparable) => boolean>> = {
  '=': (left, right) => left === right,
  '<>': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

class Parser {
  readonly #text: string
  #at = 0
  #depth = 0
  #token: Token

  constructor(text: string) {
    this.#text = text
    this.#token = this.#read()
  }

  whole(): Expression {
    const expression = this.#condition()
    if (this.#token.kind !== 'end') throw this.#unexpected('the end')
    return expression
  }

  #condition(): Expression {
    let left = this.#conjunct()
    while (this.#accept('keyword', 'or')) left = { is: 'or', left, right: this.#conjunct() }
    return left
  }

  #conjunct(): Expression {
    let left = this.#negation()
    while (this.#accept('keyword', 'and')) left = { is: 'and', left, right: this.#negation() }
    return left
  }

  #negation(): Expression {
    return this.#accept('keyword', 'not') ? { is: 'not', of: this.#predicate() } : this.#predicate()
  }

  #predicate(): Expression {
    if (this.#accept('sign', '(')) {
      if (++this.#depth > DEEPEST) throw refused(this.#text, `nested deeper than ${DEEPEST}`)
      const inner = this.#condition()
      this.#expect('sign', ')')
      this.#depth--
      return inner
    }
    if (this.#accept('keyword', 'exists')) {
      this.#expect('sign', '(')
      const operand = this.#property()
      this.#expect('sign', ')')
      return { is: 'exists', operand }
    }
    const operand = this.#operand()
    if (this.#accept('keyword', 'is')) {
      const negated = this.#accept('keyword', 'not')
      this.#expect('keyword', 'null')
      return negated ? { is: 'not', of: { is: 'null', operand } } : { is: 'null', operand }
    }
    if (this.#accept('keyword', 'not')) return { is: 'not', of: this.#membership(operand) }
    const operator = this.#comparison()
    if (operator === undefined) return this.#membership(operand)
    return { is: 'compare', operator, left: operand, right: this.#operand() }
  }

  #membership(operand: Operand): Expression {
    if (this.#accept('keyword', 'like')) {
      const pattern = this.#string()
      const escape = this.#accept('keyword', 'escape') ? this.#string() : undefined
      if (escape !== undefined && escape.length !== 1) throw refused(this.#text, 'ESCAPE takes one character')
      return { is: 'like', operand, pattern: likeness(pattern, escape) }
    }
    if (!this.#accept('keyword', 'in')) throw this.#unexpected('a comparison')
    this.#expect('sign', '(')
    const values = [this.#literal()]
    while (this.#accept('sign', ',')) values.push(this.#literal())
    this.#expect('sign', ')')
    return { is: 'in', operand, values }
  }

  #comparison(): Comparison | undefined {
    if (this.#token.kind !== 'sign') return undefined
    const sign = this.#token.text
    if (sign === '=' || sign === '<' || sign === '<=' || sign === '>' || sign === '>=' || sign === '<>') {
      this.#advance()
      return sign
    }
    return this.#accept('sign', '!=') ? '<>' : undefined
  }

  #operand(): Operand {
    return this.#token.kind === 'name' ? this.#property() : { literal: this.#literal() }
  }

  #property(): Operand {
    const first = this.#name()
    if (!this.#accept('sign', '.')) return { user: first }
    const name = this.#name()
    const scope = first.toLowerCase()
    if (scope === 'user') return { user: name }
    const system = scope === 'sys' ? SYSTEM[name.toLowerCase()] : undefined
    if (system === undefined) throw refused(this.#text, `'${first}.${name}' is no property known here`)
    return { system }
  }

  #name(): string {
    if (this.#token.kind !== 'name') throw this.#unexpected('a property')
    const { text } = this.#token
    this.#advance()
    return text
  }

  #literal(): string | number | boolean {
    if (this.#accept('keyword', 'true')) return true
    if (this.#accept('keyword', 'false')) return false
    if (this.#token.kind !== 'literal') throw this.#unexpected('a value')
    const { value } = this.#token
    this.#advance()
    return value
  }

  #string(): string {
    const value = this.#literal()
    if (typeof value !== 'string') throw refused(this.#text, 'LIKE and ESCAPE take a string')
    return value
  }

  #accept(kind: 'keyword' | 'sign', text: string): boolean {
    const found = this.#token.kind === kind && this.#token.text === text
    if (found) this.#advance()
    return found
  }

  #expect(kind: 'keyword' | 'sign', text: string): void {
    if (!this.#accept(kind, text)) throw this.#unexpected(`'${text}'`)
  }

  #advance(): void {
    this.#token = this.#read()
  }

  #read(): Token {
    this.#at = this.#text.length - this.#text.slice(this.#at).trimStart().length
    if (this.#at === this.#text.length) return { kind: 'end' }
    TOKEN.lastIndex = this.#at
    const match = TOKEN.exec(this.#text)
    if (match === null) throw refused(this.#text, `character ${this.#at + 1} is not understood`)
    this.#at = TOKEN.lastIndex
    const [, text, number, bracketed, quoted, word, sign] = match
    if (text !== undefined) return { kind: 'literal', value: text.replaceAll("''", "'") }
    if (number !== undefined) return { kind: 'literal', value: Number(number) }
    const name = bracketed ?? quoted
    if (name !== undefined) return { kind: 'name', text: name }
    if (word === undefined) return { kind: 'sign', text: sign ?? '' }
    const lower = word.toLowerCase()
    return KEYWORDS.has(lower) ? { kind: 'keyword', text: lower } : { kind: 'name', text: word }
  }

  #unexpected(wanted: string): Refusal {
    return refused(this.#text, `${wanted} is expected before character ${this.#at + 1}`)
  }
}

/** LIKE: % is any run of characters, _ any one; the escape character takes the next as it is. */
function likeness(pattern: string, escape: string | undefined): RegExp {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    if (char === escape) source += RegExp.escape(pattern.charAt(++at))
    else if (char === '%') source += '.*'
    else if (char === '_') source += '.'
    else source += RegExp.escape(char)
  }
  return new RegExp(`^${source}$`, 'su')
}

function refused(text: string, reason: string): Refusal {
  return new Refusal('com.microsoft:argument-error', `The SQL filter "${text}" is not supported: ${reason}.`)
}
