import type { RouteSettings } from '@attestry/contracts'

/** What the form holds: the settings, with what is written line by line as text. */
export interface RouteForm {
  readonly settings: RouteSettings
  readonly names: string
  readonly tagged: string
  readonly types: string
  readonly overrides: string
  readonly tags: string
}

/** What overwrites and deletes nothing by itself. */
export const CAREFUL: RouteSettings = {
  name: '',
  kind: 'azure-key-vault',
  selector: { names: [], tags: [], contentTypes: [] },
  template: '{name}',
  overrides: [],
  tags: [['*', '*']],
  binary: 'as-text',
  deletePolicy: 'keep',
  pruneLimit: null,
  onDisabled: 'skip',
  onDrift: 'alert',
  keepVersions: 10,
  approval: 'first-run',
  everyMinutes: 60,
  daily: null,
  onChange: true,
}

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** `a = b` a line; a line without a sign stands for both sides, or for any value. */
const pairs = (text: string, alone: (name: string) => string): [string, string][] =>
  lines(text).map((line) => {
    const at = line.indexOf('=')
    return at < 0 ? [line, alone(line)] : [line.slice(0, at).trim(), line.slice(at + 1).trim()]
  })

const pairText = (list: readonly (readonly [string, string])[], alone: (name: string) => string): string =>
  list.map(([a, b]) => (b === alone(a) ? a : `${a} = ${b}`)).join('\n')

const same = (name: string): string => name
const anything = (): string => '*'

export const formOf = (settings: RouteSettings): RouteForm => ({
  settings,
  names: settings.selector.names.join('\n'),
  tagged: pairText(settings.selector.tags, anything),
  types: settings.selector.contentTypes.join('\n'),
  overrides: pairText(settings.overrides, same),
  tags: pairText(settings.tags, same),
})

export const settingsOf = (form: RouteForm): RouteSettings => ({
  ...form.settings,
  name: form.settings.name.trim(),
  template: form.settings.template.trim(),
  selector: {
    names: lines(form.names),
    tags: pairs(form.tagged, anything),
    contentTypes: lines(form.types),
  },
  overrides: pairs(form.overrides, same),
  tags: pairs(form.tags, same),
})
