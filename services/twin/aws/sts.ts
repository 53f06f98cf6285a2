import { type Cloud, operations, type Plane, type TwinContext } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { type AwsAccount, type AwsRole, providerArn } from './account.ts'
import type { AwsCaller, AwsCredentials, Session, SignatureFault } from './caller.ts'
import { awsRefusal, requestHeaders } from './json-service.ts'
import { evaluate, trusts } from './policy.ts'

/** The codes of the query protocol, all with status 403. */
const codes: Record<SignatureFault, string> = {
  missing: 'MissingAuthenticationToken',
  incomplete: 'IncompleteSignature',
  'unknown-key': 'InvalidClientTokenId',
  expired: 'ExpiredToken',
  mismatch: 'SignatureDoesNotMatch',
  skewed: 'SignatureDoesNotMatch',
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
type Xml = string | { readonly [name: string]: Xml }
const xml = (node: Xml): string =>
  typeof node === 'string'
    ? escaped(node)
    : Object.entries(node)
        .map(([name, inner]) => `<${name}>${xml(inner)}</${name}>`)
        .join('')

/** A role chained from another one lives an hour at most. */
const longestChainedSeconds = 3_600

/**
 * The Security Token Service: who am I, and sessions of roles, where the role's trust policy says so.
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
 */
export function stsService(cloud: Cloud, credentials: AwsCredentials) {
  const headers = () => ({ ...requestHeaders(cloud), 'content-type': 'text/xml' })
  const plane: Plane = {
    name: 'aws.sts',
    render(refusal) {
      const error = {
        Type: refusal.status < 500 ? 'Sender' : 'Receiver',
        Code: refusal.code,
        Message: refusal.message,
      }
      return new Response(
        `<ErrorResponse xmlns="${namespace}">${xml({ Error: error, RequestId: cloud.randomHex(16) })}</ErrorResponse>`,
        { status: refusal.status, headers: { ...headers(), ...refusal.headers } },
      )
    },
    throttled: () => new Refusal(400, 'Throttling', 'Rate exceeded'),
  }
  const operation = operations(cloud, plane)
  const answer = (name: string, result: Xml) =>
    new Response(
      `<${name}Response xmlns="${namespace}">${xml({ [`${name}Result`]: result, ResponseMetadata: { RequestId: cloud.randomHex(16) } })}</${name}Response>`,
      { headers: headers() },
    )
  const invalid = (text: string) => awsRefusal('ValidationError', text)

  function roleOf(form: URLSearchParams): { account: AwsAccount; role: AwsRole } | undefined {
    const [, id, name] = /^arn:aws:iam::(\d{12}):role\/(.+)$/.exec(form.get('RoleArn') ?? '') ?? []
    if (id === undefined) throw invalid(`${form.get('RoleArn') ?? 'null'} is invalid`)
    const account = cloud.estate.aws.find((one) => one.id === id)
    const role = account?.roles.find((one) => one.name === name)
    return account && role && { account, role }
  }
  function secondsOf(form: URLSearchParams, role: AwsRole, longest: number): number {
    const seconds = Number(form.get('DurationSeconds') ?? 3_600)
    if (!Number.isInteger(seconds) || seconds < 900)
      throw invalid(
        `1 validation error detected: Value '${form.get('DurationSeconds')}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900`,
      )
    if (seconds > Math.min(role.maxSessionSeconds, longest))
      throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
    return seconds
  }
  function sessionName(form: URLSearchParams): string {
    const name = form.get('RoleSessionName') ?? ''
    if (!/^[\w+=,.@-]{2,64}$/.test(name))
      throw invalid(
        `1 validation error detected: Value '${name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*`,
      )
    return name
  }
  const credentialsOf = (session: Session): Xml => ({
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: new Date(session.expiresAt).toISOString().replace(/\.\d+/, ''),
    },
    AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
  })

  type Form = URLSearchParams
  const actions: Record<string, (form: Form, caller: () => AwsCaller) => Xml | Promise<Xml>> = {
    GetCallerIdentity(_, caller) {
      const { account, arn, userId } = caller()
      return { Arn: arn, UserId: userId, Account: account.id }
    },
    AssumeRole(form, of) {
      const caller = of()
      const found = roleOf(form)
      const arn = form.get('RoleArn') ?? ''
      const externalId = form.get('ExternalId')
      const asked = {
        action: 'sts:AssumeRole',
        context: externalId === null ? {} : { 'sts:ExternalId': externalId },
      }
      const sameAccount = found?.account === caller.account
      const trusted =
        found !== undefined && trusts(found.role.trust, { aws: [caller.arn, ...caller.principals] }, asked)
      const allowed = evaluate(caller.policies, { ...asked, resource: arn })
      // Within an account the trust policy alone may do; across accounts both sides must agree.
      if (found === undefined || !trusted || allowed === 'denied' || (!sameAccount && allowed !== 'allowed'))
        throw awsRefusal(
          'AccessDenied',
          `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
          403,
        )
      const chained = caller.arn.includes(':assumed-role/')
      const seconds = secondsOf(form, found.role, chained ? longestChainedSeconds : Number.POSITIVE_INFINITY)
      return credentialsOf(credentials.assume(found.account, found.role, sessionName(form), seconds))
    },
    async AssumeRoleWithWebIdentity(form) {
      const found = roleOf(form)
      const claims = await cloud.tokens.assertion(form.get('WebIdentityToken') ?? '')
      if (claims === 'expired')
        throw awsRefusal(
          'ExpiredTokenException',
          'Token expired: current date/time must be before the expiration date/time',
        )
      const refused = awsRefusal(
        'AccessDenied',
        'Not authorized to perform sts:AssumeRoleWithWebIdentity',
        403,
      )
      if (typeof claims === 'string')
        throw awsRefusal(
          'InvalidIdentityToken',
          "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        )
      if (found === undefined) throw refused
      const issuer = String(claims.iss)
      const audience = String(claims.aud)
      const provider = found.account.identityProviders.find(
        ({ url }) => url.replace(/\/$/, '') === issuer.replace(/\/$/, ''),
      )
      if (provider === undefined)
        throw awsRefusal(
          'InvalidIdentityToken',
          'No OpenIDConnect provider found in your account for ' + issuer,
        )
      if (!provider.audiences.includes(audience))
        throw awsRefusal('InvalidIdentityToken', 'Incorrect token audience')
      const key = provider.url.replace(/^https:\/\//, '')
      const trusted = trusts(
        found.role.trust,
        { federated: providerArn(found.account.id, provider.url) },
        {
          action: 'sts:AssumeRoleWithWebIdentity',
          context: { [`${key}:aud`]: audience, [`${key}:sub`]: String(claims.sub) },
        },
      )
      if (!trusted) throw refused
      const seconds = secondsOf(form, found.role, Number.POSITIVE_INFINITY)
      return {
        ...Object(credentialsOf(credentials.assume(found.account, found.role, sessionName(form), seconds))),
        SubjectFromWebIdentityToken: String(claims.sub),
        Audience: audience,
        Provider: provider.url,
      }
    },
  }

  const handlers = new Map(
    Object.entries(actions).map(([name, run]) => [
      name,
      operation(name, async (call) => {
        const body = new Uint8Array(await call.context.req.arrayBuffer())
        const form = new URLSearchParams(new TextDecoder().decode(body))
        if (form.get('Version') !== '2011-06-15')
          throw awsRefusal(
            'InvalidAction',
            `Could not find operation ${name} for version ${form.get('Version') ?? ''}`,
          )
        const caller = () => {
          const { raw } = call.context.req
          const checked = credentials.check(
            { method: raw.method, url: call.url, host: call.host, headers: raw.headers, body },
            'sts',
            call.tokenExpired,
          )
          if ('fault' in checked) throw awsRefusal(codes[checked.fault], checked.text, 403)
          return checked.caller
        }
        return answer(name, await run(form, caller))
      }),
    ]),
  )
  const unknown = operation('unknown', () => {
    throw awsRefusal('InvalidAction', 'Could not find operation for version 2011-06-15')
  })
  return async (context: TwinContext): Promise<Response> => {
    const text = new TextDecoder().decode(await context.req.arrayBuffer())
    return (handlers.get(new URLSearchParams(text).get('Action') ?? '') ?? unknown)(context)
  }
}
