import { runInDurableObject } from 'cloudflare:test'
import { COUNTERS } from '@attestry/contracts'
import { describe, expect, test, vi } from 'vitest'
import { BY, env, issue, LATER, readAnswer, requestOf, send, validate, vendor } from './for-tests.ts'
import type { Mail } from './mail.ts'
import { smtp2go } from './mail.ts'
import { dueNotice } from './notices.ts'
import { LOG_DAYS } from './upkeep.ts'
import { daily } from './scheduled.ts'
import { isPerson } from './turnstile.ts'
import { REGISTRY } from './validate.ts'

const DAY_MS = 86_400_000
const registry = () => env.REGISTRY.getByName(REGISTRY)

/** Every row of every table of the registry. */
const tables = () =>
  runInDurableObject(registry(), (_, state) => {
    const { sql } = state.storage
    const names = sql.exec<{ name: string }>("select name from sqlite_master where type = 'table'").toArray()
    const ours = names.map((n) => n.name).filter((name) => !/^(_cf|sqlite)/.test(name))
    return Object.fromEntries(
      ours.map((name) => [name, sql.exec<Record<string, unknown>>(`select * from "${name}"`).toArray()]),
    )
  })

/** Everything in KV: names, values and metadata. */
const entries = async () => {
  const { keys } = await env.LICENSES.list({ prefix: '' })
  return Promise.all(keys.map(async (k) => ({ ...k, ...(await env.LICENSES.getWithMetadata(k.name)) })))
}

describe('what is stored', () => {
  test('after a run is what docs/privacy.md lists, field by field, and nothing of a key, an address or a request beside it', async () => {
    const logged: unknown[][] = []
    const spies = (['log', 'error', 'warn', 'info', 'debug'] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((...said: unknown[]) => void logged.push(said)),
    )
    const { license, key } = await issue({ contact: 'sam@fabrikam.example', customer: 'Fabrikam' })
    const from = '198.51.100.77'
    const stats = JSON.stringify({ vaults: 12, secrets: 3456 })
    await readAnswer(await validate(requestOf(key, { stats }), {}, from))
    await readAnswer(await validate(requestOf(key, { stats: '{"vaultNames":["kv-payroll"]}' }), {}, from))
    await validate('{"key":"kv-payroll', {}, from)
    await send('/v1/validate', { method: 'POST', body: 'kv-payroll' }, { LICENSES: undefined as never }, from)
    const mark = crypto.randomUUID()
    await vendor('support', 'POST', `/v1/vendor/licenses/${license}/rotate-key`, {}, mark)

    const rows = await tables()
    const kv = await entries()
    const everything = JSON.stringify([rows, kv, logged])
    for (const secret of [key, key.slice(9), from, mark, 'kv-payroll', 'token-of-the-tests'])
      expect(everything).not.toContain(secret)

    const columns = Object.fromEntries(
      Object.entries(rows).flatMap(([name, [first]]) => (first ? [[name, Object.keys(first).sort()]] : [])),
    )
    expect(columns).toMatchObject({
      license: [
        'contact',
        'customer',
        'expires_at',
        'installs',
        'issued_at',
        'license',
        'revoked_at',
        'state',
        'tier',
        'trial',
      ],
      license_key: ['digest', 'license', 'prefix', 'since', 'until'],
      seat: ['install', 'license', 'since'],
      validation: ['at', 'key_digest', 'verdict', 'version'],
      audit: ['action', 'at', 'by_name', 'detail', 'id', 'license', 'role'],
      done: ['asked', 'at', 'mark'],
    })
    const own = kv.filter((k) => k.name.includes(license) || JSON.stringify(k).includes(license))
    const [record] = own.filter((k) => k.name.startsWith('lic:'))
    expect(record?.name).toMatch(/^lic:[0-9a-f]{64}$/)
    expect(Object.keys(JSON.parse(record?.value ?? '{}')).sort()).toEqual([
      'expiresAt',
      'installs',
      'license',
      'seats',
      'suspended',
      'tier',
    ])
    const [seen] = own.filter((k) => k.name.startsWith('fs:'))
    expect(seen?.value).toBe('')
    expect(Object.keys(seen?.metadata as object).sort()).toEqual(['a', 'c', 'l', 'v'])
    expect(kv.every((k) => /^(lic|fs):/.test(k.name))).toBe(true)
    for (const spy of spies) spy.mockRestore()
  })

  test('of the largest counts fits into the metadata, and is gone when they are no longer sent', async () => {
    const { license, key } = await issue()
    const most = JSON.stringify(Object.fromEntries(COUNTERS.map((name) => [name, Number.MAX_SAFE_INTEGER])))
    expect(
      (await readAnswer(await validate(requestOf(key, { stats: most, version: '9999.9999.9999' })))).stats,
    ).toBe('accepted')
    const metadata = async () => (await entries()).find((k) => k.name.startsWith(`fs:${license}:`))?.metadata
    const full = await metadata()
    expect(new TextEncoder().encode(JSON.stringify(full)).byteLength).toBeLessThanOrEqual(1024)
    await validate(requestOf(key, { version: '9999.9999.9999' }))
    expect(await metadata()).toMatchObject({ c: null })
  })
})

