import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Where the licence Worker listens while the fleet view is developed with `npm run dev:fleet -w web`. */
const worker = process.env['ATTESTRY_LICENSE_URL'] ?? 'http://127.0.0.1:4640'

/** Builds the vendor's fleet view into the folder that the licence Worker serves. No part of the console's build. */
export default defineConfig({
  root: here('./src/fleet'),
  base: '/fleet/',
  publicDir: here('./public'),
  plugins: [solid()],
  build: {
    outDir: here('../license-worker/assets/fleet'),
    emptyOutDir: true,
    target: ['chrome125', 'edge125', 'firefox128', 'safari18'],
    // Everything is a file of its own: the content security policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // Contracts that the vendor's table does not use are left out.
      treeshake: { manualPureFunctions: ['z', 'events', 'endpoints', 'committed', 'pageOf'] },
      output: {
        // As in the console: jitless.ts runs before the first schema is made.
        codeSplitting: { groups: [{ name: 'zod', test: /node_modules[\\/]zod[\\/]|src[\\/]jitless/ }] },
      },
    },
  },
  server: { host: '127.0.0.1', proxy: { '/v1': worker } },
})
