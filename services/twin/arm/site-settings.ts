import { resourceId, type Site } from '../estate/estate.ts'
import { heldBySite, refetchSite } from '../estate/fetched.ts'
import { bodyOf, type Call, json } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { authorize } from './access.ts'
import { parseReference, resolve } from './key-vault-reference.ts'
import { groupPath, type InsideArm } from './inside.ts'

const type = 'Microsoft.Web/sites'
const plain = { query: ['api-version'] }
const writes = { ...plain, mutates: true }

/**
 * A site's settings: Key Vault references with how the site fares with them, the refresh that makes App Service fetch
 * them again, and the settings themselves, replaced as a whole under their ETag.
 * @see https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
 */
export function siteSettingRoutes({ app, cloud, operation, inSubscription, named }: InsideArm) {
  const { estate } = cloud
  const now = () => Math.floor(cloud.clock.now() / 1000)
  const siteId = (site: Site) => resourceId(site, type, site.name)
  const at = `${groupPath}/providers/microsoft.web/sites/:name/config`
  const etagOf = (site: Site) => `"${site.revision.toString(16).toUpperCase().padStart(16, '0')}"`

  const references = (item: Site) => ({
    value: item.settings.flatMap(({ name, value }) => {
      const reference = parseReference(value)
      if (reference === undefined) return []
      // Looking is using: what is due is fetched.
      heldBySite(estate, item, name, now())
      const { status } = resolve(estate, item.identity, reference)
      return [
        {
          id: `${siteId(item)}/config/configreferences/appsettings/${name}`,
          name,
          type: `${type}/config/configreferences`,
          location: item.location,
          properties: {
            reference: value,
            status,
            vaultName: reference.vault,
            secretName: reference.secret,
            secretVersion: reference.version ?? '',
            activeVersion: item.fetched[name]?.version ?? null,
            identityType: { type: 'SystemAssigned' },
            details: '',
            source: 'KeyVault',
          },
        },
      ]
    }),
  })

  app.get(
    `${at}/configreferences/appsettings`,
    operation(
      'sites.key-vault-references',
      async (call) => {
        const { caller } = await inSubscription(call, 'sites')
        const item = named(estate.sites, call, type)
        authorize(cloud, caller, `${type}/config/read`, siteId(item))
        return json(references(item))
      },
      plain,
    ),
  )
  app.get(
    `${at}/configreferences/appsettings/:setting`,
    operation(
      'sites.key-vault-reference',
      async (call) => {
        const { caller } = await inSubscription(call, 'sites')
        const item = named(estate.sites, call, type)
        authorize(cloud, caller, `${type}/config/read`, siteId(item))
        const setting = call.context.req.param('setting') ?? ''
        const found = references(item).value.find(({ name }) => name.toLowerCase() === setting.toLowerCase())
        if (found === undefined)
          throw new Refusal(404, 'NotFound', `Cannot find a reference in the setting ${setting}.`)
        return json(found)
      },
      plain,
    ),
  )
  app.post(
    `${at}/configreferences/appsettings/refresh`,
    operation(
      'sites.refresh-references',
      async (call) => {
        const { caller } = await inSubscription(call, 'sites', 'arm.write')
        const item = named(estate.sites, call, type)
        // Which action App Service checks here is not published; writing configuration is what Website Contributor has.
        authorize(cloud, caller, `${type}/config/write`, siteId(item))
        refetchSite(estate, item, now())
        return json(references(item))
      },
      writes,
    ),
  )

  const settings = (item: Site) =>
    json(
      {
        id: `${siteId(item)}/config/appsettings`,
        name: 'appsettings',
        type: `${type}/config`,
        location: item.location,
        properties: Object.fromEntries(item.settings.map(({ name, value }) => [name, value])),
      },
      200,
      { etag: etagOf(item) },
    )
  app.post(
    `${at}/appsettings/list`,
    operation(
      'sites.app-settings',
      async (call) => {
        const { caller } = await inSubscription(call, 'sites')
        const item = named(estate.sites, call, type)
        authorize(cloud, caller, `${type}/config/list/action`, siteId(item))
        return settings(item)
      },
      plain,
    ),
  )
  app.put(
    `${at}/appsettings`,
    operation(
      'sites.update-app-settings',
      async (call: Call) => {
        const { caller } = await inSubscription(call, 'sites', 'arm.write')
        const item = named(estate.sites, call, type)
        authorize(cloud, caller, `${type}/config/write`, siteId(item))
        const match = call.context.req.header('if-match')
        if (match !== undefined && match !== '*' && match !== etagOf(item))
          throw new Refusal(412, 'PreconditionFailed', 'The settings have changed since they were read.')
        const { properties } = await bodyOf(call)
        if (typeof properties !== 'object' || properties === null)
          throw new Refusal(400, 'BadRequest', "Property 'properties' must be an object of strings.")
        const entries = Object.entries(properties)
        const wrong = entries.find(([, value]) => typeof value !== 'string')
        if (wrong !== undefined)
          throw new Refusal(400, 'BadRequest', `Setting '${wrong[0]}' must be a string.`)
        item.settings.splice(
          0,
          item.settings.length,
          ...entries.map(([name, value]) => ({ name, value: String(value) })),
        )
        item.revision += 1
        // Any change of the configuration restarts the site and fetches all references.
        refetchSite(estate, item, now())
        return settings(item)
      },
      writes,
    ),
  )
}
