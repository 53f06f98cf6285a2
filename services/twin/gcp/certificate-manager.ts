import { X509Certificate } from 'node:crypto'
import { Hono } from 'hono'
import { type Call, type Cloud, json, operations, type TwinContext } from '../operation.ts'
import { certificatesOf, chainFault, privateKeyOf } from '../pem.ts'
import type { GcpCertificate, GcpOperation, GcpProject } from './project.ts'
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

const mostListed = 1_000
const type = 'type.googleapis.com/google.cloud.certificatemanager.v1'
type App = Hono<{ Bindings: TwinContext['env'] }>

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Certificate Manager, its self-managed certificates: changes are operations that take a while, keys never come back.
 * @see https://cloud.google.com/certificate-manager/docs/reference/certificate-manager/rest
 */
export function certificateManager(cloud: Cloud, tokens: AccessTokens): App {
  const operation = operations(cloud, gcpPlane('gcp.certificatemanager'))
  const app: App = new Hono()
  const now = () => cloud.clock.now()

  const nameOf = (project: GcpProject, at: { readonly location: string; readonly id: string }) =>
    `projects/${project.id}/locations/${at.location}/certificates/${at.id}`
  function body(project: GcpProject, certificate: GcpCertificate) {
    const leaf = new X509Certificate(certificate.certificate)
    return {
      name: nameOf(project, certificate),
      description: certificate.description,
      createTime: timestamp(certificate.created),
      updateTime: timestamp(certificate.updated),
      labels: certificate.labels,
      selfManaged: {},
      sanDnsnames: (leaf.subjectAltName ?? '')
        .split(', ')
        .flatMap((one) => (one.startsWith('DNS:') ? one.slice(4) : [])),
      pemCertificate: certificate.certificate,
      expireTime: timestamp(Date.parse(leaf.validTo)),
      scope: certificate.scope,
    }
  }
  function operationBody(project: GcpProject, one: GcpOperation) {
    const certificate = project.certificates.find((held) => nameOf(project, held) === one.target)
    const done = one.completesAt <= now()
    return {
      name: one.name,
      metadata: {
        '@type': `${type}.OperationMetadata`,
        createTime: timestamp(one.created),
        ...(done ? { endTime: timestamp(one.completesAt) } : {}),
        target: one.target,
        verb: one.verb,
        requestedCancellation: false,
        apiVersion: 'v1',
      },
      done,
      ...(done
        ? {
            response:
              one.verb === 'delete' || certificate === undefined
                ? { '@type': 'type.googleapis.com/google.protobuf.Empty', value: {} }
                : { '@type': `${type}.Certificate`, ...body(project, certificate) },
          }
        : {}),
    }
  }
  function begin(project: GcpProject, location: string, verb: GcpOperation['verb'], target: string) {
    const made: GcpOperation = {
      name: `projects/${project.id}/locations/${location}/operations/operation-${now()}-${cloud.randomHex(6)}`,
      target,
      verb,
      created: now(),
      completesAt: now() + cloud.settings.certificateIssuanceMs,
    }
    project.operations.push(made)
    return json(operationBody(project, made))
  }
  function find(request: GcpRequest, call: Call, permission: string): GcpCertificate {
    const { location = '', certificate: id = '' } = call.context.req.param()
    const name = nameOf(request.project, { location, id })
    request.allow(permission, name)
    const found = request.project.certificates.find((one) => one.id === id && one.location === location)
    if (found === undefined) throw gcpRefusal('NOT_FOUND', `Resource '${name}' was not found`)
    return found
  }
  /** Checks a certificate with its chain against its key. */
  function selfManaged(value: unknown): { certificate: string; privateKey: string } {
    const { pemCertificate, pemPrivateKey } = isRecord(value) ? value : {}
    if (typeof pemCertificate !== 'string' || typeof pemPrivateKey !== 'string')
      throw gcpRefusal(
        'INVALID_ARGUMENT',
        'A self-managed certificate needs pem_certificate and pem_private_key.',
      )
    const [leaf, ...chain] = certificatesOf(pemCertificate) ?? []
    const key = privateKeyOf(pemPrivateKey)
    if (leaf === undefined) throw gcpRefusal('INVALID_ARGUMENT', 'The certificate could not be parsed.')
    if (key === undefined) throw gcpRefusal('INVALID_ARGUMENT', 'The private key could not be parsed.')
    const { asymmetricKeyType, asymmetricKeyDetails } = leaf.publicKey
    if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
      throw gcpRefusal('INVALID_ARGUMENT', 'The RSA key must have at least 2048 bits.')
    const fault = chainFault(leaf, chain, key, now())
    if (fault === 'key')
      throw gcpRefusal('INVALID_ARGUMENT', 'The private key does not match the certificate.')
    if (fault === 'chain')
      throw gcpRefusal(
        'INVALID_ARGUMENT',
        'The certificate chain is not in order: each must be issued by the next.',
      )
    if (fault === 'expired') throw gcpRefusal('INVALID_ARGUMENT', 'The certificate has expired.')
    return { certificate: pemCertificate, privateKey: pemPrivateKey }
  }

  const base = '/v1/projects/:project/locations/:location'
  app.get(
    `${base}/certificates`,
    operation(
      'certificates.list',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.certificatemanager.request')
        const { location = '' } = call.context.req.param()
        request.allow('certificatemanager.certs.list', `projects/${request.project.id}/locations/${location}`)
        const found = request.project.certificates
          .filter((one) => location === '-' || one.location === location)
          .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        const { items, nextPageToken } = gcpPage(call, found, mostListed)
        return json({
          certificates: items.map((one) => body(request.project, one)),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        })
      },
      { query: [...commonQuery, 'pageSize', 'pageToken', 'filter', 'orderBy'] },
    ),
  )
  app.post(
    `${base}/certificates`,
    operation(
      'certificates.create',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.certificatemanager.request')
        const { project } = request
        const { location = '' } = call.context.req.param()
        const id = call.url.searchParams.get('certificateId') ?? ''
        request.allow('certificatemanager.certs.create', `projects/${project.id}/locations/${location}`)
        if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(id))
          throw gcpRefusal(
            'INVALID_ARGUMENT',
            "The certificate id must be lower-case letters, digits and '-', begin with a letter, and have at most 63 characters.",
          )
        if (project.certificates.some((one) => one.id === id && one.location === location))
          throw gcpRefusal('ALREADY_EXISTS', `Resource '${nameOf(project, { location, id })}' already exists`)
        const labels = textMap(request.body, 'labels') ?? {}
        checkLabels(labels)
        const made: GcpCertificate = {
          id,
          location,
          created: now(),
          updated: now(),
          description: typeof request.body.description === 'string' ? request.body.description : '',
          labels,
          scope: typeof request.body.scope === 'string' ? request.body.scope : 'DEFAULT',
          ...selfManaged(request.body.selfManaged),
        }
        project.certificates.push(made)
        return begin(project, location, 'create', nameOf(project, made))
      },
      { query: [...commonQuery, 'certificateId'], mutates: true },
    ),
  )
  app.get(
    `${base}/certificates/:certificate`,
    operation(
      'certificates.get',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.certificatemanager.request')
        return json(body(request.project, find(request, call, 'certificatemanager.certs.get')))
      },
      { query: commonQuery },
    ),
  )
  app.patch(
    `${base}/certificates/:certificate`,
    operation(
      'certificates.update',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.certificatemanager.request')
        const found = find(request, call, 'certificatemanager.certs.update')
        const mask = updateMask(call, ['labels', 'description', 'selfManaged'])
        const labels = textMap(request.body, 'labels') ?? {}
        checkLabels(labels)
        const pair = mask.includes('selfManaged') ? selfManaged(request.body.selfManaged) : undefined
        if (pair !== undefined) Object.assign(found, pair)
        if (mask.includes('labels')) found.labels = labels
        const { description } = request.body
        if (mask.includes('description'))
          found.description = typeof description === 'string' ? description : ''
        found.updated = now()
        return begin(request.project, found.location, 'update', nameOf(request.project, found))
      },
      { query: [...commonQuery, 'updateMask'], mutates: true },
    ),
  )
  app.delete(
    `${base}/certificates/:certificate`,
    operation(
      'certificates.delete',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.certificatemanager.request')
        const found = find(request, call, 'certificatemanager.certs.delete')
        request.project.certificates.splice(request.project.certificates.indexOf(found), 1)
        return begin(request.project, found.location, 'delete', nameOf(request.project, found))
      },
      { query: commonQuery, mutates: true },
    ),
  )
  app.get(
    `${base}/operations/:operation`,
    operation(
      'operations.get',
      async (call) => {
        const request = await enterProject(cloud, tokens, call)
        request.throttle('gcp.certificatemanager.request')
        const { location = '', operation: id = '' } = call.context.req.param()
        const name = `projects/${request.project.id}/locations/${location}/operations/${id}`
        request.allow('certificatemanager.operations.get', name)
        const found = request.project.operations.find((one) => one.name === name)
        if (found === undefined) throw gcpRefusal('NOT_FOUND', `Resource '${name}' was not found`)
        return json(operationBody(request.project, found))
      },
      { query: commonQuery },
    ),
  )
  app.notFound((context) =>
    operation('unknown', (call) => {
      throw gcpRefusal('NOT_FOUND', `Method not found: ${call.context.req.method} ${call.url.pathname}`)
    })(context),
  )
  return app
}
