import { type EvidenceScope, FrameworkId, type ReportFormat, type ReportType } from '@attestry/contracts'
import { localZone } from '../time.ts'
import { type Days, isDay, periodOf, type Preset, presetDays, todayIn } from './period.ts'
import { REPORT_TYPES } from './reports.ts'

/** What management usually states; to be changed where it is not so. */
const STATEMENT =
  'Management asserts that the records in these reports are complete and accurate for the scope and period stated, to the best of its knowledge, with these exceptions: none.'

/** What a person asks a bundle to hold, as it stands in the form. */
export interface Wish {
  readonly framework: FrameworkId | null
  readonly reports: readonly ReportType[]
  readonly formats: readonly ReportFormat[]
  /** Azure subscriptions, parted by spaces, commas or lines. */
  readonly subscriptions: string
  readonly vaults: readonly string[]
  /** One `name=value` or `name` a line. */
  readonly tags: string
  readonly preset: Preset | 'custom'
  readonly custom: Days
  readonly zone: string
  readonly reason: string
  readonly asserted: boolean
  readonly signer: string
  readonly office: string
  readonly statement: string
}

/** CSV is always there: it is what the other forms are held to. */
export const FORMATS: readonly (readonly [ReportFormat, string])[] = [
  ['json', 'JSON'],
  ['pdf', 'PDF'],
  ['oscal', 'OSCAL'],
]

export const FRAMEWORKS: Readonly<Record<FrameworkId, string>> = {
  'cis-azure-2.0.0': 'CIS Microsoft Azure Foundations 2.0.0',
  'soc2-2017': 'SOC 2',
  'iso27001-2022': 'ISO/IEC 27001:2022',
  'nist-800-53-r5': 'NIST SP 800-53 r5',
  'hipaa-164.312': 'HIPAA 164.312',
  'pci-dss-4.0': 'PCI DSS 4.0',
  'asb-3.0': 'Azure Security Benchmark 3.0',
}
export const FRAMEWORK_IDS: readonly FrameworkId[] = FrameworkId.options

/** What the form begins with. */
export function newWish(now: number): Wish {
  const zone = localZone()
  return {
    framework: null,
    reports: REPORT_TYPES,
    formats: ['csv', 'json', 'pdf', 'oscal'],
    subscriptions: '',
    vaults: [],
    tags: '',
    preset: 'last-30',
    custom: presetDays('last-30', todayIn(zone, now)),
    zone,
    reason: '',
    asserted: false,
    signer: '',
    office: '',
    statement: STATEMENT,
  }
}

export const daysOf = ({ preset, custom, zone }: Wish, now: number): Days =>
  preset === 'custom' ? custom : presetDays(preset, todayIn(zone, now))

/** What the bundle is narrowed to; undefined: everything that the ledger knows. */
export function scopeOf({ subscriptions, vaults, tags }: Wish): EvidenceScope | undefined {
  const scope = {
    subscriptions: subscriptions.split(/[\s,;]+/).filter((text) => text !== ''),
    vaults: [...vaults],
    tags: tags.split('\n').flatMap((line): [string, string][] => {
      const [name = '', ...value] = line.split('=')
      return name.trim() === '' ? [] : [[name.trim(), value.join('=').trim()]]
    }),
  }
  const narrowed = scope.subscriptions.length + scope.vaults.length + scope.tags.length
  return narrowed === 0 ? undefined : scope
}

/** The scope in words, for the line above the button. */
export function scopeWords(wish: Wish, vaultNames: ReadonlyMap<string, string>): string {
  const scope = scopeOf(wish)
  if (!scope) return 'Everything that the ledger knows.'
  const parts = [
    ...(scope.subscriptions.length > 0 ? [`subscriptions ${scope.subscriptions.join(', ')}`] : []),
    ...(scope.vaults.length > 0
      ? [`vaults ${scope.vaults.map((v) => vaultNames.get(v) ?? v).join(', ')}`]
      : []),
    ...(scope.tags.length > 0
      ? [`tags ${scope.tags.map(([name, value]) => (value ? `${name}=${value}` : name)).join(', ')}`]
      : []),
  ]
  return `Only ${parts.join('; ')}. Other names are withheld and stay provable.`
}

/** Why it cannot be asked for as it stands. */
export function wrongWith(wish: Wish, now: number): string | undefined {
  if (wish.reports.length === 0) return 'Choose at least one report.'
  const days = daysOf(wish, now)
  if (!isDay(days.from) || !isDay(days.to)) return 'Choose the first and the last day of the period.'
  if (days.from > days.to) return 'The period ends before it begins.'
  return days.from > todayIn(wish.zone, now) ? 'The period lies in the future.' : undefined
}

/** The request's body. */
export function bodyOf(wish: Wish, now: number) {
  const { framework, reports, formats, zone, asserted, signer, office, statement } = wish
  const scope = scopeOf(wish)
  return {
    reports: [...reports],
    formats: [...formats],
    ...periodOf(daysOf(wish, now), zone, now),
    ...(framework ? { framework } : {}),
    ...(scope ? { scope } : {}),
    ...(asserted ? { assertion: { name: signer, title: office, statement } } : {}),
  }
}