describe('once a day', () => {
  test('the validation log loses what is older than 90 days, and licences a year after their end', async () => {
    const now = new Date('2026-11-26T03:17:00.000Z')
    const day = (n: number) => new Date(now.getTime() - n * DAY_MS).toISOString()
    const line = (at: string, version: string) => ({
      at,
      keyDigest: 'a'.repeat(64),
      verdict: 'VALID',
      version,
    })
    await registry().logValidation(line(day(LOG_DAYS + 1), '1.0.1'))
    await registry().logValidation(line(day(LOG_DAYS - 1), '1.0.2'))
    const gone = {
      license: 'lic-0000gone',
      tier: 'pro',
      state: 'active',
      expiresAt: day(366),
      installs: 3,
      trial: false,
      customer: 'Old',
      contact: 'old@old.example',
      issuedAt: day(800),
    } as const
    await registry().issue(BY, gone, { digest: 'b'.repeat(64), prefix: 'ATT-GONE' })
    await registry().issue(
      BY,
      { ...gone, license: 'lic-0000kept', expiresAt: day(364) },
      { digest: 'c'.repeat(64), prefix: 'ATT-KEPT' },
    )
    await env.LICENSES.put('fs:lic-0000gone:01890a5d-ac96-774b-bcce-b302099a8057', '', { metadata: {} })
    await daily(env, now, null)
    const rows = await tables()
    const versions = rows['validation']?.map((r) => r['version'])
    expect(versions).toContain('1.0.2')
    expect(versions).not.toContain('1.0.1')
    const everything = JSON.stringify([rows, await entries()])
    for (const trace of ['lic-0000gone', 'ATT-GONE', 'b'.repeat(64)]) expect(everything).not.toContain(trace)
    expect(everything).toContain('lic-0000kept')
    const { body } = await vendor('reader', 'GET', '/v1/vendor/trends?days=400')
    expect(body.items?.map((d) => d['day'])).toContain('2026-11-26')
  })

  test('contacts are told once of an end that comes near, and again if the mail did not go', async () => {
    const now = new Date('2026-11-26T03:17:00.000Z')
    const { license, key } = await issue({
      contact: 'end@contoso.example',
      expiresAt: '2026-12-02T12:00:00.000Z',
    })
    const mails: Mail[] = []
    let works = false
    const mailer = { send: (mail: Mail) => (mails.push(mail), Promise.resolve(works)) }
    const mine = () => mails.filter((m) => m.to === 'end@contoso.example')
    await daily(env, now, mailer)
    works = true
    await daily(env, now, mailer)
    await daily(env, new Date(now.getTime() + DAY_MS), mailer)
    expect(mine()).toHaveLength(2)
    expect(mine()[1]).toMatchObject({ subject: 'Your Attestry licence ends on 2026-12-02' })
    expect(mine()[1]?.text).toContain(key.slice(0, 8))
    expect(mine()[1]?.text).not.toContain(key)
    await daily(env, new Date(now.getTime() + 6 * DAY_MS), mailer)
    await daily(env, new Date(now.getTime() + 7 * DAY_MS), mailer)
    expect(mine().map((m) => m.subject.includes('ended'))).toEqual([false, false, false, true])
    await vendor('support', 'POST', `/v1/vendor/licenses/${license}/extend`, { expiresAt: LATER })
    await daily(env, new Date(now.getTime() + 8 * DAY_MS), mailer)
    expect(mine()).toHaveLength(4)
  })

  test.each([
    [40, [], null],
    [29, [], '30-days'],
    [29, ['30-days'], null],
    [13, ['30-days'], '14-days'],
    [6, [], '7-days'],
    [0.5, ['7-days'], '1-days'],
    [-1, ['1-days'], '0-days'],
    [-1, ['0-days'], null],
    [-40, [], null],
  ])('dueNotice() with %d days left and %j told is %j', (left, told, due) => {
    const now = new Date('2026-11-26T00:00:00.000Z')
    expect(dueNotice(new Date(now.getTime() + left * DAY_MS).toISOString(), told, now)).toBe(due)
  })
})

