import { defineConfig, type Plugin } from 'vite'
import solid from 'vite-plugin-solid'

/** Where the gateway listens while the console is developed with `npm run dev -w web`. */
const gateway = process.env['ATTESTRY_GATEWAY'] ?? 'http://127.0.0.1:4600'

/**
 * uPlot asks the browser's language as it loads, and ends there where Intl does not know it, as Chromium's `en-US@posix`.
 * The console speaks English, its charts too.
 */
const chartsInEnglish: Plugin = {
  name: 'charts-in-english',
  transform(code, id) {
    if (!/[\\/]uplot[\\/].*\.js$/i.test(id)) return undefined
    const english = code.replace("domEnv ? nav.language : 'en-US'", "'en'")
    if (english === code) throw new Error('uPlot asks for the language in another way than it did')
    return { code: english, map: null }
  },
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [solid(), chartsInEnglish],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // Browsers that know light-dark(), @layer and popovers; nothing is rewritten for older ones.
    target: ['chrome125', 'edge125', 'firefox128', 'safari18'],
    // Everything is a file of its own: the content security policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // jitless.ts must run before the first schema is made. Chunks run in the order of their imports, so it
        // lives in the chunk of zod itself, before every chunk that makes one.
        codeSplitting: { groups: [{ name: 'zod', test: /node_modules[\\/]zod[\\/]|src[\\/]jitless/ }] },
      },
    },
    chunkSizeWarningLimit: 350,
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(['/api', '/auth', '/health', '/ready', '/docs'].map((path) => [path, gateway])),
  },
})
