import {
  type Certificate,
  type Curve,
  type Key,
  type KeyShape,
  type KeyVersion,
  type RotationPolicy,
  type Vault,
  vaultHost,
} from '../estate/estate.ts'
import { bodyOf, json, type Cloud } from '../operation.ts'
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

const curveNames: Record<string, Curve> = {
  'P-256': 'P-256',
  'P-256K': 'P-256K',
  'P-384': 'P-384',
  'P-521': 'P-521',
}

/** Shape of a new key from `kty`, `key_size` and `crv`; Key Vault makes RSA of 2048, 3072 and 4096 bits. */
export function shapeFrom(body: Record<string, unknown>, sku: Vault['sku']): KeyShape {
  const { kty } = body
  if ((kty === 'RSA-HSM' || kty === 'EC-HSM') && sku !== 'premium')
    throw new Refusal(400, 'BadParameter', `The key type '${kty}' needs a vault of the Premium SKU.`, {
      inner: 'KeyTypeNotSupported',
    })
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    const bits = body.key_size ?? 2048
    if (bits !== 2048 && bits !== 3072 && bits !== 4096)
      throw new Refusal(
        400,
        'BadParameter',
        `Property 'key_size' has an unsupported value: ${JSON.stringify(bits)}.`,
      )
    return { kty, bits }
  }
  if (kty === 'EC' || kty === 'EC-HSM') {
    const curve = curveNames[typeof body.crv === 'string' ? body.crv : 'P-256']
    if (curve === undefined)
      throw new Refusal(
        400,
        'BadParameter',
        `Property 'crv' has an unsupported value: ${JSON.stringify(body.crv)}.`,
      )
    return { kty, curve }
  }
  throw new Refusal(400, 'BadParameter', `Property 'kty' has an unsupported value: ${JSON.stringify(kty)}.`)
}

function rotationPolicyFrom(body: Record<string, unknown>, now: number): RotationPolicy {
  const actions = Array.isArray(body.lifetimeActions) ? body.lifetimeActions : []
  const given = typeof body.attributes === 'object' && body.attributes !== null ? { ...body.attributes } : {}
  const expiryTime = 'expiryTime' in given && typeof given.expiryTime === 'string' ? given.expiryTime : null
  const lifetimeActions = actions.map((entry: unknown) => {
    const { trigger, action }: Record<string, unknown> = typeof entry === 'object' ? { ...entry } : {}
    const type = typeof action === 'object' && action !== null && 'type' in action ? String(action.type) : ''
    const known = ['Rotate', 'Notify'].find((name) => name.toLowerCase() === type.toLowerCase())
    if (known === undefined || typeof trigger !== 'object' || trigger === null)
      throw new Refusal(
        400,
        'BadParameter',
        'A lifetime action needs a trigger and an action of type Rotate or Notify.',
      )
    const durations = Object.entries(trigger).filter(
      (pair): pair is [string, string] => typeof pair[1] === 'string',
    )
    return { trigger: Object.fromEntries(durations), action: known }
  })
  return { lifetimeActions, expiryTime, created: now, updated: now }
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

/** Seconds of an ISO 8601 duration of years, months and days (a month counts 30 days, a year 365). */
function secondsOf(duration: string): number {
  const [, years = '0', months = '0', days = '0'] =
    duration.match(/^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?$/) ?? []
  return (Number(years) * 365 + Number(months) * 30 + Number(days)) * 86_400
}
