import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type EventOf, fact } from '@attestry/contracts'
import { RETENTION, type Retention } from '@attestry/contracts/http'
import { type Host, iso, type Job, type Schedule } from '@attestry/kit'
import { bundleLife } from '../bundle-life.ts'

/** The stream that says how long things are kept. */
export const RETENTION_STREAM = 'retention'

/** What was decided last, or the defaults. */
export const retentionOf = (events: readonly EventOf[]): Retention =>
  events.findLast((e) => e.type === 'evidence.retention-set')?.data ?? RETENTION

export const readRetention = async (host: Host, tenant: string): Promise<Retention> =>
  retentionOf(await host.stream(tenant, RETENTION_STREAM))

const by = { kind: 'schedule', id: 'retention' } as const

/** Once a day, by the day's name: what is sent twice is done once. */
export const retentionSchedule: Schedule = {
  name: 'retention',
  everyMs: 3_600_000,
  due: async (now) => {
    const day = iso(now).slice(0, 10)
    const cause = { correlation: `retention-${day}`, causation: `retention-${day}` }
    return ['expire-bundles', 'prune-ledger'].map((command) => ({
      command,
      id: `${command}-${day}`,
      session: command,
      body: {},
      by,
      cause,
    }))
  },
}

const PAGE = 200

/**
 * Deletes the files of bundles that are older than their retention. The file goes first, then the event says so: after
 * a crash in between it is simply done again. The facts stay; the same bundle can be built anew.
 */
export const expireBundles =
  (host: Host, stateDir: string) =>
  async ({ tenant, signal, cause }: Job<object>): Promise<void> => {
    const { bundleDays } = await readRetention(host, tenant)
    const before = iso(host.clock.now().subtract({ hours: 24 * bundleDays }))
    for (let after = ''; ; ) {
      signal.throwIfAborted()
      const due = await host.tx(tenant, (tx) =>
        tx.rows<{ bundle: string }>(
          `select bundle from bundle where tenant = $1 and state = 'sealed' and sealed_at < $2 and bundle > $3
           order by bundle limit ${PAGE}`,
          [tenant, before, after],
        ),
      )
      for (const { bundle } of due) {
        // The row may be behind.
        const life = bundleLife(await host.stream(tenant, bundle))
        if (life?.state !== 'sealed' || life.zipSha256 === null) continue
        const folder = join(stateDir, 'bundles', tenant)
        // A bundle that was completed later left its first file beside the second.
        for (const file of await readdir(folder).catch(absent))
          if (file.startsWith(`${bundle}.`)) await rm(join(folder, file), { force: true, recursive: true })
        const facts = [fact('evidence.bundle-expired', { bundle, zipSha256: life.zipSha256 })]
        await host.append(tenant, { stream: bundle, expected: life.position, facts, by, cause })
      }
      const last = due.at(-1)
      if (!last || due.length < PAGE) return
      after = last.bundle
    }
  }

/** A folder that is not there holds nothing. */
const absent = (error: unknown): string[] => {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  throw error
}

/** Batches of one day; what is left goes the next. */
const MOST_BATCHES = 100

/** Takes the bodies of acts that are older than their retention, behind the newest checkpoint. */
export const pruneLedger =
  (host: Host) =>
  async ({ tenant, signal, cause, progress }: Job<object>): Promise<void> => {
    const { auditDays } = await readRetention(host, tenant)
    let events = 0
    for (let left = MOST_BATCHES; left > 0; left--) {
      signal.throwIfAborted()
      const pruned = await host.prune(tenant, auditDays, cause)
      if (!pruned.ok) {
        host.log.info({ tenant, refused: pruned.refused }, 'Nothing is pruned')
        return
      }
      events += pruned.events
      await progress({ step: 'pruning', done: events, total: 0 })
      if (!pruned.more) return
    }
  }
