import type { AuditorRow } from '@attestry/contracts/http'
import { DAY, type Handlers, iso, page, refuse } from './answers.fixture.ts'
import type { World } from './world.fixture.ts'

const noAuditor = refuse(404, 'no-such-auditor', 'There is no such auditor.')

/** The auditors’ door, as the gateway answers for it. */
export function auditorHandlers(
  world: World,
): Pick<
  Handlers['gateway'],
  'listAuditors' | 'inviteAuditor' | 'issueAuditorLink' | 'revokeAuditor' | 'enterAsAuditor'
> {
  const byId = (id: string): AuditorRow | undefined => world.auditors.find((a) => a.auditor === id)
  return {
    listAuditors: ({ query }) => page(world.auditors, query),
    inviteAuditor: ({ body, who }) => {
      if (Date.parse(body.until) <= Date.now())
        return refuse(400, 'until-past', 'The door would be closed already.')
      const auditor = world.id('auditor')
      world.auditors.unshift({
        auditor,
        name: body.name,
        until: body.until,
        bundles: body.bundles,
        state: 'invited',
        invitedAt: iso(Date.now()),
        enteredAt: null,
        visits: 0,
      })
      world.happen('gateway.auditor-invited', who.account)
      return { auditor, secret: 'link-4f7a90c2d1e855b3a6f0.7mZ0yQv3kYx1n5Qw8aHcT2rB6uJ9eLpD4sG0fVxK1iM' }
    },
    issueAuditorLink: ({ params }) =>
      byId(params.auditor)
        ? { secret: 'link-91c0aa73be425d68f013.Zk2wPq9sVb4nXe7tLr1yHc8mJd3gUa6oTi5fQx0zKvB' }
        : noAuditor,
    revokeAuditor: ({ params }) => {
      const auditor = byId(params.auditor)
      if (!auditor) return noAuditor
      auditor.state = 'revoked'
      return undefined
    },
    enterAsAuditor: ({ body, signIn }) => {
      if (!body.secret.startsWith('link-'))
        return refuse(
          401,
          'link-opens-nothing',
          'This link opens nothing. Ask whoever gave it to you for another.',
        )
      const account = world.accounts.find((a) => a.roles.includes('auditor'))
      if (!account) return refuse(401, 'link-opens-nothing', 'This link opens nothing.')
      signIn(account)
      return { name: account.name, until: iso(Date.now() + 14 * DAY) }
    },
  }
}

/** The audit log’s endpoints: retention that can be set, and targets of which one is away. */
export function auditHandlers(world: World): Handlers['audit'] {
  let retention = { auditDays: 365, bundleDays: 2557 }
  return {
    exportAudit: () => undefined as never,
    readRetention: () => retention,
    setRetention: ({ body }) => {
      retention = body
      return undefined
    },
    listStreams: () => ({
      items: [
        {
          target: 'syslog' as const,
          where: 'tls://siem.contoso.example:6514',
          cursor: world.activity.length,
          head: world.activity.length,
          deliveredAt: iso(Date.now() - 4000),
          problem: null,
          since: null,
        },
        {
          target: 'webhook' as const,
          where: 'https://hooks.contoso.example',
          cursor: world.activity.length - 41,
          head: world.activity.length,
          deliveredAt: iso(Date.now() - 3_600_000),
          problem: 'the receiver answered with status 503',
          since: iso(Date.now() - 3_540_000),
        },
      ],
    }),
  }
}

/** Auditors as an administrator finds them. */
export function firstAuditors(now: number, id: (kind: string) => string, bundle: string): AuditorRow[] {
  const row = (name: string, more: Partial<AuditorRow>): AuditorRow => ({
    auditor: id('auditor'),
    name,
    until: iso(now + 12 * DAY),
    bundles: null,
    state: 'invited',
    invitedAt: iso(now - 2 * DAY),
    enteredAt: null,
    visits: 0,
    ...more,
  })
  return [
    row('Noor Haddad, Example Assurance LLP', {
      state: 'entered',
      enteredAt: iso(now - 5 * 3_600_000),
      visits: 3,
    }),
    row('ISO stage 1 reviewer', { bundles: [bundle] }),
    row('Pilot review, spring', {
      state: 'expired',
      until: iso(now - 30 * DAY),
      invitedAt: iso(now - 60 * DAY),
    }),
  ]
}
