import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { type Cloud, operations } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { keyVaultPlane } from './access.ts'
import { certificateRoutes } from './certificates.ts'
import { keyRoutes } from './keys.ts'
import { secretRoutes } from './secrets.ts'

export type KeyVaultApp = Hono<{ Bindings: HttpBindings }>
export type KeyVaultOperation = ReturnType<typeof operations>

/** The data plane of all vaults: which vault is meant is in the host name. */
export function keyVaultRoutes(cloud: Cloud): KeyVaultApp {
  // The SDKs leave an empty segment where no version is named: `/secrets/name/`, `/keys/name//sign`.
  const app: KeyVaultApp = new Hono({
    getPath: (request) => new URL(request.url).pathname.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, ''),
  })
  const operation = operations(cloud, keyVaultPlane)
  secretRoutes(app, cloud, operation)
  keyRoutes(app, cloud, operation)
  certificateRoutes(app, cloud, operation)
  app.notFound(
    operation('unknown', (call) => {
      throw new Refusal(
        404,
        'NotFound',
        `Path '${call.url.pathname}' with method ${call.context.req.method} is not an operation of this vault.`,
      )
    }),
  )
  return app
}
