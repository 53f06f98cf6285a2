/** Makes the signing key of a local run, once: `.dev.vars` is read by `wrangler dev` and never committed. */
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'

const file = new URL('./.dev.vars', import.meta.url)
if (!existsSync(file)) {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  writeFileSync(file, `SIGNING_KEY='${JSON.stringify(jwk)}'\n`, { mode: 0o600 })
}
