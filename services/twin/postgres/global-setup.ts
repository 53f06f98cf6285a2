import { createServer } from 'node:http'
import { startTestServer, TEST_SERVER_VARIABLE, type TestServer } from './for-tests.ts'

/**
 * Vitest's global setup: one Postgres for the whole run, started when the first test asks for a database. Workers
 * ask over a loopback port, so that runs without such a test pay nothing.
 */
const setup = async (): Promise<() => Promise<void>> => {
  let started: Promise<TestServer> | null = null
  const desk = createServer((_request, response) => {
    started ??= startTestServer()
    started.then(
      (server) => response.end(server.url),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  desk.once('error', reject)
  desk.listen(0, '127.0.0.1', resolve)
  await listening
  const address = desk.address()
  if (!address || typeof address === 'string') throw new Error('the test desk has no port')
  process.env[TEST_SERVER_VARIABLE] = `http://127.0.0.1:${address.port}/`
  return async () => {
    // Whoever asks for a database after this starts a server of its own.
    delete process.env[TEST_SERVER_VARIABLE]
    desk.close()
    desk.closeAllConnections()
    if (started) await (await started).stop()
  }
}

// Vitest asks for a default export.
export default setup
