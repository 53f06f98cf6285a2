import { createServer } from 'node:http'

/**
 * For Vitest's global setups: what is made once for a whole run, when the first test asks for it. Workers ask over a
 * loopback port, whose address stands in an environment variable, so that runs without such a test pay nothing.
 * @param make makes it, and answers what the workers are told
 * @returns closes the desk, so that nobody asks any more
 */
export async function openDesk(variable: string, make: () => Promise<string>): Promise<() => void> {
  let made: Promise<string> | null = null
  const desk = createServer((_request, response) => {
    made ??= make()
    made.then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  desk.once('error', reject)
  desk.listen(0, '127.0.0.1', resolve)
  await listening
  const address = desk.address()
  if (!address || typeof address === 'string') throw new Error(`the desk of ${variable} has no port`)
  process.env[variable] = `http://127.0.0.1:${address.port}/`
  return () => {
    delete process.env[variable]
    desk.close()
    desk.closeAllConnections()
  }
}
