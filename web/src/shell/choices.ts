/** One line of the command palette. */
export interface Choice {
  readonly name: string
  readonly hint: string
  readonly group: string
  /** Other words it is found by. */
  readonly words?: string
  readonly run: () => void
}

/** How well a text is found in a name: 3 at its start, 2 at a word's start, 1 anywhere in name or words, else 0. */
export function rank(choice: Pick<Choice, 'name' | 'words'>, text: string): number {
  const wanted = text.toLowerCase()
  const name = choice.name.toLowerCase()
  if (name.startsWith(wanted)) return 3
  if (name.split(/[\s-]+/).some((word) => word.startsWith(wanted))) return 2
  return name.includes(wanted) || (choice.words ?? '').toLowerCase().includes(wanted) ? 1 : 0
}

/** The choices that match, groups kept together in their first order, the best of a group first. */
export function match(choices: readonly Choice[], text: string): readonly Choice[] {
  if (text === '') return choices
  const groups = [...new Set(choices.map((c) => c.group))]
  return choices
    .map((choice, i) => ({ choice, i, rank: rank(choice, text) }))
    .filter((found) => found.rank > 0)
    .sort(
      (a, b) =>
        groups.indexOf(a.choice.group) - groups.indexOf(b.choice.group) || b.rank - a.rank || a.i - b.i,
    )
    .map((found) => found.choice)
}
