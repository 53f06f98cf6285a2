import {
  type Certificate,
  type CertificatePolicy,
  type CertificateVersion,
  type Vault,
  vaultHost,
} from '../estate/estate.ts'
import { bodyOf, type Cloud, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import {
  applyAttributes,
  attributes,
  byName,
  enter,
  listQuery,
  live,
  nameOf,
  newest,
  notFound,
  page,
  refuseDeletedName,
  tagsIn,
  tagsOf,
  vaultOf,
  versionOf,
} from './access.ts'
import {
  certificateOperationRoutes,
  newSeed,
  pendingBody,
  settle,
  statusOf,
} from './certificate-operations.ts'
import { deletedRoutes } from './deleted.ts'
import { shapeFrom } from './key-request.ts'
import type { KeyVaultApp, KeyVaultOperation } from './routes.ts'
import { x509 } from './x509.ts'

const read = { action: 'certificates/read', permission: 'list', collection: 'certificates' } as const

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}

const textOr = (value: unknown, fallback: string): string => (typeof value === 'string' ? value : fallback)

function policyFrom(given: Record<string, unknown>, vault: Vault, now: number): CertificatePolicy {
  const keyProps = record(given.key_props)
  const x509Props = record(given.x509_props)
  const issuer = record(given.issuer).name
  const names = record(x509Props.sans).dns_names
  const dnsNames = Array.isArray(names) ? names.map(String) : []
  const subject = x509Props.subject
  if (typeof issuer !== 'string')
    throw new Refusal(400, 'BadParameter', "Property 'policy.issuer.name' must be given.")
  if (typeof subject !== 'string' && dnsNames.length === 0)
    throw new Refusal(400, 'BadParameter', 'A subject or a subject alternative name must be given.')
  const first = record(Array.isArray(given.lifetime_actions) ? given.lifetime_actions[0] : undefined)
  const trigger = record(first.trigger)
  const days = trigger.days_before_expiry
  const percentage = trigger.lifetime_percentage
  return {
    subject: typeof subject === 'string' ? subject : `CN=${dnsNames[0]}`,
    dnsNames,
    issuer,
    validityMonths: typeof x509Props.validity_months === 'number' ? x509Props.validity_months : 12,
    exportable: keyProps.exportable !== false,
    reuseKey: keyProps.reuse_key === true,
    contentType: textOr(record(given.secret_props).contentType, 'application/x-pkcs12'),
    shape: shapeFrom({ kty: 'RSA', ...keyProps }, vault.sku),
    lifetimeAction: {
      ...(typeof days === 'number'
        ? { daysBeforeExpiry: days }
        : { percentage: typeof percentage === 'number' ? percentage : 80 }),
      action: textOr(record(first.action).action_type, issuer === 'Unknown' ? 'EmailContacts' : 'AutoRenew'),
    },
    created: now,
    updated: now,
  }
}

