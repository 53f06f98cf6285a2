import type { Hono } from 'hono'
import type { Cloud, TwinContext } from '../operation.ts'
import { certificateManager } from './certificate-manager.ts'
import { credentialsService, keyTokenService, tokenService } from './federation.ts'
import { secretManager } from './secret-manager.ts'
import { accessTokens } from './wire.ts'

type App = Hono<{ Bindings: TwinContext['env'] }>

/** Google's services by host. */
export function gcpRoutes(cloud: Cloud): Record<GcpHost, App> {
  const tokens = accessTokens(cloud)
  return {
    'sts.googleapis.com': tokenService(cloud, tokens),
    'iamcredentials.googleapis.com': credentialsService(cloud, tokens),
    'oauth2.googleapis.com': keyTokenService(cloud, tokens),
    'secretmanager.googleapis.com': secretManager(cloud, tokens),
    'certificatemanager.googleapis.com': certificateManager(cloud, tokens),
  }
}

export type GcpHost =
  | 'sts.googleapis.com'
  | 'iamcredentials.googleapis.com'
  | 'oauth2.googleapis.com'
  | 'secretmanager.googleapis.com'
  | 'certificatemanager.googleapis.com'

/** Which host a path belongs to that came straight to the twin, as `gcloud` sends it with an endpoint override. */
export function gcpHostOf(path: string): GcpHost | undefined {
  if (path === '/v1/token') return 'sts.googleapis.com'
  if (path.startsWith('/v1/projects/-/serviceAccounts/')) return 'iamcredentials.googleapis.com'
  if (/^\/v1\/projects\/[^/]+\/secrets(\/|$|:)/.test(path)) return 'secretmanager.googleapis.com'
  if (/^\/v1\/projects\/[^/]+\/locations\/[^/]+\/(certificates|operations)/.test(path))
    return 'certificatemanager.googleapis.com'
  return undefined
}
