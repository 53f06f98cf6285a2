import { dayOf, listSeen } from './fleet.ts'
import type { Mailer } from './mail.ts'
import { noticeText } from './notices.ts'
import { seenPrefix } from './seen.ts'
import { REGISTRY } from './validate.ts'

/** Mails of one run; the rest goes the next day, which is early enough for a notice of days. */
const MOST_NOTICES = 200

/** What happens once a day: notices, the day's sums, and what is old enough to go. Each bears to be done again. */
export async function daily(env: Env, now: Date, mailer: Mailer | null): Promise<void> {
  const registry = env.REGISTRY.getByName(REGISTRY)
  const { licenses } = await registry.purge(now.toISOString())
  for (const license of licenses) {
    const { keys } = await env.LICENSES.list({ prefix: seenPrefix(license), limit: 1000 })
    for (const { name } of keys) await env.LICENSES.delete(name)
  }
  const { installs } = await listSeen(env.LICENSES)
  await registry.saveDay(dayOf(installs, now))
  if (!mailer) return
  for (const { kind, row, contact } of await registry.claimNotices(now.toISOString(), MOST_NOTICES))
    if (!(await mailer.send({ to: contact, ...noticeText(kind, row) })))
      await registry.giveBackNotice(row.license, row.expiresAt, kind)
}
