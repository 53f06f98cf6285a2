/** Fields that name an id which must stand in the same document. */
const REFERENCES: ReadonlySet<string> = new Set([
  'actor-uuid',
  'observation-uuid',
  'subject-uuid',
  'component-uuid',
  'target-id',
])

/**
 * The first reference of an OSCAL document that leads nowhere in it, or null. The JSON Schema cannot tell. References to
 * controls must name one that is reviewed; an `href` that begins with `#` must name a resource.
 */
export function danglingReference(document: unknown): string | null {
  const defined = new Set<string>()
  const reviewed = new Set<string>()
  const wanted: string[] = []
  const controls: string[] = []
  const visit = (node: unknown, inReview: boolean): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item, inReview)
      return
    }
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (typeof value === 'string') {
        if (key === 'uuid' || key === 'id') defined.add(value)
        else if (REFERENCES.has(key)) wanted.push(value)
        else if (key === 'href' && value.startsWith('#')) wanted.push(value.slice(1))
        else if (key === 'control-id') {
          if (inReview) reviewed.add(value)
          else controls.push(value)
        }
      } else visit(value, inReview || key === 'reviewed-controls')
    }
  }
  visit(document, false)
  return wanted.find((id) => !defined.has(id)) ?? controls.find((id) => !reviewed.has(id)) ?? null
}
