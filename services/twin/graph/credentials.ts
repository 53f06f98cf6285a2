import { X509Certificate } from 'node:crypto'
import { decodeProtectedHeader, importX509, jwtVerify } from 'jose'
import type {
  AppManagementPolicy,
  Application,
  KeyCredential,
  PasswordCredential,
  ServicePrincipal,
} from '../estate/estate.ts'
import { bodyOf, json, type Call, type Cloud } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import type { GraphAccess } from './access.ts'
import { keyCredential, passwordCredential } from './objects.ts'
import type { GraphApp } from './routes.ts'

/** addPassword without an end date gives two years. */
const defaultLifetimeSeconds = 2 * 365 * 86_400
const daySeconds = 86_400
/** Graph refuses names longer than this. */
const longestName = 90

const invalid = (property: string, type: string) =>
  new Refusal(
    400,
    'Request_BadRequest',
    `Invalid value specified for property '${property}' of resource '${type}'.`,
  )

function instant(value: unknown, fallback: number, property: string): number {
  if (value === undefined || value === null) return fallback
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(at)) throw invalid(property, 'PasswordCredential')
  return Math.floor(at / 1000)
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}

/** What the directory's policy says to a new credential that lives from one second to another. */
function checkPolicy(policy: AppManagementPolicy, kind: 'password' | 'key', from: number, to: number) {
  if (!policy.enabled) return
  if (kind === 'password' && !policy.passwordAddition)
    throw new Refusal(
      400,
      'CredentialTypeNotAllowedAsPerAppPolicy',
      "Credential type not allowed as per assigned policy 'Default app management tenant policy'.",
    )
  const most = kind === 'password' ? policy.maxPasswordDays : policy.maxKeyDays
  if (most !== null && to - from > most * daySeconds)
    throw new Refusal(
      400,
      'CredentialInvalidLifetimeAsPerAppPolicy',
      "Credential lifetime exceeds the max value allowed as per assigned policy 'Default app management tenant policy'.",
    )
}

/**
 * Password and key credentials of applications and of service principals.
 * @see https://learn.microsoft.com/graph/api/application-addpassword
 * @see https://learn.microsoft.com/graph/api/application-addkey
 */
