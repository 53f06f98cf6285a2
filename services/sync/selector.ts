import type { Selector } from '@attestry/contracts'
import type { SourceItem } from './targets/target.ts'

/** Whether a name fits a text in which `*` stands for any characters. Case does not count: vaults fold it. */
export function fits(name: string, pattern: string): boolean {
  const text = name.toLowerCase()
  const parts = pattern.toLowerCase().split('*')
  const first = parts[0] ?? ''
  if (parts.length === 1) return text === first
  const last = parts.at(-1) ?? ''
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

/** Whether a route takes an item: every condition holds, and a list that is empty is no condition. */
export function selects(
  selector: Selector,
  item: Pick<SourceItem, 'name' | 'tags' | 'contentType'>,
): boolean {
  const { names, tags, contentTypes } = selector
  if (names.length > 0 && !names.some((pattern) => fits(item.name, pattern))) return false
  if (contentTypes.length > 0 && !contentTypes.some((type) => fits(item.contentType ?? '', type)))
    return false
  return tags.every(([key, value]) =>
    item.tags.some(([k, v]) => k.toLowerCase() === key.toLowerCase() && (value === '*' || v === value)),
  )
}
