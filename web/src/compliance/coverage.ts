/** What a control's evidence is worth. Never "compliant": that is an auditor's word. */
export const COVERAGE = {
  direct: { word: 'Direct evidence', says: 'The rules test what the control asks for.' },
  supporting: {
    word: 'Supporting evidence',
    says: 'The rules test a part; the rest needs evidence from elsewhere.',
  },
  customer: { word: 'Yours to show', says: 'Nothing that a scan sees can show it.' },
} as const

/** The name a control goes by: the published standard's number where it is known, else the product's own. */
export const controlName = (
  control: { readonly control: string; readonly published: readonly string[] },
  ids: 'published' | 'product',
): string =>
  ids === 'published' && control.published.length > 0 ? control.published.join(', ') : control.control