/** @see https://learn.microsoft.com/rest/api/keyvault/certificates/operation-groups */
export function certificateRoutes(app: KeyVaultApp, cloud: Cloud, operation: KeyVaultOperation) {
  const now = () => Math.floor(cloud.clock.now() / 1000)
  const base = (vault: Vault) => `https://${vaultHost(vault)}`
  const id = (vault: Vault, item: Certificate, version?: CertificateVersion) =>
    `${base(vault)}/certificates/${item.name}${version === undefined ? '' : `/${version.version}`}`

  function policyBody(vault: Vault, item: Certificate) {
    const { policy } = item
    const { shape } = policy
    return {
      id: `${id(vault, item)}/policy`,
      key_props: {
        exportable: policy.exportable,
        kty: shape.kty,
        ...('curve' in shape ? { crv: shape.curve } : { key_size: shape.bits }),
        reuse_key: policy.reuseKey,
      },
      secret_props: { contentType: policy.contentType },
      x509_props: {
        subject: policy.subject,
        sans: { dns_names: policy.dnsNames },
        ekus: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
        key_usage: ['digitalSignature', 'keyEncipherment'],
        validity_months: policy.validityMonths,
      },
      lifetime_actions: [
        {
          trigger:
            policy.lifetimeAction.daysBeforeExpiry === undefined
              ? { lifetime_percentage: policy.lifetimeAction.percentage }
              : { days_before_expiry: policy.lifetimeAction.daysBeforeExpiry },
          action: { action_type: policy.lifetimeAction.action },
        },
      ],
      issuer: { name: policy.issuer, cert_transparency: false },
      attributes: { enabled: true, created: policy.created, updated: policy.updated },
    }
  }
  const entry = (vault: Vault, item: Certificate, version = newest(item), withVersion = false) => ({
    id: id(vault, item, withVersion ? version : undefined),
    x5t: x509(item, version).thumbprint.toString('base64url'),
    attributes: attributes(vault, version),
    ...tagsOf(version),
    subject: item.policy.subject,
  })
  function bundle(vault: Vault, item: Certificate, version = newest(item), withPolicy = true) {
    const { der, thumbprint } = x509(item, version)
    return {
      id: id(vault, item, version),
      kid: `${base(vault)}/keys/${item.name}/${version.version}`,
      sid: `${base(vault)}/secrets/${item.name}/${version.version}`,
      x5t: thumbprint.toString('base64url'),
      cer: der.toString('base64'),
      attributes: attributes(vault, version),
      ...tagsOf(version),
      ...(withPolicy
        ? {
            policy: policyBody(vault, item),
            ...(item.pending === null ? {} : { pending: { id: `${id(vault, item)}/pending` } }),
          }
        : {}),
    }
  }

  function settled(vault: Vault, name: string): Certificate {
    const item = live(vault.certificates, 'certificates', name)
    settle(cloud, item)
    return item
  }
  function issued(vault: Vault, name: string): Certificate {
    const item = settled(vault, name)
    if (item.versions.length === 0) throw notFound('certificates', name)
    return item
  }
  /** A first certificate that its issuer has not made yet: a disabled version with a policy and no contents. */
  const unissued = (vault: Vault, item: Certificate) => ({
    id: `${id(vault, item)}/${item.pending?.id ?? ''}`,
    attributes: { enabled: false, created: item.policy.created, updated: item.policy.updated },
    policy: policyBody(vault, item),
    pending: { id: `${id(vault, item)}/pending` },
  })

  app.get(
    '/certificates',
    operation(
      'certificates.list',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        await enter(cloud, vault, call, read)
        const all = Object.values(vault.certificates).filter(({ deleted }) => deleted === null)
        all.forEach((item) => settle(cloud, item))
        const shown = byName(all.filter(({ versions }) => versions.length > 0))
        return page(
          call,
          shown,
          ({ name }) => name,
          (item) => entry(vault, item),
        )
      },
      { query: [...listQuery, 'includePending'] },
    ),
  )
  for (const unsupported of ['/certificates/issuers', '/certificates/contacts'])
    app.get(
      unsupported,
      operation('unknown', () => {
        throw new Refusal(404, 'NotFound', `Path '${unsupported}' is not an operation of this vault.`)
      }),
    )
  app.get(
    '/certificates/:name/versions',
    operation(
      'certificates.list-versions',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(cloud, vault, call, read, name)
        const item = issued(vault, name)
        const versions = item.versions.toSorted((a, b) => (a.version < b.version ? -1 : 1))
        return page(
          call,
          versions,
          ({ version }) => version,
          (version) => entry(vault, item, version, true),
        )
      },
      { query: listQuery },
    ),
  )
  app.get(
    '/certificates/:name/policy',
    operation(
      'certificates.get-policy',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(cloud, vault, call, { ...read, permission: 'get' }, name)
        return json(policyBody(vault, settled(vault, name)))
      },
      { query: ['api-version'] },
    ),
  )
  certificateOperationRoutes(app, cloud, operation, { id, bundle, settled })
  app.get(
    '/certificates/:name/:version?',
    operation(
      'certificates.get',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(cloud, vault, call, { ...read, permission: 'get' }, name)
        const item = settled(vault, name)
        if (item.versions.length === 0) return json(unissued(vault, item))
        const named = (call.context.req.param('version') ?? '') !== ''
        return json(bundle(vault, item, versionOf(item, 'certificates', call), !named))
      },
      { query: ['api-version'] },
    ),
  )
  app.post(
    '/certificates/:name/create',
    operation(
      'certificates.create',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          {
            action: 'certificates/create/action',
            permission: 'create',
            collection: 'certificates',
            bucket: 'keyvault.key-create',
          },
          name,
        )
        const existing = vault.certificates[name.toLowerCase()]
        refuseDeletedName(existing, 'certificates', name)
        if (existing !== undefined) settle(cloud, existing)
        const running = existing?.pending
        if (existing !== undefined && running != null && statusOf(cloud, existing, running) === 'inProgress')
          throw new Refusal(
            409,
            'Conflict',
            "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
            { inner: 'CertificateOperationInProgress' },
          )
        const body = await bodyOf(call)
        const given = record(body.policy)
        if (existing === undefined && body.policy === undefined)
          throw new Refusal(400, 'BadParameter', "Property 'policy' must be given for a new certificate.")
        const policy =
          existing !== undefined && body.policy === undefined
            ? existing.policy
            : policyFrom(given, vault, now())
        const item: Certificate = existing ?? { name, deleted: null, versions: [], policy, pending: null }
        item.policy = policy
        item.pending = {
          id: cloud.randomHex(16),
          // What no issuer is named for waits until somebody brings the signed certificate.
          completesAt:
            policy.issuer === 'Unknown' ? null : cloud.clock.now() + cloud.settings.certificateIssuanceMs,
          seed: newSeed(cloud, policy, item.versions.at(-1)),
          failed: cloud.settings.certificateIssuanceFails,
          enabled: record(body.attributes).enabled !== false,
          tags: tagsIn(body) ?? null,
          cancelled: false,
        }
        vault.certificates[name.toLowerCase()] = item
        return json(pendingBody(cloud, id(vault, item), item), 202, {
          location: `${id(vault, item)}/pending?api-version=${call.url.searchParams.get('api-version') ?? ''}&request_id=${item.pending.id}`,
          'retry-after': '10',
        })
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.patch(
    '/certificates/:name/:version?',
    operation(
      'certificates.update',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          { action: 'certificates/update/action', permission: 'update', collection: 'certificates' },
          name,
        )
        const item = issued(vault, name)
        const version = versionOf(item, 'certificates', call)
        applyAttributes(version, await bodyOf(call), now())
        return json(bundle(vault, item, version))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  deletedRoutes(app, cloud, operation, {
    collection: 'certificates',
    items: (vault) => vault.certificates,
    bundle: (vault, item) => bundle(vault, item),
    entry: (vault, item) => entry(vault, item),
  })
}
