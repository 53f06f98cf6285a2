import {
  type Certificate,
  type CertificateVersion,
  type Secret,
  type SecretVersion,
  type Vault,
  vaultHost,
} from '../estate/estate.ts'
import { bodyOf, type Call, type Cloud, json } from '../operation.ts'
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
  page,
  refuseDeletedName,
  tagsOf,
  vaultOf,
  versionOf,
} from './access.ts'
import { certificateSecret } from './certificate-secret.ts'
import { deletedRoutes } from './deleted.ts'
import type { KeyVaultApp, KeyVaultOperation } from './routes.ts'

/** The largest value Key Vault takes, in bytes. */
const largestValue = 25_600

const metadata = { action: 'secrets/readMetadata/action', permission: 'list', collection: 'secrets' } as const

/**
 * The secret that stands behind a certificate: listed among the secrets as `managed`, never stored twice.
 * Its value is the certificate's bundle.
 */
function backing(certificate: Certificate): Secret & { managed: true } {
  return {
    name: certificate.name,
    deleted: certificate.deleted,
    managed: true,
    versions: certificate.versions.map((version: CertificateVersion) => ({
      ...version,
      contentType: certificate.policy.contentType,
    })),
  }
}

type Listed = Secret & { managed?: true }
const managedMark = (secret: Listed) => (secret.managed === true ? { managed: true } : {})

/** @see https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups */
export function secretRoutes(app: KeyVaultApp, cloud: Cloud, operation: KeyVaultOperation) {
  const now = () => Math.floor(cloud.clock.now() / 1000)
  const id = (vault: Vault, secret: Secret, version?: SecretVersion) =>
    `https://${vaultHost(vault)}/secrets/${secret.name}${version === undefined ? '' : `/${version.version}`}`

  /** As lists show it: no version in the id, no value. */
  const entry = (vault: Vault, secret: Listed, version = newest(secret), withVersion = false) => ({
    id: id(vault, secret, withVersion ? version : undefined),
    attributes: attributes(vault, version),
    ...tagsOf(version),
    ...(version.contentType === null ? {} : { contentType: version.contentType }),
    ...managedMark(secret),
  })
  /** The value; of what stands behind a certificate the certificate with its key, where the twin has that. */
  function bundled(vault: Vault, secret: Listed, { version, value }: SecretVersion): string {
    const item = secret.managed === true ? vault.certificates[secret.name.toLowerCase()] : undefined
    const issued = item?.versions.find((one) => one.version === version)
    return (item && issued && certificateSecret(item, issued)) ?? value
  }
  const bundle = (vault: Vault, secret: Listed, version = newest(secret), withValue = false) => ({
    ...(withValue ? { value: bundled(vault, secret, version) } : {}),
    ...entry(vault, secret, version, true),
    ...(secret.managed === true
      ? { kid: `https://${vaultHost(vault)}/keys/${secret.name}/${version.version}` }
      : {}),
  })

  /** Everything that the vault serves as a secret, certificate-backed ones included. */
  function served(vault: Vault, name: string): Listed {
    const certificate = vault.certificates[name.toLowerCase()]
    if (certificate !== undefined && certificate.deleted === null && certificate.versions.length > 0)
      return backing(certificate)
    return live(vault.secrets, 'secrets', name)
  }
  function refuseBacked(vault: Vault, name: string) {
    const certificate = vault.certificates[name.toLowerCase()]
    if (certificate !== undefined)
      throw new Refusal(
        403,
        'Forbidden',
        `Operation is not allowed on the secret ${name}: it is managed by a certificate.`,
        { inner: 'OperationNotAllowed' },
      )
  }

  app.get(
    '/secrets',
    operation(
      'secrets.list',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        await enter(cloud, vault, call, metadata)
        const all: Listed[] = [
          ...Object.values(vault.secrets).filter(({ deleted }) => deleted === null),
          ...Object.values(vault.certificates)
            .filter(({ deleted, versions }) => deleted === null && versions.length > 0)
            .map(backing),
        ]
        return page(
          call,
          byName(all),
          ({ name }) => name,
          (secret) => entry(vault, secret),
        )
      },
      { query: listQuery },
    ),
  )
  app.get(
    '/secrets/:name/versions',
    operation(
      'secrets.list-versions',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(cloud, vault, call, metadata, name)
        const secret = served(vault, name)
        const versions = secret.versions.toSorted((a, b) => (a.version < b.version ? -1 : 1))
        return page(
          call,
          versions,
          ({ version }) => version,
          (version) => entry(vault, secret, version, true),
        )
      },
      { query: listQuery },
    ),
  )
  app.get(
    '/secrets/:name/:version?',
    operation(
      'secrets.get',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          { action: 'secrets/getSecret/action', permission: 'get', collection: 'secrets' },
          name,
        )
        const secret = served(vault, name)
        const version = versionOf(secret, 'secrets', call)
        if (!version.enabled)
          throw new Refusal(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', {
            inner: 'SecretDisabled',
          })
        return json(bundle(vault, secret, version, true))
      },
      { query: ['api-version', 'outContentType'] },
    ),
  )
  app.put(
    '/secrets/:name',
    operation(
      'secrets.set',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          {
            action: 'secrets/setSecret/action',
            permission: 'set',
            collection: 'secrets',
            bucket: 'keyvault.secret-create',
          },
          name,
        )
        refuseBacked(vault, name)
        const existing = vault.secrets[name.toLowerCase()]
        refuseDeletedName(existing, 'secrets', name)
        const body = await bodyOf(call)
        if (typeof body.value !== 'string')
          throw new Refusal(400, 'BadParameter', "Property 'value' must be a string.")
        if (Buffer.byteLength(body.value) > largestValue)
          throw new Refusal(400, 'BadParameter', `The secret's value must be at most ${largestValue} bytes.`)
        const version: SecretVersion = {
          version: cloud.randomHex(16),
          value: body.value,
          contentType: typeof body.contentType === 'string' ? body.contentType : null,
          enabled: true,
          created: now(),
          updated: now(),
          expires: null,
          notBefore: null,
          tags: null,
        }
        applyAttributes(version, body, now())
        const secret = existing ?? { name, deleted: null, versions: [] }
        secret.versions.push(version)
        vault.secrets[name.toLowerCase()] = secret
        return json(bundle(vault, secret, version, true))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.patch(
    '/secrets/:name/:version?',
    operation(
      'secrets.update',
      async (call: Call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          { action: 'secrets/update/action', permission: 'set', collection: 'secrets' },
          name,
        )
        refuseBacked(vault, name)
        const secret = live(vault.secrets, 'secrets', name)
        const version = versionOf(secret, 'secrets', call)
        const body = await bodyOf(call)
        applyAttributes(version, body, now())
        if (typeof body.contentType === 'string') version.contentType = body.contentType
        return json(bundle(vault, secret, version))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  deletedRoutes(app, cloud, operation, {
    collection: 'secrets',
    items: (vault) => vault.secrets,
    bundle: (vault, secret) => bundle(vault, secret),
    entry: (vault, secret) => entry(vault, secret),
  })
}
