import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Cloud } from '../operation.ts'
import { type AwsAccount, type AwsRole, type PolicyDocument, roleArn } from './account.ts'
import { instantOf, isSignedWith, readSignature, type SignedRequest, signingTime } from './sigv4.ts'

/** Who signed a request. */
export interface AwsCaller {
  readonly account: AwsAccount
  readonly arn: string
  readonly userId: string
  readonly policies: readonly PolicyDocument[]
  /** The names by which a trust policy may mean this caller. */
  readonly principals: readonly string[]
}

/** Why a request is nobody's; each service has its own codes for these. */
export type SignatureFault = 'missing' | 'incomplete' | 'unknown-key' | 'expired' | 'mismatch' | 'skewed'
export interface Unsigned {
  readonly fault: SignatureFault
  readonly text: string
}

export interface Session {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly arn: string
  readonly userId: string
}

/** A signature is good for so long before and after its date. */
const toleranceMs = 300_000
const mismatch =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
const unknownKey = 'The security token included in the request is invalid.'

interface Ticket {
  readonly account: string
  readonly role: string
  readonly session: string
  readonly key: string
  readonly expiresAt: number
}

/**
 * Credentials of the twin's accounts: users' long-lived keys, and sessions of roles. A session's token carries all
 * that the twin must know about it under a MAC, so sessions outlive a restart and nothing is kept.
 */
export function awsCredentials(cloud: Cloud) {
  const macKey = createHmac('sha256', 'aws sessions')
    .update(cloud.tokens.signingKey.d ?? '')
    .digest()
  const mac = (text: string) => createHmac('sha256', macKey).update(text).digest()
  const accounts = cloud.estate.aws
  const uniqueId = (prefix: string, text: string) =>
    `${prefix}${mac(`id ${text}`).toString('hex').slice(0, 17).toUpperCase()}`

  function sessionCaller(account: AwsAccount, role: AwsRole, session: string): AwsCaller {
    return {
      account,
      arn: `arn:aws:sts::${account.id}:assumed-role/${role.name}/${session}`,
      userId: `${uniqueId('AROA', role.name)}:${session}`,
      policies: role.policies,
      principals: [roleArn(account.id, role.name), `arn:aws:iam::${account.id}:root`, account.id],
    }
  }

  function assume(account: AwsAccount, role: AwsRole, session: string, seconds: number): Session {
    const expiresAt = cloud.clock.now() + seconds * 1000
    const key = `ASIA${cloud.randomHex(8).toUpperCase()}`
    const ticket: Ticket = { account: account.id, role: role.name, session, key, expiresAt }
    const text = Buffer.from(JSON.stringify(ticket)).toString('base64url')
    const { arn, userId } = sessionCaller(account, role, session)
    return {
      accessKeyId: key,
      secretAccessKey: mac(`secret ${text}`).toString('base64'),
      sessionToken: `${text}.${mac(text).toString('base64url')}`,
      expiresAt,
      arn,
      userId,
    }
  }

  /** The key's owner and secret, or why it is nobody's. */
  function owner(accessKey: string, token: string | null): { caller: AwsCaller; secret: string } | Unsigned {
    if (token === null) {
      for (const account of accounts)
        for (const user of account.users)
          for (const { id, secret, active } of user.accessKeys)
            if (id === accessKey && active)
              return {
                secret,
                caller: {
                  account,
                  arn: `arn:aws:iam::${account.id}:user/${user.name}`,
                  userId: uniqueId('AIDA', user.name),
                  policies: user.policies,
                  principals: [
                    `arn:aws:iam::${account.id}:user/${user.name}`,
                    `arn:aws:iam::${account.id}:root`,
                    account.id,
                  ],
                },
              }
      return { fault: 'unknown-key', text: unknownKey }
    }
    const [text = '', given = ''] = token.split('.')
    const expected = mac(text)
    const presented = Buffer.from(given, 'base64url')
    if (presented.length !== expected.length || !timingSafeEqual(presented, expected))
      return { fault: 'unknown-key', text: unknownKey }
    // Our own text under our own MAC.
    const ticket = JSON.parse(Buffer.from(text, 'base64url').toString()) as Ticket
    const account = accounts.find(({ id }) => id === ticket.account)
    const role = account?.roles.find(({ name }) => name === ticket.role)
    if (account === undefined || role === undefined || ticket.key !== accessKey)
      return { fault: 'unknown-key', text: unknownKey }
    if (ticket.expiresAt <= cloud.clock.now())
      return { fault: 'expired', text: 'The security token included in the request is expired' }
    return {
      caller: sessionCaller(account, role, ticket.session),
      secret: mac(`secret ${text}`).toString('base64'),
    }
  }

  /**
   * Who signed a request for a service, at most five minutes from now.
   * @param service the name that stands in the credential's scope, such as `secretsmanager`
   */
  function check(
    request: SignedRequest,
    service: string,
    expired: boolean,
  ): { caller: AwsCaller; region: string } | Unsigned {
    const authorization = request.headers.get('authorization')
    if (authorization === null) return { fault: 'missing', text: 'Missing Authentication Token' }
    const signature = readSignature(authorization)
    const date = request.headers.get('x-amz-date') ?? ''
    if (signature === undefined || Number.isNaN(instantOf(date)))
      return {
        fault: 'incomplete',
        text: "Authorization header requires 'Credential' parameter, 'Signature' parameter, 'SignedHeaders' parameter and an 'X-Amz-Date' header.",
      }
    if (signature.service !== service)
      return { fault: 'mismatch', text: `Credential should be scoped to correct service: '${service}'.` }
    if (!signature.signedHeaders.includes('host') || !date.startsWith(signature.date))
      return { fault: 'mismatch', text: mismatch }
    const found = owner(signature.accessKey, request.headers.get('x-amz-security-token'))
    if ('fault' in found) return found
    const now = cloud.clock.now()
    const skew = instantOf(date) - now
    const server = signingTime(now)
    if (skew > toleranceMs)
      return {
        fault: 'skewed',
        text: `Signature not yet current: ${date} is still later than ${signingTime(now + toleranceMs)} (${server} + 5 min.)`,
      }
    if (skew < -toleranceMs)
      return {
        fault: 'skewed',
        text: `Signature expired: ${date} is now earlier than ${signingTime(now - toleranceMs)} (${server} - 5 min.)`,
      }
    if (!isSignedWith(found.secret, request, signature)) return { fault: 'mismatch', text: mismatch }
    if (expired) return { fault: 'expired', text: 'The security token included in the request is expired' }
    return { caller: found.caller, region: signature.region }
  }

  return { assume, check }
}

export type AwsCredentials = ReturnType<typeof awsCredentials>
