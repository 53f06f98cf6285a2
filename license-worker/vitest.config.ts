import { generateKeyPairSync } from 'node:crypto'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

/** The tests run inside workerd, with a signing key made for this run. */
export default defineConfig({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: './wrangler.jsonc' },
      remoteBindings: false,
      miniflare: {
        bindings: {
          SIGNING_KEY: JSON.stringify(privateKey.export({ format: 'jwk' })),
          PUBLIC_KEY: JSON.stringify(publicKey.export({ format: 'jwk' })),
        },
      },
    }),
  ],
  test: { name: 'license-worker', include: ['*.test.ts'] },
})
