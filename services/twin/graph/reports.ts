import type { Application, ServicePrincipal } from '../estate/estate.ts'
import { json, type Cloud } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import type { GraphAccess } from './access.ts'
import type { GraphApp } from './routes.ts'

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')

/**
 * How lately each credential of an application was used, as of some while ago: the report lags.
 * @see https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities
 */
export function reportRoutes(app: GraphApp, cloud: Cloud, { operation, admit, newId }: GraphAccess) {
  const { estate, clock } = cloud
  app.get(
    '/beta/reports/appCredentialSignInActivities',
    operation('reports.credential-sign-ins', async (call) => {
      await admit(call, ['AuditLog.Read.All', 'Directory.Read.All'], ['$filter', '$top'])
      const filter = call.url.searchParams.get('$filter')
      const appId = filter?.match(/^\s*appId\s+eq\s+'([^']*)'\s*$/)?.[1]
      if (filter !== null && appId === undefined)
        throw new Refusal(
          400,
          'Request_UnsupportedQuery',
          'Unsupported or invalid query filter clause specified.',
        )
      const seenUpTo = (clock.now() - cloud.settings.signInReportLagMs) / 1000
      const rows = (holder: Application | ServicePrincipal, origin: 'application' | 'servicePrincipal') =>
        [
          ...holder.passwords.map((one) => ({ ...one, keyType: 'clientSecret' })),
          ...holder.keys.map((one) => ({ ...one, keyType: 'certificate' })),
        ].flatMap(({ keyId, keyType, startsAt, endsAt }) => {
          const last = estate.signIns[keyId]?.findLast((at) => at <= seenUpTo)
          // A credential that was never seen in use has no row.
          return last === undefined
            ? []
            : [
                {
                  id: Buffer.from(`${holder.appId}|${keyId}`).toString('base64'),
                  keyId,
                  keyType,
                  keyUsage: keyType === 'clientSecret' ? 'sign' : 'verify',
                  appId: holder.appId,
                  appObjectId: holder.id,
                  servicePrincipalObjectId:
                    estate.servicePrincipals.find((one) => one.appId === holder.appId)?.id ?? null,
                  resourceId: '00000003-0000-0000-c000-000000000000',
                  credentialOrigin: origin,
                  createdDateTime: iso(startsAt),
                  expirationDateTime: iso(endsAt),
                  signInActivity: {
                    lastSignInDateTime: iso(last),
                    lastSignInRequestId: newId(),
                  },
                },
              ]
        })
      return json({
        '@odata.context': `https://${call.host}/beta/$metadata#reports/appCredentialSignInActivities`,
        value: [
          ...estate.applications.flatMap((one) => rows(one, 'application')),
          ...estate.servicePrincipals.flatMap((one) => rows(one, 'servicePrincipal')),
        ].filter((row) => appId === undefined || row.appId === appId),
      })
    }),
  )
}
