import { type FilePayload, newLicenseKey, prefixOf, TIERS } from '@attestry/contracts'
import { TrendDay, type VendorEndpoint, vendorHttp, vendorMay } from '@attestry/contracts/http'
import type { Hono } from 'hono'
import * as z from 'zod'
import { readJson } from './body.ts'
import { findInstalls, healthOf, listSeen } from './fleet.ts'
import type { License, Wish } from './license.ts'
import type { Doing, Once } from './licenses.ts'
import { mailerOf } from './mail.ts'
import { isRefused, problem, refuse, type Refused } from './problem.ts'
import { digestOf, hex } from './projection.ts'
import { seenName } from './seen.ts'
import { sign } from './sign.ts'
import { isPerson } from './turnstile.ts'
import { REGISTRY } from './validate.ts'
import { type Vendor, vendorOf } from './vendor-token.ts'

type Table = typeof vendorHttp
type Reply<E extends VendorEndpoint> = E['reply'] extends z.ZodType ? z.input<E['reply']> : undefined

interface Call<E extends VendorEndpoint> {
  readonly env: Env
  readonly now: Date
  readonly address: string
  readonly fetchIt: typeof fetch
  readonly params: Readonly<Record<string, string>>
  readonly query: E['query'] extends z.ZodObject ? z.output<E['query']> : undefined
  readonly body: E['body'] extends z.ZodType ? z.output<E['body']> : undefined
  readonly vendor: Vendor
  /** The caller's `Idempotency-Key`, with whose it is; null where none came. */
  readonly mark: string | null
  readonly once: Once | undefined
}

type Handlers = {
  readonly [K in keyof Table]: (
    call: Call<Table[K]>,
  ) => Promise<Reply<Table[K]> | Refused<keyof Table[K]['refusals'] & string>>
}

const BODY_BYTES = 16_384
const DAY_MS = 86_400_000
const TRIAL_DAYS = 14

const registryOf = (env: Env) => env.REGISTRY.getByName(REGISTRY)
const doing = (c: { vendor: Vendor; now: Date; once: Once | undefined }): Doing => ({
  ...c.vendor,
  at: c.now.toISOString(),
  once: c.once,
})
const random = (bytes: number): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(bytes))
const newLicenseId = (): string => `lic-${hex(random(10).buffer)}`

/**
 * The random bytes of a key. For a marked request they follow from the mark and a secret of the service (HKDF,
 * RFC 5869): so a repetition, whose first answer may be lost, is told the same key, and the key is kept nowhere.
 */
async function keySource(c: { env: Env; mark: string | null }): Promise<(bytes: number) => Uint8Array> {
  if (c.mark === null) return random
  const bytes = new TextEncoder()
  const secret = await crypto.subtle.importKey('raw', bytes.encode(c.env.SIGNING_KEYS), 'HKDF', false, [
    'deriveBits',
  ])
  const info = bytes.encode(`attestry licence key ${c.mark}`)
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
  const stream = new Uint8Array(await crypto.subtle.deriveBits(hkdf, secret, 8 * 4096))
  let taken = 0
  return (wanted) => {
    // Some hundred draws are there, and each succeeds with probability 32 in 37.
    if (taken + wanted > stream.length) throw new Error('no key came of this mark')
    return stream.slice(taken, (taken += wanted))
  }
}

/** A new key: the text, which is shown once, and what is stored of it. */
async function makeKey(c: {
  env: Env
  mark: string | null
}): Promise<{ key: string; stored: { digest: string; prefix: string } }> {
  const key = newLicenseKey(await keySource(c))
  return { key, stored: { digest: await digestOf(key), prefix: prefixOf(key) } }
}

const badPlace = refuse('bad-place', 'The place to go on from is none that this list gave.')

const wish = async (c: Call<VendorEndpoint>, what: Wish, reason: string | null) =>
  registryOf(c.env).change(doing(c), c.params['license'] ?? '', what, reason)