describe('a person', () => {
  test('gets everything that is stored about an address, and has it erased while the licence stays', async () => {
    const email = 'alex@woodgrove.example'
    const { license, key } = await issue({ contact: 'Alex@Woodgrove.example', customer: 'Woodgrove' })
    await readAnswer(await validate(requestOf(key, { stats: '{"vaults":2}' })))
    const { body } = await vendor('manager', 'POST', '/v1/vendor/subjects/export', { email })
    expect(body).toMatchObject({
      email,
      licenses: [{ license, customer: 'Woodgrove' }],
      installs: [{ counts: { vaults: 2 } }],
    })
    expect((await vendor('manager', 'POST', '/v1/vendor/subjects/erase', { email })).body).toMatchObject({
      licenses: 1,
    })
    const everything = JSON.stringify([await tables(), await entries()]).toLowerCase()
    for (const trace of ['woodgrove', 'alex@']) expect(everything).not.toContain(trace)
    expect((await readAnswer(await validate(requestOf(key)))).verdict).toBe('VALID')
  })
})

describe('a trial', () => {
  const ask = (more: Partial<Env>, email = 'new@trial.example') =>
    send(
      '/v1/trials',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ company: 'New', email, turnstile: 'token' }),
      },
      more,
    )

  test('is closed where no mail or no Turnstile is set up', async () => {
    const response = await ask({})
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'trials-closed' })
  })

  test('sends its key to the address, once, and is open again where the mail did not go', async () => {
    const far: { url: string; body: string }[] = []
    let person = true
    let mailed = true
    const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init)
      far.push({ url: request.url, body: await request.text() })
      return request.url.endsWith('/siteverify')
        ? Response.json({ success: person })
        : Response.json({ data: { succeeded: mailed ? 1 : 0 } })
    })
    const open = {
      TURNSTILE_SECRET: 'turnstile-secret',
      SMTP2GO_API_KEY: 'api-key',
      MAIL_API: 'https://eu-api.smtp2go.com/v3',
      MAIL_FROM: 'licence@vendor.example',
    }
    const email = 'kai@graphic-design.example'
    const mails = () => far.filter((f) => f.url.endsWith('/email/send')).map((f) => f.body)
    const keyIn = (mail = '') => /ATT(-[0-9A-Z]{5}){6}/.exec(mail)?.[0] ?? ''
    person = false
    expect((await ask(open, email)).status).toBe(403)
    expect(mails()).toEqual([])
    person = true
    mailed = false
    expect((await ask(open, email)).status).toBe(503)
    const unsent = keyIn(mails()[0])
    expect((await readAnswer(await validate(requestOf(unsent)))).verdict).toBe('INVALID')
    mailed = true
    expect((await ask(open, email.toUpperCase())).status).toBe(204)
    const key = keyIn(mails()[1])
    expect(mails()[1]).toContain(email)
    expect(await readAnswer(await validate(requestOf(key)))).toMatchObject({
      verdict: 'VALID',
      tier: 'enterprise',
    })
    const other = '01890a5d-ac96-774b-bcce-b302099a8058'
    expect((await readAnswer(await validate(requestOf(key, { install: other })))).verdict).toBe(
      'TOO_MANY_INSTALLS',
    )
    // A second one is answered as the first, and nothing is sent.
    expect((await ask(open, email)).status).toBe(204)
    expect(mails()).toHaveLength(2)
    expect(JSON.stringify([await tables(), await entries()])).not.toContain(key.slice(9))
    spy.mockRestore()
  })

  test('is given once a year to an address, and the registry keeps its digest alone', async () => {
    const digest = 'd'.repeat(64)
    expect(await registry().beginTrial(digest, 'lic-00000t01', '2026-01-01T00:00:00.000Z')).toBe(true)
    expect(await registry().beginTrial(digest, 'lic-00000t02', '2026-12-01T00:00:00.000Z')).toBe(false)
    expect(await registry().beginTrial(digest, 'lic-00000t03', '2027-01-02T00:00:00.000Z')).toBe(true)
  })
})

