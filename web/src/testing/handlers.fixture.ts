import { createHash } from 'node:crypto'
import type { BundleRow, Session } from '@attestry/contracts/http'
import { DAY, type Handlers, iso, page, refuse, type SignedIn, STEP_MS, watch } from './answers.fixture.ts'
import { auditHandlers, auditorHandlers } from './audit.fixture.ts'
import { checkpointHandlers } from './checkpoints.fixture.ts'
import { scopeHandlers } from './scope.fixture.ts'
import { discoveryHandlers } from './discovery.fixture.ts'
import { rotationHandlers } from './rotation.fixture.ts'
import { syncHandlers } from './sync.fixture.ts'
import { licensingHandlers } from './licensing.fixture.ts'
import type { Account, World } from './world.fixture.ts'

const sessionOf = (world: World, signed: SignedIn): Session => ({
  operator: signed.account.operator,
  name: signed.account.name,
  tenant: 'contoso',
  roles: signed.account.roles,
  mustChangePassword: signed.account.mustChangePassword,
  expiresAt: iso(Date.now() + 8 * 3_600_000),
  reauthenticatedUntil: signed.reauthenticatedUntil,
  origin: world.origin,
  productVersion: '0.1.0',
  door: null,
})

/** Every endpoint of the contract, answered from the fixture world. */
export function makeHandlers(world: World): Handlers {
  const rowOf = (a: Account) => ({
    operator: a.operator,
    name: a.name,
    roles: a.roles,
    state: a.state,
    mustChangePassword: a.mustChangePassword,
    addedAt: a.addedAt,
    lastSignIn: a.lastSignIn,
  })
  const byId = (id: string): Account | undefined => world.accounts.find((a) => a.operator === id)
  const noOperator = refuse(404, 'no-such-operator', 'There is no such operator.')
  return {
    discovery: discoveryHandlers(world),
    rotation: rotationHandlers(),
    sync: syncHandlers(world),
    licensing: licensingHandlers(world.license),
    compliance: {
      readScore: () =>
        world.scanned
          ? world.judgement.score
          : {
              current: null,
              trend: [],
              moved: { opened: 0, resolved: 0, reopened: 0, rulesChanged: false },
              open: [],
              pending: false,
            },
      listRules: () => ({
        items: world.judgement.rules.map((r) => (world.scanned ? r : { ...r, result: null })),
      }),
      listFindings: ({ query }) => {
        const search = query.search?.toLowerCase()
        return page(
          world
            .findings()
            .filter(
              (f) =>
                (query.state === 'all' || f.state === query.state) &&
                (!query.severity || f.severity === query.severity) &&
                (!query.rule || f.rule === query.rule) &&
                (!query.subject || f.subject === query.subject) &&
                (!search ||
                  `${f.subjectName} ${f.holderName} ${f.reason} ${f.ruleName}`
                    .toLowerCase()
                    .includes(search)),
            ),
          query,
        )
      },
      listFrameworks: () => ({ items: [...world.judgement.frameworks] }),
    },
    audit: auditHandlers(world),
    evidence: {
      resumeBundle: ({ params }) => {
        const row = world.bundles.find((b) => b.bundle === params.bundle)
        if (!row) return refuse(404, 'no-such-bundle', 'There is no such bundle.')
        row.state = 'queued'
        row.problem = null
        return undefined
      },
      requestBundle: ({ body, who }) => {
        if (body.from > body.to) return refuse(400, 'period-reversed', 'The period ends before it begins.')
        if (world.bundles.some((b) => b.state === 'building'))
          return refuse(409, 'already-building', 'Another bundle is being built.')
        const bundle = world.id('bundle')
        const steps = [
          'Reading the ledger',
          'Operator audit log',
          'Rule violations',
          'Asset inventory',
          'Listing digests',
          'Asking the time-stamp authority',
          'Writing PDFs',
          'Signing',
        ]
        const row: BundleRow = {
          bundle,
          state: 'building',
          reports: body.reports,
          period: { from: body.from, to: body.to },
          framework: body.framework ?? null,
          formats: body.formats ?? ['csv', 'json', 'pdf', 'oscal'],
          scope: body.scope ?? null,
          assertion: body.assertion ? { ...body.assertion, at: iso(Date.now()) } : null,
          downloads: 0,
          downloadedAt: null,
          expiresAt: null,
          requestedAt: iso(Date.now()),
          requestedBy: who.account.operator,
          progress: { step: steps[0] ?? '', done: 0, total: steps.length },
          sealedAt: null,
          bytes: null,
          sumsSha256: null,
          signingKey: null,
          timestamp: null,
          problem: null,
        }
        world.bundles.unshift(row)
        world.happen('evidence.bundle-requested', who.account)
        const timer = setInterval(() => {
          if (row.state !== 'building') return clearInterval(timer)
          const done = row.progress.done + 1
          row.progress = { step: steps[done] ?? 'Sealed', done, total: steps.length }
          if (done < steps.length) return
          clearInterval(timer)
          Object.assign(row, {
            state: 'sealed',
            sealedAt: iso(Date.now()),
            bytes: 1_204_881,
            sumsSha256: createHash('sha256').update(bundle).digest('hex'),
            signingKey: createHash('sha256').update('key').digest('hex'),
            timestamp: {
              status: 'stamped',
              tsa: 'Attestry local authority',
              independent: false,
              genTime: iso(Date.now()),
            },
          })
          world.happen('evidence.bundle-sealed')
        }, STEP_MS * 5)
        return { bundle }
      },
      listBundles: ({ query }) => page(world.bundles, query),
      readBundle: ({ params }) =>
        world.bundles.find((b) => b.bundle === params.bundle) ??
        refuse(404, 'no-such-bundle', 'There is no such bundle.'),
      watchBundle: ({ params }) =>
        watch(() => world.bundles.find((b) => b.bundle === params.bundle), ['queued', 'building'])(),
      cancelBundle: ({ params }) => {
        const bundle = world.bundles.find((b) => b.bundle === params.bundle)
        if (!bundle) return refuse(404, 'no-such-bundle', 'There is no such bundle.')
        if (bundle.state !== 'building') return refuse(409, 'not-building', 'This bundle is not being built.')
        bundle.state = 'cancelled'
        world.happen('evidence.bundle-failed')
        return undefined
      },
      downloadBundle: ({ params }) => {
        const bundle = world.bundles.find((b) => b.bundle === params.bundle)
        if (bundle?.state !== 'sealed') return refuse(409, 'not-sealed', 'This bundle is not sealed.')
        world.happen('evidence.bundle-downloaded')
        return new TextEncoder().encode(`bytes of ${params.bundle}`)
      },
      rotateKey: () => ({ fingerprint: createHash('sha256').update('rotated').digest('hex') }),
      readBundleHmacKey: () => ({ keyId: 'secret-key-1', key: '00'.repeat(32) }),
      ...checkpointHandlers(world),
      exportReport: () => new TextEncoder().encode('\u{feff}"seq"\r\n'),
      ...scopeHandlers(),
      readKeys: () => ({
        signer: {
          kind: 'local' as const,
          fingerprint: createHash('sha256').update('key').digest('hex'),
          pem: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n',
        },
        signerPem:
          'Used: 2026-01-01T00:00:00.000Z to -\n-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n',
        checkpointVerifiers:
          'attestry/contoso/abababababababab+01020304+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n',
        ring: [],
        tsa: [
          {
            name: 'Attestry local authority',
            independent: false,
            rootPem: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
          },
        ],
      }),
    },
    gateway: {
      ...auditorHandlers(world),
      health: () => ({ status: 'ok' as const }),
      ready: () => ({ status: 'ready' as const }),
      login: ({ body, signIn }) => {
        const account = world.accounts.find((a) => a.name === body.name)
        if (account?.state === 'locked')
          return refuse(423, 'locked', 'This account is locked after too many wrong passwords.')
        if (!account || account.state === 'disabled' || account.password !== body.password) {
          if (account && (account.failures += 1) >= 5) account.state = 'locked'
          return refuse(401, 'wrong-name-or-password', 'The name or the password is wrong.')
        }
        account.failures = 0
        account.lastSignIn = iso(Date.now())
        signIn(account)
        return { session: sessionOf(world, { account, reauthenticatedUntil: null }), token: null }
      },
      logout: ({ signIn }) => {
        signIn(null)
        return undefined
      },
      session: ({ who }) => sessionOf(world, who),
      reauthenticate: ({ body, who }) => {
        if (body.password !== who.account.password)
          return refuse(401, 'wrong-name-or-password', 'The password is wrong.')
        who.reauthenticatedUntil = iso(Date.now() + 300_000)
        return { until: who.reauthenticatedUntil, token: null }
      },
      changePassword: ({ body, who }) => {
        if (body.current !== who.account.password)
          return refuse(401, 'wrong-name-or-password', 'The present password is wrong.')
        if (body.next === body.current)
          return refuse(400, 'same-password', 'The new password is the old one.')
        who.account.password = body.next
        who.account.mustChangePassword = false
        return undefined
      },
      listOperators: ({ query }) => page(world.accounts.map(rowOf), query),
      addOperator: ({ body, who }) => {
        if (world.accounts.some((a) => a.name === body.name))
          return refuse(409, 'name-taken', `There is already somebody called ${body.name}.`)
        const operator = world.id('operator')
        world.accounts.push({
          operator,
          name: body.name,
          password: 'plum-otter-9317-lantern',
          roles: body.roles,
          state: 'active',
          mustChangePassword: true,
          failures: 0,
          addedAt: iso(Date.now()),
          lastSignIn: null,
        })
        world.happen('gateway.operator-added', who.account)
        return { operator, oneTimePassword: 'plum-otter-9317-lantern' }
      },
      setRoles: ({ params, body }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        if (account.roles.includes('tenant-admin') && !body.roles.includes('tenant-admin'))
          return refuse(409, 'last-administrator', 'This is the last administrator who may sign in.')
        account.roles = body.roles
        return undefined
      },
      disableOperator: ({ params }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        if (account.roles.includes('tenant-admin'))
          return refuse(409, 'last-administrator', 'This is the last administrator who may sign in.')
        account.state = 'disabled'
        return undefined
      },
      enableOperator: ({ params }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        account.state = 'active'
        return undefined
      },
      resetPassword: ({ params }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        account.password = 'cedar-glass-2206-harbour'
        account.mustChangePassword = true
        return { oneTimePassword: account.password }
      },
      licenseStatus: () => ({
        tier: 'evaluation' as const,
        features: ['rotation', 'custom-rules', 'sync', 'sso'] as const satisfies readonly string[] as never,
        state: 'valid' as const,
        expiresAt: iso(Date.now() + 27 * DAY),
      }),
      live: () => ({
        stream(push) {
          const listener = (note: { type: string; seq: number }): void => push(note)
          world.listeners.add(listener)
          return () => world.listeners.delete(listener)
        },
      }),
      listActivity: ({ query }) =>
        page(
          world.activity
            .toReversed()
            .filter(
              (a) => (!query.type || a.type === query.type) && (!query.actor || a.actorId === query.actor),
            ),
          query,
        ),
      verifyLedger: () => ({
        ok: true,
        events: world.activity.length,
        head: world.activity.at(-1)?.link ?? '',
        firstBad: null,
        durationMs: 46,
      }),
      listOperations: () => ({
        services: ['discovery', 'compliance', 'evidence', 'licensing', 'gateway'].flatMap((service, n) => [
          {
            service,
            consumer: `${service}-rows`,
            context: 'discovery',
            cursor: world.activity.length - (n === 2 ? 22 : 0),
            head: world.activity.length,
          },
        ]),
        stuck: world.stuck,
      }),
      replayStuck: ({ params }) => {
        const at = world.stuck.findIndex((s) => s.id === params.id)
        if (at === -1) return refuse(404, 'no-such-work', 'There is no such work.')
        world.stuck.splice(at, 1)
        return undefined
      },
    },
  }
}
