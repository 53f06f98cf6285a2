import { Hono } from 'hono'
import { listingLag } from '../listing-lag.ts'
import { type Call, type Cloud, json, operations, type TwinContext } from '../operation.ts'
import type { GcpProject, GcpSecret, GcpSecretVersion } from './project.ts'
import { crc32c } from './crc32c.ts'
import {
  type AccessTokens,
  checkLabels,
  commonQuery,
  enterProject,
  gcpPage,
  gcpPlane,
  gcpRefusal,
  type GcpRequest,
  textMap,
  timestamp,
  updateMask,
} from './wire.ts'

const largestPayload = 65_536
const mostListed = 25_000
const largestAnnotations = 16_384
const shortestDestroyTtl = 86_400

type App = Hono<{ Bindings: TwinContext['env'] }>

/** `"86400s"` in seconds. */
function duration(value: unknown): number | null {
  if (value === undefined || value === null) return null
  const seconds = typeof value === 'string' ? /^(\d+)(?:\.\d+)?s$/.exec(value)?.[1] : undefined
  if (seconds === undefined) throw gcpRefusal('INVALID_ARGUMENT', 'A duration such as "86400s" is wanted.')
  if (Number(seconds) < shortestDestroyTtl)
    throw gcpRefusal('INVALID_ARGUMENT', 'version_destroy_ttl must be at least 24h.')
  return Number(seconds)
}

/**
 * Secret Manager: versions that are numbered, checksummed, disabled and destroyed, at once or after a delay.
 * @see https://cloud.google.com/secret-manager/docs/reference/rest
 */
