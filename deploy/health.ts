/**
 * The image's health check: exits 0 when the service in this container answers its /health.
 *
 *     node deploy/health.ts [port]      default: the gateway's, 4600
 */
const port = process.argv[2] ?? process.env['ATTESTRY_PORT'] ?? '4600'
const WITHIN_MS = 4000

try {
  const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(WITHIN_MS) })
  process.exitCode = response.ok ? 0 : 1
} catch {
  // Nobody listens, or not in time: that is the answer.
  process.exitCode = 1
}
