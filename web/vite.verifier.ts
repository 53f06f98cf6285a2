import { createHash } from 'node:crypto'
import { defineConfig } from 'vite'

/** What may run in the page: the one script and the one style that are in it, by their hashes, and nothing else. */
const policyOf = (script: string, style: string): string => {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  return `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`
}

/** Builds the verifier as one HTML file that works from disk, with no network: `dist/verifier/index.html`. */
export default defineConfig({
  root: new URL('./src/verifier', import.meta.url).pathname,
  build: {
    outDir: '../../dist/verifier',
    emptyOutDir: true,
    target: ['chrome137', 'firefox130', 'safari18'],
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // Contracts of events that a bundle's manifest does not speak of are left out.
      treeshake: {
        moduleSideEffects: (id) => id.includes('/verifier/'),
        manualPureFunctions: ['z', 'events', 'endpoints', 'committed'],
      },
    },
  },
  plugins: [
    {
      name: 'one-file',
      enforce: 'post',
      generateBundle(_, bundle) {
        const page = bundle['index.html']
        const chunk = Object.values(bundle).find((file) => file.type === 'chunk')
        if (page?.type !== 'asset' || chunk?.type !== 'chunk')
          throw new Error('the verifier is not one page and one script')
        const script = chunk.code.replaceAll('</script', '<\\/script').trim()
        const html = String(page.source).replace(/\s*<script[^>]*><\/script>/, '')
        const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? ''
        page.source = html
          .replace(
            '<meta charset="utf-8" />',
            () =>
              `<meta charset="utf-8" />\n    <meta http-equiv="Content-Security-Policy" content="${policyOf(script, style)}" />`,
          )
          .replace('</body>', () => `<script type="module">${script}</script>\n  </body>`)
        delete bundle[chunk.fileName]
      },
    },
  ],
})
