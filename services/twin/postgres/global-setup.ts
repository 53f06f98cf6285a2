import { openDesk } from '../../desk.fixture.ts'
import { startTestServer, TEST_SERVER_VARIABLE, type TestServer } from './for-tests.ts'

/** Vitest's global setup: one Postgres for the whole run. Whoever asks after its end starts a server of its own. */
const setup = async (): Promise<() => Promise<void>> => {
  let started: Promise<TestServer> | null = null
  const close = await openDesk(TEST_SERVER_VARIABLE, async () => {
    started = startTestServer()
    return (await started).url
  })
  return async () => {
    close()
    if (started) await (await started).stop()
  }
}

// Vitest asks for a default export.
export default setup
