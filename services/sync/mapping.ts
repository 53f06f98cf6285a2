import type { RouteSettings } from '@attestry/contracts'
import { type Refused, refuse } from '@attestry/kit'
import { type Capabilities, isMarkTag, type Metadata, type SourceItem } from './targets/target.ts'

/*
 * From names and tags of a source to those of a target. Computed for the whole set, because what has to hold is a
 * property of the set: one name, one source, after the target's own folding of case.
 */

const SHAPES: Readonly<Record<string, (name: string) => string>> = {
  name: (name) => name,
  'name.lower': (name) => name.toLowerCase(),
  'name.upper': (name) => name.toUpperCase(),
  'name.snake': (name) => name.replaceAll('-', '_'),
}

const PLACE = /\{([^{}]*)\}/g

/** What is wrong with a template, as a sentence; null where nothing is. */
export function templateProblem(template: string): string | null {
  let named = false
  for (const [, place = ''] of template.matchAll(PLACE)) {
    if (place === 'vault') continue
    if (!Object.hasOwn(SHAPES, place))
      return `{${place}} stands for nothing; what does is ${[...Object.keys(SHAPES), 'vault'].map((p) => `{${p}}`).join(', ')}.`
    named = true
  }
  if (/[{}]/.test(template.replaceAll(PLACE, ''))) return 'A brace is not closed.'
  return named ? null : 'The template must hold {name}, or all secrets would have one name.'
}

const filled = (template: string, vault: string, name: string): string =>
  template.replaceAll(PLACE, (_, place: string) =>
    place === 'vault' ? vault : (SHAPES[place]?.(name) ?? ''),
  )

/** A name as the target tells names apart. */
export const foldedName = (name: string, can: Pick<Capabilities, 'foldsCase'>): string =>
  can.foldsCase ? name.toLowerCase() : name

/** The name of an item at the target. */
export function targetName(
  settings: Pick<RouteSettings, 'template' | 'overrides'>,
  vault: string,
  name: string,
): string {
  const override = settings.overrides.find(([from]) => from.toLowerCase() === name.toLowerCase())
  return override ? override[1] : filled(settings.template, vault, name)
}

/** An item's name at the target, and why it cannot have it. */
export interface Mapped {
  readonly target: string
  readonly problem: 'bad-name' | 'collision' | null
}

/** Names at the target of all names given, by name. Where two meet in one, neither gets it. */
export function mapNames(
  settings: Pick<RouteSettings, 'template' | 'overrides'>,
  vault: string,
  names: readonly string[],
  can: Pick<Capabilities, 'foldsCase' | 'name'>,
): Map<string, Mapped> {
  const targets = names.map((name) => targetName(settings, vault, name))
  const times = new Map<string, number>()
  for (const target of targets) {
    const folded = foldedName(target, can)
    times.set(folded, (times.get(folded) ?? 0) + 1)
  }
  return new Map(
    names.map((name, index) => {
      const target = targets[index] ?? ''
      const collides = (times.get(foldedName(target, can)) ?? 0) > 1
      const problem = can.name.pattern.test(target) ? (collides ? 'collision' : null) : 'bad-name'
      return [name, { target, problem }] as const
    }),
  )
}

/**
 * What of a mapping can be told to be wrong before any listing.
 * @refuses 'bad-mapping' naming the field
 */
export function checkMapping(
  settings: Pick<RouteSettings, 'template' | 'overrides' | 'tags'>,
  can: Pick<Capabilities, 'foldsCase' | 'name'>,
): Refused<'bad-mapping'> | null {
  const errors: { field: string; message: string }[] = []
  const problem = templateProblem(settings.template)
  if (problem) errors.push({ field: 'body.settings.template', message: problem })
  const sources = new Set<string>()
  const targets = new Set<string>()
  for (const [index, [from, to]] of settings.overrides.entries()) {
    const field = `body.settings.overrides.${index}`
    if (sources.has(from.toLowerCase())) errors.push({ field, message: `names ${from} a second time` })
    if (targets.has(foldedName(to, can)))
      errors.push({ field, message: `gives ${to}, which another one gives already` })
    if (!can.name.pattern.test(to)) errors.push({ field, message: `${to} must ${can.name.says}` })
    sources.add(from.toLowerCase())
    targets.add(foldedName(to, can))
  }
  for (const [index, [from, to]] of settings.tags.entries())
    if ((from === '*') !== (to === '*'))
      errors.push({
        field: `body.settings.tags.${index}`,
        message: '* stands for all tags, and for nothing else',
      })
    else if (isMarkTag(to) || isMarkTag(from))
      errors.push({ field: `body.settings.tags.${index}`, message: 'is kept for the mark of ownership' })
  return errors.length > 0
    ? refuse('bad-mapping', 'The mapping cannot be carried out as it is.', errors)
    : null
}

/** What goes with a value, and how many tags the target would not take. */
export function carried(
  tags: RouteSettings['tags'],
  item: Pick<SourceItem, 'tags' | 'contentType' | 'expires' | 'notBefore'>,
  can: Pick<Capabilities, 'tags'>,
): { readonly metadata: Metadata; readonly dropped: number } {
  const all = tags.some(([from]) => from === '*')
  const taken: [string, string][] = []
  let dropped = 0
  for (const [key, value] of item.tags) {
    if (isMarkTag(key)) continue
    const rule = tags.find(([from]) => from.toLowerCase() === key.toLowerCase())
    if (!rule && !all) continue
    const name = rule?.[1] ?? key
    const fitting = can.tags.key.test(name) && can.tags.value.test(value) && taken.length < can.tags.most
    if (fitting && !taken.some(([k]) => k === name)) taken.push([name, value])
    else dropped++
  }
  const { contentType, expires, notBefore } = item
  return { metadata: { tags: taken, contentType, expires, notBefore }, dropped }
}

/** Whether a content type says that the text is base64 of bytes, as Key Vault's users mark binary values. */
export const saysBase64 = (contentType: string | null): boolean =>
  contentType !== null &&
  (/;\s*base64\b/i.test(contentType) ||
    /^application\/(octet-stream|x-pkcs12)\b/i.test(contentType) ||
    /^base64$/i.test(contentType))
