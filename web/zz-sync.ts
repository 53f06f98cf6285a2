import { readFileSync } from 'node:fs'
const url = /http:\/\/\S+/.exec(readFileSync('/tmp/start.log', 'utf8'))![0]
const PW = 'a password to look around'
const call = async (method: string, path: string, body?: unknown, token?: string) => { const r = await fetch(url + path, { method, headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }, ...(body ? { body: JSON.stringify(body) } : {}) }); const t = await r.text(); return { status: r.status, body: t ? JSON.parse(t) : null } }
const { body: { token } } = await call('POST', '/auth/login', { name: 'admin', password: PW, as: 'bearer' })
const go = async (m: string, p: string, b?: unknown, n = 500) => { const a = await call(m, p, b, token); console.log(m, p, a.status, JSON.stringify(a.body).slice(0, n)); return a }
console.log((await go('GET', '/api/sync/status')).status)
const sources = (await go('GET', '/api/sync/sources', undefined, 300)).body.items
const source = sources.find((s: any) => s.name.includes('kv-payments-stg'))
const connectors = (await call('GET', '/api/sync/connectors', undefined, token)).body.items
await go('POST', `/api/sync/connectors/${connectors[0].connector}/test`)
const settings = { name: 'payments to AWS', kind: 'aws-secrets-manager', selector: { names: ['*'], tags: [], contentTypes: [] }, template: 'stg/{name}', overrides: [], tags: [], binary: 'as-text', deletePolicy: 'keep', pruneLimit: null, onDisabled: 'skip', onDrift: 'alert', keepVersions: 3, approval: 'first-run', everyMinutes: 60, onChange: true }
await go('POST', '/api/sync/routes', { source: source?.vault, connector: connectors[0].connector, settings: { ...settings, template: 'no {such} thing' } })
await go('POST', '/api/sync/routes', { source: source?.vault, connector: connectors[0].connector, settings: { ...settings, everyMinutes: 1 } })
const opened = await go('POST', '/api/sync/routes', { source: source?.vault, connector: connectors[0].connector, settings })
await go('POST', '/api/sync/routes', { source: source?.vault, connector: connectors[0].connector, settings: { ...settings, name: 'again' } })
const route = opened.body?.route
await new Promise((r) => setTimeout(r, 5000))
let runs = (await go('GET', '/api/sync/runs', undefined, 900)).body.items
if (!runs[0]) { await go('POST', `/api/sync/routes/${route}/runs`, {}); await new Promise((r) => setTimeout(r, 4000)); runs = (await go('GET', '/api/sync/runs', undefined, 900)).body.items }
await go('GET', `/api/sync/runs/${runs[0].run}/plan`, undefined, 900)
await go('POST', `/api/sync/runs/${runs[0].run}/decision`, { decision: 'accept', plan: runs[0].plan })
await go('PUT', '/api/sync/writes', { allowed: true })
await go('POST', `/api/sync/runs/${runs[0].run}/decision`, { decision: 'accept', plan: runs[0].plan })
await new Promise((r) => setTimeout(r, 6000))
await go('GET', '/api/sync/runs', undefined, 1200)
await go('GET', '/api/sync/status')
