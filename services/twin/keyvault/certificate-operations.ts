import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import type {
  Certificate,
  CertificatePolicy,
  CertificateVersion,
  PendingOperation,
  Vault,
} from '../estate/estate.ts'
import { bodyOf, type Call, type Cloud, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { enter, nameOf, tagsIn, vaultOf } from './access.ts'
import { publicKeyDer } from './key-material.ts'
import type { KeyVaultApp, KeyVaultOperation } from './routes.ts'
import { certificateRequest } from './x509.ts'

const monthSeconds = 30.4375 * 86_400
const read = { action: 'certificates/read', permission: 'get', collection: 'certificates' } as const

export function statusOf(
  cloud: Cloud,
  item: Certificate,
  pending: PendingOperation,
): 'completed' | 'cancelled' | 'failed' | 'inProgress' {
  if (item.versions.some(({ version }) => version === pending.id)) return 'completed'
  if (pending.cancelled) return 'cancelled'
  const due = pending.completesAt !== null && pending.completesAt <= cloud.clock.now()
  return due && pending.failed === true ? 'failed' : 'inProgress'
}

/** Material of a new key. A request that somebody else signs has to be signed by its key, so that key is a real one. */
export function newSeed(
  cloud: Cloud,
  policy: CertificatePolicy,
  previous: CertificateVersion | undefined,
): string {
  if (policy.reuseKey && previous !== undefined) return previous.seed
  if (policy.issuer !== 'Unknown' || 'curve' in policy.shape) return cloud.randomHex(32)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: policy.shape.bits })
  return privateKey.export({ type: 'pkcs8', format: 'pem' })
}

/** The version that an operation ends with. */
function complete(
  cloud: Cloud,
  item: Certificate,
  pending: PendingOperation,
  made: Pick<CertificateVersion, 'created' | 'notBefore' | 'expires' | 'serial' | 'tags'> & {
    merged?: string
  },
) {
  item.versions.push({
    version: pending.id,
    shape: item.policy.shape,
    seed: pending.seed,
    value: `canary-${cloud.randomHex(16)}`,
    enabled: pending.enabled,
    updated: made.created,
    ...made,
  })
  cloud.changed()
}

/** Completes an operation whose time has come; the service does so by itself, here it is done when looked at. */
export function settle(cloud: Cloud, item: Certificate) {
  const { pending, policy } = item
  if (pending === null || pending.cancelled || pending.failed === true) return
  if (pending.completesAt === null || pending.completesAt > cloud.clock.now()) return
  if (item.versions.some(({ version }) => version === pending.id)) return
  const from = Math.floor(pending.completesAt / 1000)
  complete(cloud, item, pending, {
    serial: cloud.randomHex(16).replace(/^./, '1'),
    created: from,
    notBefore: from,
    expires: from + Math.round(policy.validityMonths * monthSeconds),
    tags: pending.tags,
  })
}

export function pendingBody(cloud: Cloud, id: string, item: Certificate) {
  const { pending } = item
  if (pending === null)
    throw new Refusal(404, 'PendingCertificateNotFound', `Pending certificate not found: ${item.name}`)
  const status = statusOf(cloud, item, pending)
  return {
    id: `${id}/pending`,
    issuer: { name: item.policy.issuer, cert_transparency: false },
    // A certificate that signs itself needs no request.
    ...(item.policy.issuer === 'Self'
      ? {}
      : { csr: certificateRequest(item.policy, pending.seed).toString('base64') }),
    cancellation_requested: pending.cancelled,
    status,
    ...(status === 'completed' ? { target: id } : {}),
    ...(status === 'failed'
      ? {
          error: {
            code: 'CertificateRequestFailed',
            message: 'The certificate authority refused the request.',
          },
        }
      : {}),
    ...(status === 'inProgress'
      ? {
          status_details:
            'Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later.',
        }
      : {}),
    request_id: pending.id,
  }
}

interface Shapes {
  readonly id: (vault: Vault, item: Certificate) => string
  readonly bundle: (vault: Vault, item: Certificate, version?: CertificateVersion) => unknown
  /** The named certificate, what is due completed. */
  readonly settled: (vault: Vault, name: string) => Certificate
}

/**
 * The operation that makes a certificate: looked at, cancelled, deleted, and ended by merging what an authority signed.
 * @see https://learn.microsoft.com/azure/key-vault/certificates/create-certificate-scenarios
 */
export function certificateOperationRoutes(
  app: KeyVaultApp,
  cloud: Cloud,
  operation: KeyVaultOperation,
  { id, bundle, settled }: Shapes,
) {
  const admitted = async (call: Call, action: string, permission: string) => {
    const vault = vaultOf(cloud, call.host)
    const name = nameOf(call)
    await enter(
      cloud,
      vault,
      call,
      { action: `certificates/${action}`, permission, collection: 'certificates' },
      name,
    )
    return { vault, item: settled(vault, name) }
  }

  app.get(
    '/certificates/:name/pending',
    operation(
      'certificates.get-operation',
      async (call) => {
        const { vault, item } = await admitted(call, 'read', read.permission)
        return json(pendingBody(cloud, id(vault, item), item))
      },
      { query: ['api-version', 'request_id'] },
    ),
  )
  app.patch(
    '/certificates/:name/pending',
    operation(
      'certificates.cancel',
      async (call) => {
        const { vault, item } = await admitted(call, 'update/action', 'update')
        const { cancellation_requested: cancel } = await bodyOf(call)
        if (item.pending !== null && cancel === true) item.pending.cancelled = true
        return json(pendingBody(cloud, id(vault, item), item))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.delete(
    '/certificates/:name/pending',
    operation(
      'certificates.delete-operation',
      async (call) => {
        const { vault, item } = await admitted(call, 'update/action', 'update')
        const body = pendingBody(cloud, id(vault, item), item)
        item.pending = null
        return json(body)
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.post(
    '/certificates/:name/pending/merge',
    operation(
      'certificates.merge',
      async (call) => {
        const { vault, item } = await admitted(call, 'create/action', 'create')
        const { pending } = item
        if (pending === null)
          throw new Refusal(404, 'PendingCertificateNotFound', `Pending certificate not found: ${item.name}`)
        if (statusOf(cloud, item, pending) !== 'inProgress')
          throw new Refusal(409, 'Conflict', 'The pending certificate has ended already.')
        const body = await bodyOf(call)
        const chain: unknown[] = Array.isArray(body.x5c) ? body.x5c : []
        const leaf = chain[0]
        if (typeof leaf !== 'string')
          throw new Refusal(400, 'BadParameter', "Property 'x5c' must hold at least one certificate.")
        let certificate: X509Certificate
        try {
          certificate = new X509Certificate(Buffer.from(leaf, 'base64'))
        } catch {
          throw new Refusal(400, 'BadParameter', 'Property x5c has invalid content.')
        }
        const ours = publicKeyDer(item.policy.shape, pending.seed)
        if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(ours))
          throw new Refusal(
            400,
            'BadParameter',
            'The public key of the end-entity certificate in the specified x5c does not match the pending key.',
          )
        complete(cloud, item, pending, {
          serial: certificate.serialNumber.toLowerCase(),
          created: Math.floor(cloud.clock.now() / 1000),
          notBefore: Math.floor(Date.parse(certificate.validFrom) / 1000),
          expires: Math.floor(Date.parse(certificate.validTo) / 1000),
          tags: tagsIn(body) ?? pending.tags,
          merged: leaf,
        })
        return json(bundle(vault, item, item.versions.at(-1)), 201)
      },
      { query: ['api-version'], mutates: true },
    ),
  )
}