/** The handlers of the vendor's endpoint table. */
const handlers: Handlers = {
  vendorSession: async ({ vendor }) => vendor,

  fleetHealth: async ({ env, now }) => {
    const [seen, standing] = await Promise.all([
      listSeen(env.LICENSES),
      registryOf(env).standing(now.toISOString()),
    ])
    return healthOf(seen, standing.licenses, new Map(standing.tiers), now)
  },

  trends: async ({ env, now, query }) => {
    const since = new Date(now.getTime() - query.days * DAY_MS).toISOString().slice(0, 10)
    const days = await registryOf(env).trends(since)
    return { items: days.map((d) => TrendDay.parse({ ...d, totals: JSON.parse(d.totals) })) }
  },

  listInstalls: async ({ env, now, query: { after, limit, license, version, silent } }) => {
    const found = await findInstalls(
      env.LICENSES,
      { license, version, silent: silent === undefined ? undefined : silent === 'true' },
      { after, limit, now },
    )
    if (!found) return badPlace
    const titles = await registryOf(env).titles([...new Set(found.items.map((i) => i.license))])
    const of = new Map(titles.map((t) => [t.license, t]))
    return {
      items: found.items.map((i) => ({
        ...i,
        tier: of.get(i.license)?.tier ?? null,
        customer: of.get(i.license)?.customer ?? null,
      })),
      next: found.next,
    }
  },

  listLicenses: async ({ env, now, query }) => {
    const after = query.after?.split(' ')
    if (after && after.length !== 2) return badPlace
    const { items, total } = await registryOf(env).list({
      now: now.toISOString(),
      search: query.search,
      standing: query.standing,
      tier: query.tier,
      order: query.order,
      after: after && [after[0] ?? '', after[1] ?? ''],
      limit: query.limit,
    })
    const last = items.at(-1)
    const sortedBy = query.order === 'newest' ? last?.issuedAt : last?.expiresAt
    return {
      items,
      total,
      next: last && items.length === query.limit ? `${sortedBy} ${last.license}` : null,
    }
  },

  readLicense: async ({ env, params }) => {
    const license = params['license'] ?? ''
    const found = await registryOf(env).read(license)
    if (!found) return refuse('no-such-license', 'There is no such licence.')
    const { installs } = await listSeen(env.LICENSES, license)
    const { features, limits } = TIERS[found.row.tier]
    return {
      ...found.row,
      features: [...features],
      limits,
      keys: found.keys,
      seats: found.seats,
      seen: installs,
      audit: found.audit,
    }
  },

  issueLicense: async (c) => {
    const { tier, expiresAt, installs, customer, contact } = c.body
    if (Date.parse(expiresAt) <= c.now.getTime())
      return refuse('already-over', 'The licence would be over before it begins.')
    const { key, stored } = await makeKey(c)
    const license: License = {
      license: newLicenseId(),
      tier,
      state: 'active',
      expiresAt,
      installs: installs === undefined ? TIERS[tier].installs : installs,
      trial: false,
      customer,
      contact: contact?.toLowerCase() ?? null,
      issuedAt: c.now.toISOString(),
    }
    const issued = await registryOf(c.env).issue(doing(c), license, stored)
    return typeof issued === 'string' ? { license: issued, key } : issued
  },

  // Each wish has only the refusals that decide() gives it; its line of the table names them.
  extendLicense: (c) => wish(c, { do: 'extend', expiresAt: c.body.expiresAt }, null) as never,
  changeTier: (c) =>
    wish(
      c,
      {
        do: 'change-tier',
        tier: c.body.tier,
        ...(c.body.installs === undefined ? {} : { installs: c.body.installs }),
      },
      null,
    ) as never,
  suspendLicense: (c) => wish(c, { do: 'suspend' }, c.body.reason) as never,
  revokeLicense: (c) => wish(c, { do: 'revoke' }, c.body.reason) as never,
  reinstateLicense: (c) => wish(c, { do: 'reinstate' }, c.body.reason) as never,

  rotateKey: async (c) => {
    const { key, stored } = await makeKey(c)
    const until = new Date(c.now.getTime() + c.body.overlapDays * DAY_MS).toISOString()
    const oldUntil = await registryOf(c.env).rotateKey(doing(c), c.params['license'] ?? '', stored, until)
    return typeof oldUntil === 'string' ? { key, oldUntil } : oldUntil
  },

  releaseInstall: async (c) => {
    const { license = '', install = '' } = c.params
    const refused = await registryOf(c.env).releaseInstall(doing(c), license, install)
    if (refused) return refused
    await c.env.LICENSES.delete(seenName(license, install))
    return undefined
  },

  licenseFile: async (c) => {
    const found = await registryOf(c.env).fileFor(doing(c), c.params['license'] ?? '', c.body.install)
    if (isRefused(found)) return found
    const { features, limits } = TIERS[found.tier]
    const payload: FilePayload = {
      kind: 'file',
      license: found.license,
      tier: found.tier,
      features: [...features],
      limits,
      expiresAt: found.expiresAt,
      iat: c.now.toISOString(),
      exp: found.expiresAt,
      install: c.body.install,
    }
    return sign(payload, c.env.SIGNING_KEYS)
  },

  listAudit: async ({ env, query }) => {
    if (query.after !== undefined && !/^\d{1,15}$/.test(query.after)) return badPlace
    const items = await registryOf(env).audit({
      license: query.license,
      before: query.after === undefined ? undefined : Number(query.after),
      limit: query.limit,
    })
    const last = items.at(-1)
    return { items, next: last && items.length === query.limit ? String(last.id) : null }
  },

  exportSubject: async (c) => {
    const email = c.body.email.toLowerCase()
    const found = await registryOf(c.env).subject(doing(c), email, await digestOf(email))
    const installs = await Promise.all(found.licenses.map((l) => listSeen(c.env.LICENSES, l.license)))
    return { email, ...found, installs: installs.flatMap((i) => i.installs) }
  },

  eraseSubject: async (c) => {
    const email = c.body.email.toLowerCase()
    return registryOf(c.env).eraseSubject(doing(c), email, await digestOf(email))
  },

  startTrial: async (c) => {
    const mailer = mailerOf(c.env, c.fetchIt)
    const secret = c.env.TURNSTILE_SECRET
    if (!mailer || !secret) return refuse('trials-closed', 'Trials cannot be begun here; write to us.')
    const { turnstile, company } = c.body
    if (!(await isPerson(turnstile, { secret, address: c.address, fetchIt: c.fetchIt })))
      return refuse('not-a-person', 'The check that a person asks did not pass; try again.')
    const email = c.body.email.toLowerCase()
    const { key, stored } = await makeKey(c)
    const license: License = {
      license: newLicenseId(),
      tier: 'enterprise',
      state: 'active',
      expiresAt: new Date(c.now.getTime() + TRIAL_DAYS * DAY_MS).toISOString(),
      installs: 1,
      trial: true,
      customer: company,
      contact: email,
      issuedAt: c.now.toISOString(),
    }
    const registry = registryOf(c.env)
    // Who had one already is told nothing else than who gets one: addresses cannot be tried out.
    if (!(await registry.beginTrial(await digestOf(email), license.license, c.now.toISOString())))
      return undefined
    const by: Doing = { name: 'trial sign-up', role: 'reader', at: c.now.toISOString() }
    await registry.issue(by, license, stored)
    const sent = await mailer.send({
      to: email,
      subject: 'Your Attestry trial',
      text: `Your key, for one install and ${TRIAL_DAYS} days:\n\n${key}\n\nEnter it in Settings → Licence.`,
    })
    if (!sent) {
      await registry.change(by, license.license, { do: 'revoke' }, 'its mail could not be sent')
      await registry.forgetTrial(license.license)
      return refuse('trials-closed', 'The mail with the key could not be sent; try again later.')
    }
    return undefined
  },
}