export function secretManager(cloud: Cloud, tokens: AccessTokens): App {
  const operation = operations(cloud, gcpPlane('gcp.secretmanager'))
  const app: App = new Hono()
  const now = () => cloud.clock.now()
  const lag = listingLag<GcpSecret, object>(now, () => cloud.settings.listLagMs)

  const nameOf = (project: GcpProject, id: string) => `projects/${project.number}/secrets/${id}`
  const etagOf = (of: GcpSecret | GcpSecretVersion) =>
    `"${(0x1600000000 + of.created * 7 + of.generation).toString(16)}"`
  const secretBody = (project: GcpProject, secret: GcpSecret) => ({
    name: nameOf(project, secret.id),
    replication: { automatic: {} },
    createTime: timestamp(secret.created),
    ...(Object.keys(secret.labels).length > 0 ? { labels: secret.labels } : {}),
    ...(Object.keys(secret.annotations).length > 0 ? { annotations: secret.annotations } : {}),
    ...(secret.versionDestroyTtl === null ? {} : { versionDestroyTtl: `${secret.versionDestroyTtl}s` }),
    etag: etagOf(secret),
  })
  const versionBody = (project: GcpProject, secret: GcpSecret, version: GcpSecretVersion) => ({
    name: `${nameOf(project, secret.id)}/versions/${version.number}`,
    createTime: timestamp(version.created),
    ...(version.destroyed === null ? {} : { destroyTime: timestamp(version.destroyed) }),
    ...(version.scheduledDestroy === null
      ? {}
      : { scheduledDestroyTime: timestamp(version.scheduledDestroy) }),
    state: version.state,
    replicationStatus: { automatic: {} },
    etag: etagOf(version),
    clientSpecifiedPayloadChecksum: version.checksummed,
  })

  /** Destroys what was scheduled to be, once its time has come. */
  function settle(secret: GcpSecret): void {
    for (const version of secret.versions)
      if (version.scheduledDestroy !== null && version.scheduledDestroy <= now()) destroy(version)
  }
  function destroy(version: GcpSecretVersion): void {
    version.state = 'DESTROYED'
    version.data = null
    version.destroyed = now()
    version.scheduledDestroy = null
    version.generation += 1
  }
  function find(request: GcpRequest, call: Call, permission: string): GcpSecret {
    const id = (call.context.req.param('secret') ?? '').replace(/:\w+$/, '')
    const secret = request.project.secrets.find((one) => one.id === id)
    const named = `projects/${call.context.req.param('project')}/secrets/${id}`
    request.allow(permission, named, secret?.policy)
    if (secret === undefined)
      throw gcpRefusal('NOT_FOUND', `Secret [${nameOf(request.project, id)}] not found.`)
    settle(secret)
    return secret
  }
  function findVersion(request: GcpRequest, call: Call, permission: string): [GcpSecret, GcpSecretVersion] {
    const secret = find(request, call, permission)
    const given = (call.context.req.param('version') ?? '').replace(/:\w+$/, '')
    const version =
      given === 'latest'
        ? secret.versions.at(-1)
        : secret.versions.find(({ number }) => String(number) === given)
    if (version === undefined)
      throw gcpRefusal(
        'NOT_FOUND',
        `Secret Version [${nameOf(request.project, secret.id)}/versions/${given}] not found.`,
      )
    return [secret, version]
  }
  function checkEtag(given: unknown, of: GcpSecret | GcpSecretVersion): void {
    if (typeof given === 'string' && given !== '' && given !== etagOf(of))
      throw gcpRefusal(
        'FAILED_PRECONDITION',
        `The etag provided in the request does not match the resource's current etag.`,
      )
  }
  function checkAnnotations(annotations: Record<string, string>): void {
    const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    if (size > largestAnnotations)
      throw gcpRefusal(
        'INVALID_ARGUMENT',
        'The total size of annotation keys and values must be less than 16KiB.',
      )
    for (const key of Object.keys(annotations))
      if (!/^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/.test(key))
        throw gcpRefusal('INVALID_ARGUMENT', `The annotation key '${key}' is not valid.`)
  }
  const changing = (project: GcpProject, secret: GcpSecret, work: () => void) => {
    const before = secretBody(project, secret)
    work()
    secret.generation += 1
    lag.changing(secret, before)
  }

  const base = '/v1/projects/:project/secrets'
  app.get(
    base,
    operation(
      'secrets.list',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        const { project } = request
        request.throttle('gcp.secretmanager.read')
        request.allow('secretmanager.secrets.list', `projects/${call.context.req.param('project')}`)
        const filter = call.url.searchParams.get('filter')
        const [, key, wanted] =
          /^labels\.([\w-]+)=("?)([\w-]*)\2$/.exec(filter ?? '')?.filter((_, i) => i !== 2) ?? []
        if (filter && key === undefined)
          throw gcpRefusal('INVALID_ARGUMENT', 'This filter is not known here: labels.key=value is.')
        const shown = lag
          .visible(project.secrets)
          .filter((secret) => key === undefined || secret.labels[key] === wanted)
          .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        const { items, nextPageToken } = gcpPage(call, shown, mostListed)
        return json({
          ...(items.length > 0
            ? { secrets: items.map((one) => lag.shown(one, () => secretBody(project, one))) }
            : {}),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
          totalSize: shown.length,
        })
      },
      { query: [...commonQuery, 'pageSize', 'pageToken', 'filter'] },
    ),
  )
  app.post(
    base,
    operation(
      'secrets.create',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        const { project, body } = request
        request.throttle('gcp.secretmanager.write')
        const id = call.url.searchParams.get('secretId') ?? ''
        request.allow('secretmanager.secrets.create', `projects/${call.context.req.param('project')}`)
        if (!/^[\w-]{1,255}$/.test(id))
          throw gcpRefusal(
            'INVALID_ARGUMENT',
            `The provided Secret ID [${id}] does not match the expected format [[a-zA-Z_0-9]+].`,
          )
        if (body.replication === undefined)
          throw gcpRefusal('INVALID_ARGUMENT', 'The replication policy must be set.')
        if (project.secrets.some((secret) => secret.id === id))
          throw gcpRefusal('ALREADY_EXISTS', `Secret [${nameOf(project, id)}] already exists.`)
        const labels = textMap(body, 'labels') ?? {}
        const annotations = textMap(body, 'annotations') ?? {}
        checkLabels(labels)
        checkAnnotations(annotations)
        const made: GcpSecret = {
          id,
          created: now(),
          labels,
          annotations,
          versionDestroyTtl: duration(body.versionDestroyTtl),
          generation: 1,
          policy: [],
          versions: [],
        }
        lag.changing(made, null)
        project.secrets.push(made)
        return json(secretBody(project, made))
      },
      { query: [...commonQuery, 'secretId'], mutates: true },
    ),
  )
  app.get(
    `${base}/:secret`,
    operation(
      'secrets.get',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.secretmanager.read')
        return json(secretBody(request.project, find(request, call, 'secretmanager.secrets.get')))
      },
      { query: commonQuery },
    ),
  )
  app.patch(
    `${base}/:secret`,
    operation(
      'secrets.update',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        const { project, body } = request
        request.throttle('gcp.secretmanager.write')
        const secret = find(request, call, 'secretmanager.secrets.update')
        request.throttle('gcp.secretmanager.modify', secret.id)
        const mask = updateMask(call, ['labels', 'annotations', 'versionDestroyTtl'])
        checkEtag(body.etag, secret)
        const labels = textMap(body, 'labels') ?? {}
        const annotations = textMap(body, 'annotations') ?? {}
        checkLabels(labels)
        checkAnnotations(annotations)
        changing(project, secret, () => {
          if (mask.includes('labels')) secret.labels = labels
          if (mask.includes('annotations')) secret.annotations = annotations
          if (mask.includes('versionDestroyTtl')) secret.versionDestroyTtl = duration(body.versionDestroyTtl)
        })
        return json(secretBody(project, secret))
      },
      { query: [...commonQuery, 'updateMask'], mutates: true },
    ),
  )
  app.delete(
    `${base}/:secret`,
    operation(
      'secrets.delete',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.secretmanager.write')
        const secret = find(request, call, 'secretmanager.secrets.delete')
        checkEtag(call.url.searchParams.get('etag'), secret)
        request.project.secrets.splice(request.project.secrets.indexOf(secret), 1)
        return json({})
      },
      { query: [...commonQuery, 'etag'], mutates: true },
    ),
  )
  app.post(
    `${base}/:secret{[^/]+:addVersion}`,
    operation(
      'versions.add',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        const { project, body } = request
        request.throttle('gcp.secretmanager.write')
        const secret = find(request, call, 'secretmanager.versions.add')
        request.throttle('gcp.secretmanager.modify', secret.id)
        const payload: Record<string, unknown> = { ...(typeof body.payload === 'object' ? body.payload : {}) }
        const data = typeof payload.data === 'string' ? payload.data : ''
        const bytes = Buffer.from(data, 'base64')
        if (bytes.length === 0) throw gcpRefusal('INVALID_ARGUMENT', 'The payload must not be empty.')
        if (bytes.length > largestPayload)
          throw gcpRefusal(
            'INVALID_ARGUMENT',
            `The payload is ${bytes.length} bytes; it must be at most ${largestPayload} bytes.`,
          )
        // A 64-bit number travels as text.
        const { dataCrc32c: checksum } = payload
        if (checksum !== undefined && checksum !== String(crc32c(bytes)) && checksum !== crc32c(bytes))
          throw gcpRefusal(
            'INVALID_ARGUMENT',
            `The checksum of the payload data does not match the data_crc32c field: the data may have been corrupted on its way.`,
          )
        const version: GcpSecretVersion = {
          number: (secret.versions.at(-1)?.number ?? 0) + 1,
          created: now(),
          state: 'ENABLED',
          data: bytes.toString('base64'),
          checksummed: checksum !== undefined,
          destroyed: null,
          scheduledDestroy: null,
          generation: 1,
        }
        secret.versions.push(version)
        return json(versionBody(project, secret, version))
      },
      { query: commonQuery, mutates: true },
    ),
  )
  app.get(
    `${base}/:secret/versions`,
    operation(
      'versions.list',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.secretmanager.read')
        const secret = find(request, call, 'secretmanager.versions.list')
        const state = /^state[:=](\w+)$/.exec(call.url.searchParams.get('filter') ?? '')?.[1]
        const newestFirst = secret.versions
          .filter((version) => state === undefined || version.state === state)
          .toReversed()
        const { items, nextPageToken } = gcpPage(call, newestFirst, mostListed)
        return json({
          versions: items.map((version) => versionBody(request.project, secret, version)),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
          totalSize: newestFirst.length,
        })
      },
      { query: [...commonQuery, 'pageSize', 'pageToken', 'filter'] },
    ),
  )
  app.get(
    `${base}/:secret/versions/:version{[^/:]+:access}`,
    operation(
      'versions.access',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.secretmanager.access')
        const [secret, version] = findVersion(request, call, 'secretmanager.versions.access')
        const name = `${nameOf(request.project, secret.id)}/versions/${version.number}`
        if (version.data === null || version.state !== 'ENABLED')
          throw gcpRefusal('FAILED_PRECONDITION', `Secret Version [${name}] is in ${version.state} state.`)
        const bytes = Buffer.from(version.data, 'base64')
        return json({ name, payload: { data: version.data, dataCrc32c: String(crc32c(bytes)) } })
      },
      { query: commonQuery },
    ),
  )
  app.get(
    `${base}/:secret/versions/:version`,
    operation(
      'versions.get',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.secretmanager.read')
        const [secret, version] = findVersion(request, call, 'secretmanager.versions.get')
        return json(versionBody(request.project, secret, version))
      },
      { query: commonQuery },
    ),
  )
  for (const verb of ['enable', 'disable', 'destroy'] as const)
    app.post(
      `${base}/:secret/versions/:version{[^/:]+:${verb}}`,
      operation(
        `versions.${verb}`,
        async (call) => {
          const request = await enterProject(cloud, tokens, call)
          request.throttle('gcp.secretmanager.write')
          const [secret, version] = findVersion(request, call, `secretmanager.versions.${verb}`)
          checkEtag(request.body.etag, version)
          if (version.state === 'DESTROYED')
            throw gcpRefusal(
              'FAILED_PRECONDITION',
              `Secret Version [${nameOf(request.project, secret.id)}/versions/${version.number}] is in DESTROYED state.`,
            )
          if (verb === 'destroy' && secret.versionDestroyTtl === null) destroy(version)
          else {
            version.state = verb === 'enable' ? 'ENABLED' : 'DISABLED'
            version.scheduledDestroy =
              verb === 'destroy'
                ? now() + (secret.versionDestroyTtl ?? 0) * 1000
                : verb === 'enable'
                  ? null
                  : version.scheduledDestroy
            version.generation += 1
          }
          return json(versionBody(request.project, secret, version))
        },
        { query: commonQuery, mutates: true },
      ),
    )
  app.notFound((context) =>
    operation('unknown', (call) => {
      throw gcpRefusal('NOT_FOUND', `Method not found: ${call.context.req.method} ${call.url.pathname}`)
    })(context),
  )
  return app
}
