import { type Capabilities, isMarkTag, type Mark, markTags, type Metadata } from './target.ts'

/*
 * Tags as all services of AWS take them.
 * @see https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
 */

/** Fifty an object, six of them the mark's. */
export const AWS_TAGS: Capabilities['tags'] = {
  most: 44,
  key: /^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/iu,
  value: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u,
  says: 'be at most 44, of letters, digits, spaces and _ . : / = + - @, and not begin with aws:',
}

/** The mark's tags, and of what is carried what the service takes. */
export const tagList = (
  mark: Mark,
  { tags }: Metadata,
  { key, value }: Capabilities['tags'],
): { Key: string; Value: string }[] =>
  [
    ...tags.filter(([name, text]) => !isMarkTag(name) && key.test(name) && value.test(text)),
    ...markTags(mark),
  ].map(([Key, Value]) => ({ Key, Value }))

/** Tags of an answer by name. */
export const tagsOf = (
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined,
): Record<string, string | undefined> =>
  Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key ?? '', Value]))
