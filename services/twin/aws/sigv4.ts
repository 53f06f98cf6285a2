import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** What an `Authorization: AWS4-HMAC-SHA256 …` header says. */
export interface Signature {
  readonly accessKey: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

export interface SignedRequest {
  readonly method: string
  readonly url: URL
  /** The host that the caller signed for. */
  readonly host: string
  readonly headers: Headers
  readonly body: Uint8Array
}

/** @returns undefined when the header is not a whole Signature Version 4 */
export function readSignature(authorization: string): Signature | undefined {
  const fields = new Map(
    authorization
      .replace(/^AWS4-HMAC-SHA256\s+/, '')
      .split(',')
      .map((field) => {
        const [name = '', ...value] = field.trim().split('=')
        return [name, value.join('=')]
      }),
  )
  const scope = (fields.get('Credential') ?? '').split('/')
  const [accessKey, date, region, service, end] = scope
  const signature = fields.get('Signature')
  const signedHeaders = fields.get('SignedHeaders')
  if (!authorization.startsWith('AWS4-HMAC-SHA256 ') || scope.length !== 5 || end !== 'aws4_request') return
  if (!accessKey || !date || !region || !service || !signature || !signedHeaders) return
  return { accessKey, date, region, service, signedHeaders: signedHeaders.split(';'), signature }
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Uint8Array, text: string) => createHmac('sha256', key).update(text).digest()
const encode = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

function canonical({ method, url, host, headers, body }: SignedRequest, signed: readonly string[]): string {
  const path = url.pathname.split('/').map(encode).join('/')
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
  const lines = signed.map((name) => {
    const value = name === 'host' ? host : (headers.get(name) ?? '')
    return `${name}:${value.trim().replaceAll(/\s+/g, ' ')}\n`
  })
  return [method, path, query, lines.join(''), signed.join(';'), sha256(body)].join('\n')
}

/**
 * Whether the request bears the signature that its claimed owner's key makes of it. The body's hash is computed here,
 * never taken from `x-amz-content-sha256`.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function isSignedWith(secret: string, request: SignedRequest, signature: Signature): boolean {
  const { date, region, service, signedHeaders } = signature
  const scope = `${date}/${region}/${service}/aws4_request`
  const text = [
    'AWS4-HMAC-SHA256',
    request.headers.get('x-amz-date') ?? '',
    scope,
    sha256(canonical(request, signedHeaders)),
  ].join('\n')
  const key = [date, region, service, 'aws4_request'].reduce<string | Uint8Array>(hmac, `AWS4${secret}`)
  const expected = hmac(key, text)
  const given = Buffer.from(signature.signature, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** `20261126T033000Z` in milliseconds since the epoch; NaN where it is not such a time. */
export const instantOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

/** The same the other way round. */
export const signingTime = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
