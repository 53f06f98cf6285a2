import { defineConfig } from 'vitest/config'

/**
 * One run holds every test there is. The real wire is used wherever a test crosses one (Postgres, AMQP, HTTP),
 * so files run in a few worker processes and each gets generous, but bounded, time.
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      'license-worker/vitest.config.ts',
      {
        test: {
          name: 'services',
          include: ['contracts/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts'],
          globalSetup: ['services/twin/postgres/global-setup.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'web',
          include: ['web/src/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
