/**
 * The cloud says no. Each plane renders it in its own shape; handlers only say what and why.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 429 | 500 | 502 | 503 | 504
  readonly code: string
  /** Key Vault's inner error code, such as ForbiddenByRbac. */
  readonly inner: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: Refusal['status'],
    code: string,
    message: string,
    { inner, headers = {} }: { inner?: string; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.inner = inner
    this.headers = headers
  }
}
