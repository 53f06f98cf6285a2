import { defineConfig } from 'vitest/config'

/**
 * One run holds every test there is. The real wire is used wherever a test crosses one (Postgres, AMQP, HTTP),
 * so files run in a few worker processes and each gets generous, but bounded, time.
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    globalSetup: ['services/twin/postgres/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'services',
          include: ['contracts/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts'],
        },
      },
    ],
  },
})
