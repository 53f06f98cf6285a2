import type { PolicySettings } from '@attestry/contracts'
import type { Problem } from '@attestry/contracts/http'
import type * as z from 'zod'

/*
 * A policy's terms as a form holds them, everything as text, and as the contract takes them. Pure.
 */

interface TargetForm {
  vault: string
  secret: string
  content: 'value' | 'connection-string'
}
export interface TermsForm {
  cadenceDays: string
  daysBeforeExpiry: string
  targets: TargetForm[]
  windowed: boolean
  cron: string
  zone: string
  minutes: string
  approvals: string
  dependents: PolicySettings['dependents']
  graceHours: string
  /** Empty: issued at the switch. */
  prestageDays: string
  ownerName: string
  ownerMail: string
  ownerWebhook: string
}

export const freshTerms = (zone: string): TermsForm => ({
  cadenceDays: '90',
  daysBeforeExpiry: '14',
  targets: [{ vault: '', secret: '', content: 'value' }],
  windowed: false,
  cron: '0 2 * * 0',
  zone,
  minutes: '120',
  approvals: '0',
  dependents: 'switch',
  graceHours: '24',
  prestageDays: '',
  ownerName: '',
  ownerMail: '',
  ownerWebhook: '',
})

export interface Terms {
  readonly cadenceDays: number
  readonly settings: PolicySettings
}

/** A form as it would be saved; what is no number becomes NaN, which the contract refuses by name. */
export function termsOf(form: TermsForm): Terms {
  const text = (value: string): string | null => value.trim() || null
  const number = (value: string): number => (value.trim() === '' ? Number.NaN : Number(value))
  const told = text(form.ownerName) ?? text(form.ownerMail) ?? text(form.ownerWebhook)
  return {
    cadenceDays: number(form.cadenceDays),
    settings: {
      daysBeforeExpiry: number(form.daysBeforeExpiry),
      targets: form.targets.map((t) => ({ ...t, secret: t.secret.trim() })),
      window: form.windowed
        ? { cron: form.cron.trim(), zone: form.zone.trim(), minutes: number(form.minutes) }
        : null,
      approvals: number(form.approvals),
      dependents: form.dependents,
      graceHours: number(form.graceHours),
      prestageDays: form.prestageDays.trim() === '' ? null : number(form.prestageDays),
      owner:
        told === null
          ? null
          : { name: form.ownerName.trim(), mail: text(form.ownerMail), webhook: text(form.ownerWebhook) },
    },
  }
}

/** A saved policy's terms as a form; null shows as empty. */
export function formOf({ cadenceDays, settings }: Terms, zone: string): TermsForm {
  const fresh = freshTerms(zone)
  return {
    ...fresh,
    cadenceDays: String(cadenceDays),
    daysBeforeExpiry: String(settings.daysBeforeExpiry),
    targets: settings.targets.map((t) => ({ ...t })),
    windowed: settings.window !== null,
    ...(settings.window
      ? { cron: settings.window.cron, zone: settings.window.zone, minutes: String(settings.window.minutes) }
      : {}),
    approvals: String(settings.approvals),
    dependents: settings.dependents,
    graceHours: String(settings.graceHours),
    prestageDays: settings.prestageDays === null ? '' : String(settings.prestageDays),
    ownerName: settings.owner?.name ?? '',
    ownerMail: settings.owner?.mail ?? '',
    ownerWebhook: settings.owner?.webhook ?? '',
  }
}

/** What is wrong by field, as the contract's own schema sees it before anything is sent. */
export function issuesOf(schema: z.ZodType, body: unknown): ReadonlyMap<string, string> {
  const { error } = schema.safeParse(body)
  return new Map((error?.issues ?? []).map((issue) => [issue.path.join('.'), wordsOf(issue)]))
}

/** What would be right, by the field's last name, where the schema's own words are for programmers. */
const RIGHT: Readonly<Record<string, string>> = {
  credential: 'Choose a credential.',
  vault: 'Choose a vault.',
  mail: 'A mail address, such as team@example.com.',
  webhook: 'An address, such as https://example.com/hook.',
}

function wordsOf(issue: z.core.$ZodIssue): string {
  const right = RIGHT[String(issue.path.at(-1))]
  if (right !== undefined && issue.code !== 'custom') return right
  if (issue.code === 'too_big')
    return issue.origin === 'string' ? `At most ${issue.maximum} characters.` : `At most ${issue.maximum}.`
  if (issue.code === 'too_small')
    return issue.origin === 'string' ? 'It is missing.' : `At least ${issue.minimum}.`
  if (issue.code === 'invalid_type' && /number|int/.test(issue.expected)) return 'A whole number.'
  return sentence(issue.message)
}

/** What is wrong by field, as the server answered: its fields begin with `body.`. */
export const errorsOf = (problem: Problem | undefined): ReadonlyMap<string, string> =>
  new Map((problem?.errors ?? []).map((e) => [e.field.replace(/^body\./, ''), sentence(e.message)] as const))

const sentence = (text: string): string =>
  text === '' ? text : text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.')

/** What is said of a field, or of a part of it where only that can be named. */
export function saidOf(errors: ReadonlyMap<string, string>, field: string): string | undefined {
  const own = errors.get(field)
  if (own !== undefined) return own
  for (const [name, message] of errors) if (name.startsWith(`${field}.`)) return message
  return undefined
}
