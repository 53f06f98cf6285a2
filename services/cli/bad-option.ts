/** What was asked for cannot be done as it was asked. */
export class BadOption extends Error {
  override readonly name = 'BadOption'
}
