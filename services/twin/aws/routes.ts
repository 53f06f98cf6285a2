import { Hono } from 'hono'
import type { Cloud, TwinContext } from '../operation.ts'
import { acm } from './acm.ts'
import { awsCredentials } from './caller.ts'
import { parameterStore } from './parameter-store.ts'
import { secretsManager } from './secrets-manager.ts'
import { readSignature } from './sigv4.ts'
import { stsService } from './sts.ts'

const services = ['sts', 'secretsmanager', 'ssm', 'acm'] as const
export type AwsServiceName = (typeof services)[number]
const isService = (name: string | undefined): name is AwsServiceName =>
  (services as readonly (string | undefined)[]).includes(name)

/**
 * Which service a request is for: by its host, or where it came straight to the twin, as the AWS command line does with
 * `--endpoint-url`, by what it is signed for.
 */
export function awsServiceOf(host: string, headers: Headers, direct: boolean): AwsServiceName | undefined {
  const [, named] = /^(sts|secretsmanager|ssm|acm)(?:\.[a-z0-9-]+)?\.amazonaws\.com$/.exec(host) ?? []
  if (isService(named)) return named
  if (!direct) return undefined
  const scoped = readSignature(headers.get('authorization') ?? '')?.service
  if (isService(scoped)) return scoped
  // A web identity's form is not signed.
  return headers.get('content-type')?.startsWith('application/x-www-form-urlencoded') ? 'sts' : undefined
}

/** The services of all AWS accounts of the estate. */
export function awsRoutes(cloud: Cloud): Record<AwsServiceName, Hono<{ Bindings: TwinContext['env'] }>> {
  const credentials = awsCredentials(cloud)
  const serve = (answer: (context: TwinContext) => Promise<Response>) => {
    const app = new Hono<{ Bindings: TwinContext['env'] }>()
    app.post('/', answer)
    app.notFound(() => new Response('<UnknownOperationException/>\n', { status: 404 }))
    return app
  }
  return {
    sts: serve(stsService(cloud, credentials)),
    secretsmanager: serve(secretsManager(cloud, credentials)),
    ssm: serve(parameterStore(cloud, credentials)),
    acm: serve(acm(cloud, credentials)),
  }
}
