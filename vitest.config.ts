import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Hundreds of processes load the same modules: what one compiled, the next finds, as the product's own do.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url))

const SERVICES = ['contracts/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts']

/**
 * Files that get a process of their own. The identity library keeps the endpoint of a managed identity, and its
 * tokens, as long as the process lives, and each of these has a cloud of its own; one replaces a module.
 */
const APART = [
  'services/*.test.ts',
  'services/cli/rotation.test.ts',
  'services/discovery/{access,faults,routes,scan}.test.ts',
  'services/kit/committed.test.ts',
  'services/rotation/{azure,crash,faults,features,process,service}.test.ts',
  'services/sync/{by-itself,elsewhere,faults,sync}.test.ts',
  'services/sync/targets/keyvault.test.ts',
  'services/twin/consumer.test.ts',
  'services/twin/sdk/tokens.test.ts',
]

/** What a machine under load does late is not wrong. */
const POLLS = { poll: { timeout: 20_000 } }

const onTheWire = {
  globalSetup: ['services/twin/postgres/global-setup.ts', 'web/src/testing/global-setup.ts'],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  expect: POLLS,
}

/**
 * One run holds every test there is. The real wire is used wherever a test crosses one (Postgres, AMQP, HTTP),
 * so files run in a few worker processes and each gets generous, but bounded, time. Projects are taken in the order
 * of their names: the long files first, and last the many short ones, which share processes and fill what is left.
 */
export default defineConfig({
  test: {
    // Much of a test is a wait for another process, so there is one more of them than CI has processors.
    maxWorkers: 3,
    pool: 'threads',
    projects: [
      'license-worker/vitest.config.ts',
      {
        test: {
          name: 'console',
          include: ['web/src/**/*.test.ts'],
          globalSetup: ['web/src/testing/global-setup.ts'],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: POLLS,
        },
      },
      { test: { name: 'apart', include: APART, ...onTheWire } },
      { test: { name: 'services', include: SERVICES, exclude: APART, isolate: false, ...onTheWire } },
    ],
  },
})
