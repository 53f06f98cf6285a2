import { Hono } from 'hono'
import { fleetView } from './fleet-view.ts'
import { mailerOf } from './mail.ts'
import { problem } from './problem.ts'
import { daily } from './scheduled.ts'
import { validate } from './validate.ts'
import { bindVendor } from './vendor.ts'

export { Registry } from './registry.ts'

const app = new Hono<{ Bindings: Env }>()

app.get('/health', (c) => c.json({ status: 'ok' }))

const check = (request: Request, env: Env, context: Pick<ExecutionContext, 'waitUntil'>) =>
  validate(request, {
    env,
    now: Date.now(),
    address: request.headers.get('cf-connecting-ip') ?? 'unknown',
    later: (work) => context.waitUntil(work),
  })

app.post('/v1/validate', (c) => check(c.req.raw, c.env, c.executionCtx))

app.get('/fleet', (c) => fleetView(c.req.raw, c.env))
app.get('/fleet/*', (c) => fleetView(c.req.raw, c.env))

bindVendor(app, { fetchIt: (input, init) => fetch(input, init), now: () => new Date() })

app.notFound(() => problem('not-found', 'no-such-path', 'Nothing answers here.'))
const broken = (error: unknown) => {
  // oxlint-disable-next-line no-console -- the Worker's only log; the name alone, never what it was about
  console.error(error instanceof Error ? error.name : 'unknown')
  return problem('internal', 'internal-error', 'Something broke on our side.')
}
app.onError(broken)

/** A licence check as installs send it, without a query. */
function isCheck({ method, url }: Request): boolean {
  return method === 'POST' && url.slice(url.indexOf('/', 'https://'.length)) === '/v1/validate'
}

// The Workers runtime asks for a default export.
export default {
  // Nearly every request is a licence check, and the router would cost it as much as the reading of its counts.
  fetch: (request: Request, env: Env, context: ExecutionContext) =>
    isCheck(request) ? check(request, env, context).catch(broken) : app.fetch(request, env, context),
  scheduled: (controller: { readonly scheduledTime: number }, env: Env) =>
    daily(
      env,
      new Date(controller.scheduledTime),
      mailerOf(env, (input, init) => fetch(input, init)),
    ),
}
