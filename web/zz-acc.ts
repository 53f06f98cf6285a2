import { readFileSync } from 'node:fs'
const url = /http:\/\/\S+/.exec(readFileSync('/tmp/start.log', 'utf8'))![0]
const call = async (method: string, path: string, body?: unknown, token?: string) => { const r = await fetch(url + path, { method, headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }, ...(body ? { body: JSON.stringify(body) } : {}) }); const t = await r.text(); return { status: r.status, body: t ? JSON.parse(t) : null } }
const { body: { token } } = await call('POST', '/auth/login', { name: 'admin', password: 'a password to look around', as: 'bearer' })
const run = (await call('GET', '/api/sync/runs', undefined, token)).body.items[0]
console.log(JSON.stringify(await call('POST', `/api/sync/runs/${run.run}/decision`, { decision: 'accept', plan: run.plan }, token)))
await new Promise((r) => setTimeout(r, 6000))
console.log(JSON.stringify((await call('GET', '/api/sync/runs', undefined, token)).body.items.map((r: any) => [r.trigger, r.outcome, r.done, r.failed, r.listCalls, r.valuesRead])))
