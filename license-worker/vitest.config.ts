import { createHash, generateKeyPairSync } from 'node:crypto'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Two signing keys, the newer first, so that their overlap can be tested. */
const keys = ['2026-02', '2026-01'].map((kid) => ({ kid, ...generateKeyPairSync('ed25519') }))
const tokens = {
  reader: 'reader-token-of-the-tests',
  support: 'support-token-of-the-tests',
  manager: 'manager-token-of-the-tests',
}

/** The tests run inside workerd, with keys made for this run. */
export default defineConfig({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: './wrangler.jsonc' },
      remoteBindings: false,
      miniflare: {
        bindings: {
          SIGNING_KEYS: JSON.stringify(
            keys.map((k) => ({ kid: k.kid, jwk: k.privateKey.export({ format: 'jwk' }) })),
          ),
          PUBLIC_KEYS: JSON.stringify(
            Object.fromEntries(keys.map((k) => [k.kid, k.publicKey.export({ format: 'jwk' })])),
          ),
          VENDOR_TOKENS: JSON.stringify(
            Object.entries(tokens).map(([role, token]) => ({
              name: role === 'manager' ? 'anna' : role,
              role,
              sha256: createHash('sha256').update(token).digest('hex'),
            })),
          ),
          TOKENS: JSON.stringify(tokens),
        },
      },
    }),
  ],
  // A worker keeps one runtime for all files that come to it. As many workers as the others have: they share a queue.
  test: {
    name: 'license-worker',
    include: ['*.test.ts'],
    isolate: false,
    testTimeout: 30_000,
    maxWorkers: 3,
  },
})
