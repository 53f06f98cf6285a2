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

app.post('/v1/validate', (c) =>
  validate(c.req.raw, {
    env: c.env,
    now: new Date(),
    address: c.req.header('cf-connecting-ip') ?? 'unknown',
    later: (work) => c.executionCtx.waitUntil(work),
  }),
)

app.get('/fleet', (c) => fleetView(c.req.raw, c.env))
app.get('/fleet/*', (c) => fleetView(c.req.raw, c.env))

bindVendor(app, { fetchIt: (input, init) => fetch(input, init), now: () => new Date() })

app.notFound(() => problem('not-found', 'no-such-path', 'Nothing answers here.'))
app.onError((error) => {
  // oxlint-disable-next-line no-console -- the Worker's only log; the name alone, never what it was about
  console.error(error.name)
  return problem('internal', 'internal-error', 'Something broke on our side.')
})

// The Workers runtime asks for a default export.
export default {
  fetch: app.fetch,
  scheduled: (controller: { readonly scheduledTime: number }, env: Env) =>
    daily(
      env,
      new Date(controller.scheduledTime),
      mailerOf(env, (input, init) => fetch(input, init)),
    ),
}