export function credentialRoutes(app: GraphApp, cloud: Cloud, access: GraphAccess) {
  const { estate, clock } = cloud
  const { operation, newId, admitChange, applicationOf, principalOf } = access
  const now = () => Math.floor(clock.now() / 1000)

  /** The proof that the caller holds a key which the object already has: a JWT signed with it, ten minutes old at most. */
  async function checkProof(target: Application | ServicePrincipal, proof: unknown) {
    const refused = new Refusal(
      401,
      'Authentication_MissingOrMalformed',
      'Access Token missing or malformed: the proof of possession is not signed by a valid key of this object.',
    )
    if (typeof proof !== 'string') throw refused
    try {
      const { x5t } = decodeProtectedHeader(proof)
      const thumbprint = Buffer.from(x5t ?? '', 'base64url')
        .toString('hex')
        .toUpperCase()
      const held = target.keys.find((key) => key.thumbprint === thumbprint && key.endsAt > now())
      if (held?.certificate === undefined) throw refused
      const pem = new X509Certificate(Buffer.from(held.certificate, 'base64')).toString()
      await jwtVerify(proof, await importX509(pem, 'RS256'), {
        issuer: target.id,
        audience: '00000002-0000-0000-c000-000000000000',
        currentDate: new Date(clock.now()),
        maxTokenAge: 600,
      })
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw refused
    }
  }

  const find = { applications: applicationOf, servicePrincipals: principalOf } as const

  for (const set of ['applications', 'servicePrincipals'] as const) {
    const name = set === 'applications' ? 'applications' : 'service-principals'
    const admitted = (call: Call): Promise<Application | ServicePrincipal> =>
      admitChange<Application | ServicePrincipal>(call, () => find[set](call))

    app.post(
      `/v1.0/${set}/:id/addPassword`,
      operation(
        `${name}.add-password`,
        async (call) => {
          const target = await admitted(call)
          const given = record((await bodyOf(call)).passwordCredential)
          const startsAt = instant(given.startDateTime, now(), 'startDateTime')
          const endsAt = instant(given.endDateTime, startsAt + defaultLifetimeSeconds, 'endDateTime')
          if (endsAt <= startsAt || endsAt <= now())
            throw new Refusal(400, 'Request_BadRequest', 'Key credential end date is invalid.')
          if (typeof given.displayName === 'string' && given.displayName.length > longestName)
            throw invalid('displayName', 'PasswordCredential')
          checkPolicy(estate.appManagementPolicy, 'password', startsAt, endsAt)
          const credential: PasswordCredential = {
            keyId: newId(),
            name: typeof given.displayName === 'string' ? given.displayName : null,
            secret: `canary-${cloud.randomHex(16)}`,
            startsAt,
            endsAt,
            usableFrom: (clock.now() + cloud.settings.credentialReplicationMs) / 1000,
          }
          target.passwords.push(credential)
          return json({
            '@odata.context': `https://${call.host}/v1.0/$metadata#microsoft.graph.passwordCredential`,
            ...passwordCredential(credential),
            secretText: credential.secret,
          })
        },
        { mutates: true },
      ),
    )
    app.post(
      `/v1.0/${set}/:id/removePassword`,
      operation(
        `${name}.remove-password`,
        async (call) => {
          const target = await admitted(call)
          const { keyId } = await bodyOf(call)
          const at = target.passwords.findIndex((credential) => credential.keyId === keyId)
          if (at === -1)
            throw new Refusal(
              400,
              'Request_BadRequest',
              `No password credential found with keyId '${String(keyId)}'.`,
            )
          target.passwords.splice(at, 1)
          return new Response(null, { status: 204 })
        },
        { mutates: true },
      ),
    )
    app.post(
      `/v1.0/${set}/:id/addKey`,
      operation(
        `${name}.add-key`,
        async (call) => {
          const target = await admitted(call)
          const body = await bodyOf(call)
          await checkProof(target, body.proof)
          const given = record(body.keyCredential)
          if (
            given.type !== 'AsymmetricX509Cert' ||
            given.usage !== 'Verify' ||
            typeof given.key !== 'string'
          )
            throw invalid('keyCredential', 'KeyCredential')
          let certificate: X509Certificate
          try {
            certificate = new X509Certificate(Buffer.from(given.key, 'base64'))
          } catch {
            throw invalid('key', 'KeyCredential')
          }
          const startsAt = Math.floor(Date.parse(certificate.validFrom) / 1000)
          const endsAt = Math.floor(Date.parse(certificate.validTo) / 1000)
          checkPolicy(estate.appManagementPolicy, 'key', startsAt, endsAt)
          const credential: KeyCredential = {
            keyId: newId(),
            name: typeof given.displayName === 'string' ? given.displayName : certificate.subject,
            thumbprint: certificate.fingerprint.replaceAll(':', ''),
            certificate: given.key,
            startsAt,
            endsAt,
          }
          target.keys.push(credential)
          return json({
            '@odata.context': `https://${call.host}/v1.0/$metadata#microsoft.graph.keyCredential`,
            ...keyCredential(credential),
          })
        },
        { mutates: true },
      ),
    )
    app.post(
      `/v1.0/${set}/:id/removeKey`,
      operation(
        `${name}.remove-key`,
        async (call) => {
          const target = await admitted(call)
          const { keyId, proof } = await bodyOf(call)
          await checkProof(target, proof)
          const at = target.keys.findIndex((credential) => credential.keyId === keyId)
          if (at === -1)
            throw new Refusal(
              400,
              'Request_BadRequest',
              `No key credential found with keyId '${String(keyId)}'.`,
            )
          target.keys.splice(at, 1)
          return new Response(null, { status: 204 })
        },
        { mutates: true },
      ),
    )
  }
}
