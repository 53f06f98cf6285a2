import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** The Worker's code as one module. */
export async function bundleWorker(entry = './worker.ts'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
    logLevel: 'error',
  })
  const [file] = outputFiles
  if (!file) throw new Error('the Worker could not be bundled')
  return file.text
}