const fieldsOf = (error: z.ZodError, where: string) =>
  error.issues.map((i) => ({ field: [where, ...i.path.map(String)].join('.'), message: i.message }))

/** Puts the vendor's table on the Worker: token, role, input, refusals. */
export function bindVendor(
  app: Hono<{ Bindings: Env }>,
  outside: { readonly fetchIt: typeof fetch; readonly now: () => Date },
): void {
  for (const [name, endpoint] of Object.entries<VendorEndpoint>(vendorHttp)) {
    // The table and the handlers share their keys by type; entries() forgets it.
    const handler = handlers[name as keyof Table] as (call: Call<VendorEndpoint>) => Promise<unknown>
    app.on(endpoint.method, endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (c) => {
      const request = c.req.raw
      const address = request.headers.get('cf-connecting-ip') ?? 'unknown'
      if (!(await c.env.BY_ADDRESS.limit({ key: `vendor ${address}` })).success)
        return problem('too-many', 'too-many-requests', 'Too many requests; try again in a minute.')
      let vendor: Vendor = { name: 'nobody', role: 'reader' }
      if (endpoint.roles !== 'open') {
        const found = await vendorOf(request, c.env.VENDOR_TOKENS)
        if (!found) return problem('unauthenticated', 'not-signed-in', 'Send a vendor token.')
        if (!vendorMay(found.role, endpoint.roles))
          return problem('forbidden', 'role-missing', `This needs the role ${endpoint.roles}.`)
        vendor = found
      }
      const query = endpoint.query?.safeParse(c.req.query())
      if (query && !query.success)
        return problem('invalid', 'bad-query', 'The query has wrong fields.', fieldsOf(query.error, 'query'))
      let body: unknown
      if (endpoint.body) {
        const read = await readJson(request, BODY_BYTES)
        if (read instanceof Response) return read
        const parsed = endpoint.body.safeParse(read.value)
        if (!parsed.success)
          return problem('invalid', 'bad-body', 'The body has wrong fields.', fieldsOf(parsed.error, 'body'))
        body = parsed.data
      }
      const marked = request.headers.get('idempotency-key')
      if (marked !== null && !z.uuid().safeParse(marked).success)
        return problem('invalid', 'bad-header', 'Idempotency-Key is a UUID, another one for each request.')
      const mark = marked === null || endpoint.method === 'GET' ? null : `${vendor.name} ${marked}`
      const answer = await handler({
        env: c.env,
        now: outside.now(),
        address,
        fetchIt: outside.fetchIt,
        params: c.req.param(),
        // Parsed with the endpoint's own schemas.
        query: query?.data as never,
        body: body as never,
        vendor,
        mark,
        once:
          mark === null
            ? undefined
            : {
                mark: await digestOf(mark),
                asked: await digestOf(`${endpoint.method} ${c.req.path} ${JSON.stringify(body ?? null)}`),
              },
      })
      if (isRefused(answer)) {
        const kind = endpoint.refusals[answer.refused]
        if (!kind) throw new Error(`${name} refused with ${answer.refused}, which its table does not name`)
        return problem(kind, answer.refused, answer.detail)
      }
      if (endpoint.reply === null) return new Response(null, { status: 204 })
      if (typeof endpoint.reply === 'string') throw new Error(`${name} has no reply to give`)
      return Response.json(endpoint.reply.parse(answer), { headers: { 'cache-control': 'no-store' } })
    })
  }
}