describe('the far sides', () => {
  /** What a far side was asked, and answers as it is told to. */
  const farSide = (status: number, body: unknown) => {
    const asked: { url: string; headers: Headers; body: unknown }[] = []
    const fetchIt: typeof fetch = async (input, init) => {
      const request = new Request(input, init)
      asked.push({ url: request.url, headers: request.headers, body: await request.json() })
      return Response.json(body, { status })
    }
    return { asked, fetchIt }
  }
  const mail = { to: 'kim@contoso.example', subject: 'Subject', text: 'Text' }
  const sendBy = (fetchIt: typeof fetch) =>
    smtp2go({
      api: 'https://eu-api.smtp2go.com/v3',
      apiKey: 'api-key',
      from: 'Attestry <licence@vendor.example>',
      fetchIt,
    }).send(mail)

  test('SMTP2GO is asked as its API wants it, and only a clear yes counts', async () => {
    const good = farSide(200, {
      request_id: 'r',
      data: { succeeded: 1, failed: 0, failures: [], email_id: 'e' },
    })
    expect(await sendBy(good.fetchIt)).toBe(true)
    expect(good.asked[0]?.url).toBe('https://eu-api.smtp2go.com/v3/email/send')
    expect(good.asked[0]?.headers.get('x-smtp2go-api-key')).toBe('api-key')
    expect(good.asked[0]?.body).toEqual({
      sender: 'Attestry <licence@vendor.example>',
      to: ['kim@contoso.example'],
      subject: 'Subject',
      text_body: 'Text',
    })
    expect(await sendBy(farSide(200, { data: { succeeded: 0, failed: 1 } }).fetchIt)).toBe(false)
    expect(await sendBy(farSide(400, { data: { error: 'no' } }).fetchIt)).toBe(false)
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(await sendBy(() => Promise.reject(new Error('away')))).toBe(false)
    quiet.mockRestore()
  })

  test('Turnstile is asked with the secret, and anything but a clear yes is no', async () => {
    const options = { secret: 'turnstile-secret', address: '192.0.2.9' }
    const good = farSide(200, { success: true })
    expect(await isPerson('token', { ...options, fetchIt: good.fetchIt })).toBe(true)
    expect(good.asked[0]?.body).toEqual({
      secret: 'turnstile-secret',
      response: 'token',
      remoteip: '192.0.2.9',
    })
    expect(await isPerson('token', { ...options, fetchIt: farSide(200, { success: false }).fetchIt })).toBe(
      false,
    )
    expect(await isPerson('token', { ...options, fetchIt: farSide(500, { success: true }).fetchIt })).toBe(
      false,
    )
  })
})
