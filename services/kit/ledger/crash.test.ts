import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startPostgres } from '../../twin/postgres/embedded.ts'
import { Transient } from '../failure.ts'
import { ledgerMigrations, migrate } from '../migrate.ts'
import { connect, rows, transaction } from '../postgres.ts'
import type { AppendRequest } from './append.ts'
import { createAppender } from './coalesce.ts'
import { open, request, serviceSchema } from './testing.ts'
import { verifyLedger } from './verify.ts'

test('kill -9 of Postgres under load loses no acknowledged event and breaks no link', {
  timeout: 120_000,
}, async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'attestry-crash-'))
  let server = await startPostgres({ stateDir })
  const pool = connect({ url: server.url })
  try {
    await migrate(pool, [...(await ledgerMigrations()), serviceSchema('discovery')])
    await open(pool, 'acme')
    for (let round = 0; round < 2; round++) {
      const appender = createAppender({ pool, role: 'attestry_discovery' })
      const acknowledged: string[] = []
      const unknown: AppendRequest[] = []
      const failures: unknown[] = []
      let killed = false
      const write = async (): Promise<void> => {
        // Bounded: the kill comes after 500 acknowledgements, and each failure ends a writer.
        for (let n = 0; n < 5000; n++) {
          const one = request()
          try {
            await appender.append(one)
            acknowledged.push(one.events[0]?.id ?? '')
          } catch (error) {
            failures.push(error)
            unknown.push(one)
            return
          }
          if (acknowledged.length > 500 && !killed) {
            killed = true
            process.kill(server.pid, 'SIGKILL')
          }
        }
      }
      await Promise.all(Array.from({ length: 16 }, write))
      expect(unknown.length).toBeGreaterThan(0)
      expect(failures.filter((error) => !(error instanceof Transient))).toEqual([])

      server = await startPostgres({ stateDir, port: server.port })
      const stored = await transaction(pool, { role: 'attestry_ledger' }, (client) =>
        rows<{ id: string }>(client, 'select id from ledger.event'),
      )
      const ids = new Set(stored.map((row) => row.id))
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
      expect(await verifyLedger(pool, { tenant: 'acme' })).toMatchObject({ ok: true, events: stored.length })

      // What was not acknowledged may stand or not; asked again, it stands exactly once.
      const again = createAppender({ pool, role: 'attestry_discovery' })
      for (const one of unknown)
        expect(await again.append(one)).toMatchObject({
          ok: true,
          duplicate: ids.has(one.events[0]?.id ?? ''),
        })
    }
  } finally {
    await pool.end()
    await server.stop()
    await rm(stateDir, { recursive: true, force: true })
  }
})
