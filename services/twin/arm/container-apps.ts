import { type ContainerApp, resourceId, type Revision } from '../estate/estate.ts'
import { refetchContainerApp, versionsHeld } from '../estate/fetched.ts'
import { bodyOf, type Call, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { authorize } from './access.ts'
import { containerAppResource } from './resources.ts'
import { groupPath, type InsideArm } from './inside.ts'

const type = 'Microsoft.App/containerApps'
const plain = { query: ['api-version'] }
const writes = { ...plain, mutates: true }

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}

/** In single-revision mode the newest takes all traffic once it is up and healthy, and the others end. */
export function settleRevisions(app: ContainerApp, nowMs: number) {
  const latest = app.revisions.at(-1)
  if (app.mode !== 'Single' || latest === undefined || !latest.healthy || latest.readyAt > nowMs) return
  for (const revision of app.revisions) {
    revision.active = revision === latest
    revision.weight = revision === latest ? 100 : 0
  }
}

/**
 * Changes of container apps: a new suffix in the template makes a new revision; revisions with traffic and health.
 * @see https://learn.microsoft.com/azure/container-apps/revisions
 */
export function containerAppRoutes({ app, cloud, operation, inSubscription, named, paged }: InsideArm) {
  const { estate, clock, settings } = cloud
  const appId = (item: ContainerApp) => resourceId(item, type, item.name)
  const at = `${groupPath}/providers/microsoft.app/containerapps/:name`

  const admitted = async (call: Call, action: string, kind: 'arm.read' | 'arm.write' = 'arm.read') => {
    const { caller } = await inSubscription(call, 'containerApps', kind)
    const item = named(estate.containerApps, call, type)
    authorize(cloud, caller, `${type}/${action}`, appId(item))
    settleRevisions(item, clock.now())
    return item
  }

  app.post(
    `${at}/listsecrets`,
    operation(
      'container-apps.list-secrets',
      async (call) => {
        const item = await admitted(call, 'listSecrets/action')
        return json({
          value: item.secrets.map((secret) =>
            secret.keyVaultUrl === undefined ? secret : { ...secret, identity: 'System' },
          ),
        })
      },
      plain,
    ),
  )
  app.patch(
    at,
    operation(
      'container-apps.update',
      async (call) => {
        const item = await admitted(call, 'write', 'arm.write')
        const properties = record((await bodyOf(call)).properties)
        const unknown = Object.keys(properties).find((name) => name !== 'template')
        const template = record(properties.template)
        const other = Object.keys(template).find((name) => name !== 'revisionSuffix')
        if (unknown !== undefined || other !== undefined)
          throw new Refusal(
            400,
            'InvalidRequestContent',
            `Property '${unknown ?? `template.${other}`}' cannot be changed here.`,
          )
        const suffix = template.revisionSuffix
        if (typeof suffix !== 'string' || !/^[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(suffix))
          throw new Refusal(400, 'ContainerAppInvalidRevisionSuffix', 'The revision suffix is not valid.')
        const name = `${item.name}--${suffix}`
        if (item.revisions.some((one) => one.name === name))
          throw new Refusal(
            400,
            'ContainerAppRevisionSuffixInUse',
            `The revision suffix '${suffix}' is in use by another revision.`,
          )
        refetchContainerApp(estate, item, Math.floor(clock.now() / 1000))
        item.revisions.push({
          name,
          createdAt: Math.floor(clock.now() / 1000),
          readyAt: clock.now() + settings.revisionStartMs,
          active: true,
          healthy: settings.revisionsHealthy,
          weight: 0,
          holds: versionsHeld(item),
        })
        settleRevisions(item, clock.now())
        return json(containerAppResource(estate, item), 202, {
          location: `https://${call.host}/subscriptions/${item.subscription}/providers/Microsoft.App/locations/${item.location}/containerappOperationResults/${item.name}?api-version=${call.url.searchParams.get('api-version') ?? ''}`,
          'retry-after': '2',
        })
      },
      writes,
    ),
  )
  app.get(
    '/subscriptions/:subscription/providers/microsoft.app/locations/:location/containerappoperationresults/:name',
    operation(
      'container-apps.operation-result',
      async (call) => {
        await inSubscription(call, 'containerApps')
        const item = estate.containerApps.find(({ name }) => name === call.context.req.param('name'))
        if (item === undefined) throw new Refusal(404, 'NotFound', 'There is no such operation.')
        settleRevisions(item, clock.now())
        const up = (item.revisions.at(-1)?.readyAt ?? 0) <= clock.now()
        return up
          ? json(containerAppResource(estate, item))
          : new Response(null, {
              status: 202,
              headers: { location: call.url.href.replace(call.url.host, call.host), 'retry-after': '2' },
            })
      },
      plain,
    ),
  )

  const revisionResource = (item: ContainerApp, revision: Revision) => {
    const up = revision.readyAt <= clock.now()
    return {
      id: `${appId(item)}/revisions/${revision.name}`,
      name: revision.name,
      type: 'Microsoft.App/containerapps/revisions',
      properties: {
        createdTime: new Date(revision.createdAt * 1000).toISOString(),
        active: revision.active,
        trafficWeight: revision.weight,
        replicas: revision.active && up ? 1 : 0,
        healthState: !up ? 'None' : revision.healthy ? 'Healthy' : 'Unhealthy',
        provisioningState: up ? 'Provisioned' : 'Provisioning',
        runningState: !up ? 'Processing' : revision.healthy ? 'Running' : 'Failed',
      },
    }
  }
  app.get(
    `${at}/revisions`,
    operation(
      'container-apps.revisions',
      async (call) => {
        const item = await admitted(call, 'revisions/read')
        return paged(call, item.revisions, (revision) => revisionResource(item, revision))
      },
      { query: ['api-version', '$filter', '$top', '$skiptoken'] },
    ),
  )
  app.get(
    `${at}/revisions/:revision`,
    operation(
      'container-apps.revision',
      async (call) => {
        const item = await admitted(call, 'revisions/read')
        const name = call.context.req.param('revision')
        const revision = item.revisions.find((one) => one.name === name)
        if (revision === undefined)
          throw new Refusal(404, 'RevisionNotFound', `The revision '${name}' was not found.`)
        return json(revisionResource(item, revision))
      },
      plain,
    ),
  )
}
