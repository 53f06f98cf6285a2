import { COUNTERS, TIERS } from '@attestry/contracts'
import type { LicenseView } from '@attestry/contracts/http'
import { DAY, type Handlers, iso, refuse } from './answers.fixture.ts'

/** A licence for the console's tests: a pro licence with a good month left. */
export function makeLicense(): LicenseView {
  const now = Date.now()
  return {
    tier: 'pro',
    features: [...TIERS.pro.features],
    state: 'valid',
    expiresAt: iso(now + 41 * DAY + 3_600_000),
    source: 'key',
    keyPrefix: 'ATT-7K2M',
    keyConfigured: false,
    install: '01890a5d-ac96-774b-bcce-b302099a8057',
    refused: null,
    relyUntil: iso(now + 6 * DAY),
    graceUntil: null,
    daysLeft: 41,
    limits: TIERS.pro.limits,
    used: { vaults: 24, subscriptions: 18, users: 7, manualRotations: 31 },
    service: 'https://license.example.com',
    lastAnswerAt: iso(now - 1_500_000),
    lastAttemptAt: iso(now - 1_500_000),
    nextAttemptAt: iso(now + 2_100_000),
    problem: null,
    fleetVisibility: { on: true, forcedOff: false },
    graceDays: 7,
    updateNotice: { on: true, newer: { version: '0.2.0', notice: 'Faster first scans.' } },
  }
}

/** The licensing endpoints, answered from one licence that the console may change. */
export function licensingHandlers(license: LicenseView): Handlers['licensing'] {
  const stats = () =>
    license.fleetVisibility.on
      ? JSON.stringify(Object.fromEntries(COUNTERS.map((name, i) => [name, i * 3])))
      : null
  return {
    readLicense: () => license,
    previewCheck: () => {
      const text = stats()
      const body = {
        key: `${license.keyPrefix ?? ''}…`,
        install: license.install,
        version: '0.1.0',
        nonce: '0'.repeat(32),
        kids: ['2026-01'],
        ...(text === null ? {} : { stats: text }),
      }
      return { body: license.source === 'key' ? JSON.stringify(body) : null, stats: text }
    },
    enterKey: ({ body }) => {
      if (!/^ATT/i.test(body.key))
        return refuse(400, 'not-a-key', 'This is no licence key; perhaps a character is wrong.')
      return Object.assign(license, { source: 'key', keyPrefix: body.key.slice(0, 8).toUpperCase() })
    },
    removeKey: () =>
      Object.assign(license, {
        source: 'none',
        tier: 'evaluation',
        features: [...TIERS.evaluation.features],
        limits: TIERS.evaluation.limits,
        keyPrefix: null,
        expiresAt: null,
        daysLeft: null,
        relyUntil: null,
      }),
    loadFile: ({ body }) =>
      body.file.startsWith('{')
        ? Object.assign(license, { source: 'file', keyPrefix: null })
        : refuse(
            400,
            'not-a-license-file',
            'This is no licence file: the file that the vendor sent begins with {.',
          ),
    checkNow: () => Object.assign(license, { lastAnswerAt: iso(Date.now()) }),
    choosePreferences: ({ body }) => {
      if (body.fleetVisibility !== undefined) license.fleetVisibility.on = body.fleetVisibility
      if (body.updateNotice !== undefined) license.updateNotice.on = body.updateNotice
      if (body.graceDays !== undefined) license.graceDays = body.graceDays
      return license
    },
  }
}
