import { type Actor, type Fact, fact, prefixOf, readLicenseKey } from '@attestry/contracts'
import { type LicenseView, licensingHttp } from '@attestry/contracts/http'
import { bind, type Caller, type Guard, type Handlers, type Host, refuse } from '@attestry/kit'
import type { Licensing, LicensingOptions } from './check.ts'
import { decideFile, decideNone, isSetBack, type Standing } from './decide.ts'
import { sealKey } from './seal.ts'
import { openAnswer, openFile } from './signed.ts'
import { viewOf } from './view.ts'

/** A person may ask the licence service this often. */
const ASK_EVERY_MS = 10_000
const SHOWN_NONCE = '0'.repeat(32)

const actorOf = (who: Caller): Actor => ({ kind: 'operator', id: who.operator })
const causeOf = (correlation: string) => ({
  correlation: correlation.slice(0, 80),
  causation: correlation.slice(0, 80),
})
const configured = refuse(
  'key-configured',
  'The key comes from ATTESTRY_LICENSE_KEY; change it there, or take it away to use the console.',
)

/** The licence's page: what is, what would be sent, and what an administrator may change. */
export function licensingRoutes(host: Host, guard: Guard, licensing: Licensing, options: LicensingOptions) {
  const view = async (): Promise<LicenseView> => {
    const [standing, row, { counts, manualRotations }] = await Promise.all([
      licensing.standing(),
      licensing.row(),
      licensing.counts(),
    ])
    const { key, problem } = licensing.keyOf(row)
    return viewOf(host, host.clock.now(), {
      standing,
      row,
      key,
      keyProblem: problem,
      keyConfigured: options.key !== null,
      service: options.service,
      fleetVisibility: options.fleetVisibility,
      used: {
        vaults: counts.vaults ?? 0,
        subscriptions: counts.subscriptions ?? 0,
        users: counts.operators ?? 0,
        manualRotations,
      },
      answer: row.answer === null ? null : openAnswer(row.answer, options.keys, row.install),
    })
  }

  const handlers: Handlers<typeof licensingHttp> = {
    readLicense: view,

    previewCheck: async () => {
      const row = await licensing.row()
      const { key } = licensing.keyOf(row)
      const stats = await licensing.stats()
      if (!key) return { body: null, stats }
      const request = licensing.requestOf(row, `${prefixOf(key.text())}…`, SHOWN_NONCE, stats)
      return { body: JSON.stringify(request), stats }
    },

    enterKey: async ({ body, who, correlation, signal }) => {
      if (options.key) return configured
      if (!options.service)
        return refuse('no-license-service', 'No licence service is configured: set ATTESTRY_LICENSE_URL.')
      const key = readLicenseKey(body.key)
      if (key === null)
        return refuse('not-a-key', 'This is no licence key; perhaps a character is wrong.', [
          { field: 'body.key', message: 'ATT- and six groups of five characters' },
        ])
      await licensing.write({
        keySealed: sealKey(key, options.secretKey, options.random),
        keyPrefix: prefixOf(key),
        file: null,
      })
      await licensing.record(
        () => [fact('licensing.key-entered', { prefix: prefixOf(key) })],
        actorOf(who),
        causeOf(correlation),
      )
      await licensing.check(signal)
      return view()
    },

    removeKey: async ({ who, correlation }) => {
      if (options.key) return configured
      const row = await licensing.row()
      if (row.keySealed === null && row.file === null)
        return refuse('no-key', 'There is neither a key nor a licence file.')
      await licensing.write({ keySealed: null, keyPrefix: null, file: null, answer: null, problem: null })
      await licensing.record(
        (s) => [fact('licensing.key-removed', {}), ...decideNone(s)],
        actorOf(who),
        causeOf(correlation),
      )
      return view()
    },

    loadFile: async ({ body, who, correlation }) => {
      if (options.key) return configured
      const now = host.clock.now()
      const row = await licensing.row()
      if (!body.file.trimStart().startsWith('{'))
        return refuse(
          'not-a-license-file',
          'This is no licence file: the file that the vendor sent begins with {.',
        )
      const file = openFile(body.file, options.keys)
      if (!file)
        return refuse('wrong-signature', 'The file is not signed by the vendor, or was changed since.', [
          { field: 'body.file', message: 'load the file as it came' },
        ])
      if (file.install !== row.install)
        return refuse(
          'other-install',
          `The file was made for another install; ask for one for ${row.install}.`,
        )
      if (Temporal.Instant.compare(file.expiresAt, now) <= 0)
        return refuse('file-over', `The file ended on ${file.expiresAt.slice(0, 10)}; ask for a new one.`)
      if (isSetBack(row.seenAt, now) || isSetBack(file.iat, now))
        return refuse('clock-set-back', 'This machine’s clock is behind; set it right, then load the file.')
      await licensing.write({
        file: body.file,
        keySealed: null,
        keyPrefix: null,
        answer: null,
        problem: null,
      })
      await licensing.record(
        (s) => [
          fact('licensing.file-loaded', { license: file.license, expiresAt: file.expiresAt }),
          ...decideFile(s, file),
        ],
        actorOf(who),
        causeOf(correlation),
      )
      return view()
    },

    checkNow: async ({ signal }) => {
      const row = await licensing.row()
      const { key } = licensing.keyOf(row)
      if (!key && row.file === null) return refuse('no-key', 'There is neither a key nor a licence file.')
      const now = host.clock.now()
      if (
        row.lastAttemptAt !== null &&
        Math.abs(now.since(row.lastAttemptAt).total('milliseconds')) < ASK_EVERY_MS
      )
        return refuse('checked-just-now', 'The licence was checked a moment ago.')
      await licensing.check(signal)
      return view()
    },

    choosePreferences: async ({ body, who, correlation }) => {
      if (body.fleetVisibility && !options.fleetVisibility)
        return refuse('forced-off', 'ENABLE_FLEET_VISIBILITY is false, so that counts are never sent.')
      const changed = ({ preferences: p }: Standing): Fact[] => [
        ...(body.fleetVisibility === undefined || body.fleetVisibility === p.fleetVisibility
          ? []
          : [fact('licensing.fleet-visibility-switched', { on: body.fleetVisibility })]),
        ...(body.updateNotice === undefined || body.updateNotice === p.updateNotice
          ? []
          : [fact('licensing.update-notice-switched', { on: body.updateNotice })]),
        ...(body.graceDays === undefined || body.graceDays === p.graceDays
          ? []
          : [fact('licensing.grace-chosen', { days: body.graceDays })]),
      ]
      await licensing.record(changed, actorOf(who), causeOf(correlation))
      return view()
    },
  }
  return bind(licensingHttp, handlers, guard, host.log)
}
