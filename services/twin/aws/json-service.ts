import * as z from 'zod'
import { type Call, type Cloud, operations, type Plane, type TwinContext } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import type { LimitName } from '../throttle.ts'
import type { AwsAccount } from './account.ts'
import type { AwsCaller, AwsCredentials, SignatureFault } from './caller.ts'
import { evaluate } from './policy.ts'

/** The codes of the JSON services, all with status 400. */
const codes: Record<SignatureFault, string> = {
  missing: 'MissingAuthenticationTokenException',
  incomplete: 'IncompleteSignatureException',
  'unknown-key': 'UnrecognizedClientException',
  expired: 'ExpiredTokenException',
  mismatch: 'InvalidSignatureException',
  skewed: 'InvalidSignatureException',
}

/** A verified request to a JSON service. */
export interface AwsRequest {
  readonly caller: AwsCaller
  readonly account: AwsAccount
  readonly region: string
  /** Seconds since the epoch. */
  readonly now: number
  /** @throws Refusal AccessDeniedException unless the caller's policies allow the action on the resource */
  allow(action: string, resource: string, context?: Record<string, string | readonly string[]>): void
  /** @throws Refusal ThrottlingException when the account's bucket is empty */
  throttle(limit: LimitName): void
}

export interface Action<S extends z.ZodType = z.ZodType> {
  readonly input: S
  readonly mutates: boolean
  readonly run: (input: z.infer<S>, request: AwsRequest) => object
}

/** One action: its input's shape, and what it does. Members that the twin does not know are refused, not ignored. */
export const action = <S extends z.ZodType>(
  input: S,
  run: (input: z.infer<S>, request: AwsRequest) => object,
): Action<S> => ({ input, mutates: false, run })
export const change = <S extends z.ZodType>(
  input: S,
  run: (input: z.infer<S>, request: AwsRequest) => object,
): Action<S> => ({ input, mutates: true, run })

export interface JsonService {
  /** `secretsmanager`: how operations are counted, and the service of the credential's scope. */
  readonly name: string
  /** What stands before the action in `X-Amz-Target`. */
  readonly target: string
  /** The code for input of the wrong shape. */
  readonly invalid: string
  readonly actions: Readonly<Record<string, Action>>
}

export const requestHeaders = (cloud: Cloud): Record<string, string> => ({
  'x-amzn-requestid': cloud.randomHex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  // The SDKs set their clock by this one when a signature is refused for its date.
  date: new Date(cloud.clock.now()).toUTCString(),
})

/** Says no in a service's shape. */
export const awsRefusal = (code: string, message: string, status: Refusal['status'] = 400): Refusal =>
  new Refusal(status, code, message)

/**
 * A service of the AWS JSON 1.1 protocol: every action is a POST to `/` named by its target header.
 * @see https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export function jsonService(cloud: Cloud, credentials: AwsCredentials, service: JsonService) {
  const headers = () => ({ ...requestHeaders(cloud), 'content-type': 'application/x-amz-json-1.1' })
  const plane: Plane = {
    name: `aws.${service.name}`,
    render: (refusal) =>
      new Response(JSON.stringify({ __type: refusal.code, message: refusal.message }), {
        status: refusal.status,
        headers: { ...headers(), ...refusal.headers },
      }),
    throttled: (retry) =>
      new Refusal(400, 'ThrottlingException', 'Rate exceeded', {
        headers: retry === undefined ? {} : { 'retry-after': String(retry) },
      }),
  }
  const operation = operations(cloud, plane)

  async function enter(call: Call): Promise<{ text: string; request: AwsRequest }> {
    const { raw } = call.context.req
    const body = new Uint8Array(await call.context.req.arrayBuffer())
    const checked = credentials.check(
      { method: raw.method, url: call.url, host: call.host, headers: raw.headers, body },
      service.name,
      call.tokenExpired,
    )
    if ('fault' in checked) throw awsRefusal(codes[checked.fault], checked.text)
    const { caller, region } = checked
    const { account } = caller
    const request: AwsRequest = {
      caller,
      account,
      region,
      now: cloud.clock.now() / 1000,
      allow(name, resource, context = {}) {
        const verdict = evaluate(caller.policies, { action: name, resource, context })
        if (verdict === 'allowed') return
        const why =
          verdict === 'denied'
            ? 'with an explicit deny in an identity-based policy'
            : `because no identity-based policy allows the ${name} action`
        throw awsRefusal(
          'AccessDeniedException',
          `User: ${caller.arn} is not authorized to perform: ${name} on resource: ${resource} ${why}`,
        )
      },
      throttle(limit) {
        if (cloud.throttle.take(limit, `${account.id} ${region}`) !== undefined)
          throw awsRefusal('ThrottlingException', 'Rate exceeded')
      },
    }
    return { text: new TextDecoder().decode(body), request }
  }

  const handlers = new Map(
    Object.entries(service.actions).map(([name, { input, mutates, run }]) => [
      `${service.target}.${name}`,
      operation(
        name,
        async (call) => {
          const { text, request } = await enter(call)
          let parsed: unknown
          try {
            parsed = text === '' ? {} : JSON.parse(text)
          } catch {
            throw awsRefusal('SerializationException', 'The body is not JSON.')
          }
          const read = input.safeParse(parsed)
          if (!read.success) {
            const [issue] = read.error.issues
            throw awsRefusal(
              service.invalid,
              `1 validation error detected: Value at '${issue?.path.join('.') ?? ''}' failed to satisfy constraint: ${issue?.message ?? 'unknown'}`,
            )
          }
          return new Response(JSON.stringify(run(read.data, request)), { headers: headers() })
        },
        { mutates },
      ),
    ]),
  )
  const unknown = operation('unknown', (call) => {
    throw awsRefusal(
      'UnknownOperationException',
      `${call.context.req.header('x-amz-target') ?? 'No operation'} is not an operation of this service.`,
    )
  })
  return (context: TwinContext): Promise<Response> =>
    (handlers.get(context.req.header('x-amz-target') ?? '') ?? unknown)(context)
}

/** Tags as the JSON services write them. */
export const tagList = z.array(
  z.strictObject({
    Key: z.string().min(1).max(128),
    Value: z.string().max(256).default(''),
  }),
)
export const tagKeys = z.array(z.string().min(1).max(128))
export const asTags = (list: z.infer<typeof tagList>): Record<string, string> =>
  Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]))
export const asTagList = (tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))

/** Condition keys of a request that names tags. */
export const requestTags = (tags: Readonly<Record<string, string>>): Record<string, string | string[]> => ({
  ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  ...(Object.keys(tags).length > 0 ? { 'aws:TagKeys': Object.keys(tags) } : {}),
})
/** Condition keys of a resource that bears tags, under the general name and the service's own. */
export const resourceTags = (
  service: string,
  tags: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tags).flatMap(([key, value]) => [
      [`aws:ResourceTag/${key}`, value],
      [`${service}:ResourceTag/${key}`, value],
    ]),
  )

/** A page's place in its list, opaque to the caller. */
export const pageToken = (offset: number): string => Buffer.from(`at ${offset}`).toString('base64url')
/** @returns undefined when the token is none of ours */
export function offsetOf(token: string | undefined): number | undefined {
  if (token === undefined) return 0
  const offset = /^at (\d+)$/.exec(Buffer.from(token, 'base64url').toString())?.[1]
  return offset === undefined ? undefined : Number(offset)
}
