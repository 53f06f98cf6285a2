import {
  type Certificate,
  type Key,
  type KeyShape,
  type KeyVersion,
  type Vault,
  vaultHost,
} from '../estate/estate.ts'
import { bodyOf, type Cloud, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import type { LimitName } from '../throttle.ts'
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
import { deletedRoutes } from './deleted.ts'
import { algorithmOf, publicKey, signDigest } from './key-material.ts'
import { rotationPolicyFrom, secondsOf, shapeFrom } from './key-request.ts'
import type { KeyVaultApp, KeyVaultOperation } from './routes.ts'

const read = { action: 'keys/read', permission: 'list', collection: 'keys' } as const

type Listed = Key & { managed?: true }

/** The key that stands behind a certificate, listed among the keys as `managed`. */
const backing = (certificate: Certificate): Listed => ({
  name: certificate.name,
  deleted: certificate.deleted,
  managed: true,
  rotation: null,
  versions: certificate.versions.map((version) => ({ ...version, operations: ['sign', 'verify'] })),
})

const isHsm = (shape: KeyShape) => shape.kty.endsWith('-HSM')

/** The bucket of an operation that uses the private key. */
const useBucket = (shape: KeyShape): LimitName => {
  const wide = 'bits' in shape && shape.bits >= 3072
  if (isHsm(shape)) return wide ? 'keyvault.hsm-rsa4096' : 'keyvault.hsm'
  return wide ? 'keyvault.rsa4096' : 'keyvault.operation'
}

/** @see https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups */
export function keyRoutes(app: KeyVaultApp, cloud: Cloud, operation: KeyVaultOperation) {
  const now = () => Math.floor(cloud.clock.now() / 1000)
  const id = (vault: Vault, key: Key, version?: KeyVersion) =>
    `https://${vaultHost(vault)}/keys/${key.name}${version === undefined ? '' : `/${version.version}`}`

  /** As lists show it: neither type nor size. */
  const entry = (vault: Vault, key: Listed, version = newest(key), withVersion = false) => ({
    kid: id(vault, key, withVersion ? version : undefined),
    attributes: attributes(vault, version),
    ...tagsOf(version),
    ...(key.managed === true ? { managed: true } : {}),
  })
  function bundle(vault: Vault, key: Listed, version = newest(key)) {
    const material = publicKey(version.shape, version.seed)
    const { kid: _, ...rest } = entry(vault, key, version, true)
    return {
      key: {
        kid: id(vault, key, version),
        kty: version.shape.kty,
        key_ops: version.operations,
        ...(material.kty === 'RSA'
          ? { n: material.n.toString('base64url'), e: material.e.toString('base64url') }
          : {
              crv: material.curve,
              x: material.x.toString('base64url'),
              y: material.y.toString('base64url'),
            }),
      },
      ...rest,
    }
  }
  function served(vault: Vault, name: string): Listed {
    const certificate = vault.certificates[name.toLowerCase()]
    if (certificate !== undefined && certificate.deleted === null && certificate.versions.length > 0)
      return backing(certificate)
    return live(vault.keys, 'keys', name)
  }
  const newVersion = (shape: KeyShape, operations: string[]): KeyVersion => ({
    version: cloud.randomHex(16),
    shape,
    seed: cloud.randomHex(32),
    operations,
    enabled: true,
    created: now(),
    updated: now(),
    expires: null,
    notBefore: null,
    tags: null,
  })
  const policyBody = (vault: Vault, key: Key) => ({
    id: `${id(vault, key)}/rotationpolicy`,
    lifetimeActions: (
      key.rotation?.lifetimeActions ?? [{ trigger: { timeBeforeExpiry: 'P30D' }, action: 'Notify' }]
    ).map(({ trigger, action }) => ({ trigger, action: { type: action } })),
    attributes: {
      ...(key.rotation?.expiryTime == null ? {} : { expiryTime: key.rotation.expiryTime }),
      ...(key.rotation === null ? {} : { created: key.rotation.created, updated: key.rotation.updated }),
    },
  })

  app.get(
    '/keys',
    operation(
      'keys.list',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        await enter(cloud, vault, call, read)
        const all: Listed[] = [
          ...Object.values(vault.keys).filter(({ deleted }) => deleted === null),
          ...Object.values(vault.certificates)
            .filter(({ deleted, versions }) => deleted === null && versions.length > 0)
            .map(backing),
        ]
        return page(
          call,
          byName(all),
          ({ name }) => name,
          (key) => entry(vault, key),
        )
      },
      { query: listQuery },
    ),
  )
  app.get(
    '/keys/:name/versions',
    operation(
      'keys.list-versions',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(cloud, vault, call, read, name)
        const key = served(vault, name)
        const versions = key.versions.toSorted((a, b) => (a.version < b.version ? -1 : 1))
        return page(
          call,
          versions,
          ({ version }) => version,
          (version) => entry(vault, key, version, true),
        )
      },
      { query: listQuery },
    ),
  )
  app.get(
    '/keys/:name/rotationpolicy',
    operation(
      'keys.get-rotation-policy',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          { action: 'keyrotationpolicies/read', permission: 'getrotationpolicy', collection: 'keys' },
          name,
        )
        return json(policyBody(vault, live(vault.keys, 'keys', name)))
      },
      { query: ['api-version'] },
    ),
  )
  app.put(
    '/keys/:name/rotationpolicy',
    operation(
      'keys.set-rotation-policy',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          { action: 'keyrotationpolicies/write', permission: 'setrotationpolicy', collection: 'keys' },
          name,
        )
        const key = live(vault.keys, 'keys', name)
        const policy = rotationPolicyFrom(await bodyOf(call), now())
        key.rotation = { ...policy, created: key.rotation?.created ?? policy.created }
        return json(policyBody(vault, key))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.get(
    '/keys/:name/:version?',
    operation(
      'keys.get',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(cloud, vault, call, { ...read, permission: 'get' }, name)
        const key = served(vault, name)
        return json(bundle(vault, key, versionOf(key, 'keys', call)))
      },
      { query: ['api-version'] },
    ),
  )
  app.post(
    '/keys/:name/create',
    operation(
      'keys.create',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          {
            action: 'keys/create/action',
            permission: 'create',
            collection: 'keys',
            bucket: 'keyvault.key-create',
          },
          name,
        )
        const existing = vault.keys[name.toLowerCase()]
        refuseDeletedName(existing, 'keys', name)
        if (vault.certificates[name.toLowerCase()] !== undefined)
          throw new Refusal(409, 'Conflict', `The key ${name} is managed by a certificate.`)
        const body = await bodyOf(call)
        const shape = shapeFrom(body, vault.sku)
        const asked = Array.isArray(body.key_ops) ? body.key_ops.map(String) : undefined
        const version = newVersion(
          shape,
          asked ?? ('curve' in shape ? ['sign', 'verify'] : ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']),
        )
        applyAttributes(version, body, now())
        const key: Key = existing ?? { name, deleted: null, rotation: null, versions: [] }
        key.versions.push(version)
        vault.keys[name.toLowerCase()] = key
        return json(bundle(vault, key, version))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  app.post(
    '/keys/:name/rotate',
    operation(
      'keys.rotate',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          {
            action: 'keys/rotate/action',
            permission: 'rotate',
            collection: 'keys',
            bucket: 'keyvault.key-create',
          },
          name,
        )
        const key = live(vault.keys, 'keys', name)
        const previous = newest(key)
        const version = newVersion(previous.shape, previous.operations)
        version.tags = previous.tags
        version.expires = key.rotation?.expiryTime == null ? null : now() + secondsOf(key.rotation.expiryTime)
        key.versions.push(version)
        return json(bundle(vault, key, version))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  const sign = operation(
    'keys.sign',
    async (call) => {
      const vault = vaultOf(cloud, call.host)
      const name = nameOf(call)
      const found = vault.keys[name.toLowerCase()]
      const bucket = found === undefined ? 'keyvault.operation' : useBucket(newest(found).shape)
      await enter(
        cloud,
        vault,
        call,
        { action: 'keys/sign/action', permission: 'sign', collection: 'keys', bucket },
        name,
      )
      const key = live(vault.keys, 'keys', name)
      const version = versionOf(key, 'keys', call)
      if (!version.enabled)
        throw new Refusal(403, 'Forbidden', 'Operation sign is not allowed on a disabled key.', {
          inner: 'KeyDisabled',
        })
      const outside = (version.expires ?? Infinity) <= now() || (version.notBefore ?? 0) > now()
      if (outside)
        throw new Refusal(
          403,
          'Forbidden',
          'Operation sign is not allowed on an expired or not yet valid key.',
          { inner: 'KeyExpired' },
        )
      if (!version.operations.includes('sign') || !('curve' in version.shape))
        throw new Refusal(403, 'Forbidden', 'Operation sign is not permitted on this key.', {
          inner: 'KeyOperationForbidden',
        })
      const { alg, value } = await bodyOf(call)
      const { curve } = version.shape
      const { algorithm, digestBytes } = algorithmOf(curve)
      const digest = typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.alloc(0)
      if (alg !== algorithm)
        throw new Refusal(
          400,
          'BadParameter',
          `Key and signing algorithm are incompatible. Key https://${vaultHost(vault)}/keys/${name} is of curve '${curve}', and algorithm ${JSON.stringify(alg)} needs another.`,
        )
      if (digest.length !== digestBytes)
        throw new Refusal(
          400,
          'BadParameter',
          `Property 'value' has an invalid length: ${digest.length}; ${digestBytes} bytes are expected for ${algorithm}.`,
        )
      return json({
        kid: id(vault, key, version),
        value: signDigest(curve, version.seed, digest).toString('base64url'),
      })
    },
    { query: ['api-version'] },
  )
  app.post('/keys/:name/sign', sign)
  app.post('/keys/:name/:version/sign', sign)
  app.patch(
    '/keys/:name/:version?',
    operation(
      'keys.update',
      async (call) => {
        const vault = vaultOf(cloud, call.host)
        const name = nameOf(call)
        await enter(
          cloud,
          vault,
          call,
          { action: 'keys/update/action', permission: 'update', collection: 'keys' },
          name,
        )
        const key = live(vault.keys, 'keys', name)
        const version = versionOf(key, 'keys', call)
        const body = await bodyOf(call)
        applyAttributes(version, body, now())
        if (Array.isArray(body.key_ops)) version.operations = body.key_ops.map(String)
        return json(bundle(vault, key, version))
      },
      { query: ['api-version'], mutates: true },
    ),
  )
  deletedRoutes(app, cloud, operation, {
    collection: 'keys',
    items: (vault) => vault.keys,
    bundle: (vault, key) => bundle(vault, key),
    entry: (vault, key) => entry(vault, key),
  })
}
