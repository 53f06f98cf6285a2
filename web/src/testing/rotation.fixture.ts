import type { MatchRow, PolicyRow, RotationDetail, RotationRow } from '@attestry/contracts/http'
import { DAY, type Handlers, iso, page, refuse, STEP_MS } from './answers.fixture.ts'
import { HASH, KEY, leaves, type Line, linesTo, SAYS, WAY } from './rotation-lives.fixture.ts'

const now = Date.now()
const subject = { kind: 'app-secret' as const, at: '5a3fd2b1', part: '0c1d2e3f', name: 'contoso-settlement' }
const target = { vault: 'vault-payments01', secret: 'settlement-client', content: 'value' as const }

const policies: PolicyRow[] = ['contoso-settlement', 'contoso-hr-feed', 'contoso-checkout-web'].map(
  (name, n) => ({
    policy: `policy-000${n}`,
    enabled: true,
    credential: `app-secret-000${n}`,
    subject: { ...subject, name },
    cadenceDays: 90,
    settings: {
      daysBeforeExpiry: 14,
      targets: [{ ...target, secret: `${name.slice(8)}-client` }],
      window: n === 0 ? { cron: '0 2 * * 0', zone: 'Europe/Berlin', minutes: 120 } : null,
      approvals: n === 0 ? 1 : 0,
      dependents: 'switch',
      graceHours: 24,
      prestageDays: null,
      owner: { name: 'Payments', mail: null, webhook: 'https://chat.example/hooks/payments' },
    },
    selector: null,
    vaultNames: ['kv-payments-prod'],
    endsAt: iso(now + (5 + 30 * n) * DAY),
    dueAt: iso(now + (2 + 20 * n) * DAY),
    matches: { proposed: n === 1 ? 2 : 0, verified: 1, excluded: 0 },
    running: n === 0 ? { rotation: 'rotation-0001', stage: 'awaiting-approval' } : null,
    last: n === 2 ? { rotation: 'rotation-0003', stage: 'complete', endedAt: iso(now - 40 * DAY) } : null,
  }),
)

const matches: MatchRow[] = [45, 78].map((confidence, n) => ({
  match: `match-000${n}`,
  policy: 'policy-0001',
  policyName: 'contoso-hr-feed',
  secret: `secret-000${n}`,
  secretName: n === 0 ? 'feed-password' : 'hr-feed-client-secret',
  vaultName: 'kv-identity-prod',
  confidence,
  signals: n === 0 ? ['name'] : ['name', 'updated-near-start', 'expiry'],
  state: 'proposed',
}))

const row = (rotation: string, more: Partial<RotationRow>): RotationRow => ({
  rotation,
  policy: 'policy-0000',
  credential: 'app-secret-0000',
  replacedBy: null,
  kind: 'app-secret',
  name: 'contoso-settlement',
  mode: 'normal',
  trigger: 'schedule',
  stage: 'awaiting-approval',
  since: iso(now - 3_600_000),
  paused: false,
  needsOperator: null,
  plannedAt: iso(now - 3_600_000),
  opensAt: null,
  endedAt: null,
  reason: null,
  ...more,
})
const rotations: RotationRow[] = [
  row('rotation-0001', {}),
  row('rotation-0002', {
    name: 'contoso-chargebacks',
    stage: 'cutover',
    needsOperator: { step: 'cutover', reason: 'app-chargebacks does not show the new value yet.' },
    plannedAt: iso(now - 2 * DAY),
  }),
  row('rotation-0003', {
    name: 'contoso-checkout-web',
    stage: 'complete',
    plannedAt: iso(now - 42 * DAY),
    endedAt: iso(now - 40 * DAY),
    replacedBy: 'app-secret-0002',
  }),
  row('rotation-0004', {
    name: 'shop-partner',
    kind: 'certificate',
    stage: 'issuing',
    plannedAt: iso(now - DAY),
  }),
]
/** Those whose request waits for a certificate that a person brings. */
const unsigned = new Set(['rotation-0004'])

const records = new Map<string, Line[]>(rotations.map((r) => [r.rotation, linesTo(r)]))

const detail = (r: RotationRow): RotationDetail => ({
  ...r,
  planHash: HASH,
  expiresAt: iso(now + 6 * DAY),
  subject: { ...subject, name: r.name },
  targets: [
    {
      ...target,
      uri: 'https://kv-payments-prod.vault.azure.net',
      previous: '9f8e7d6c',
      vaultName: 'kv-payments-prod',
    },
  ],
  snapshot: [
    {
      keyId: KEY,
      type: 'secret',
      name: 'settlement 2026',
      startsAt: iso(now - 175 * DAY),
      endsAt: iso(now + 5 * DAY),
      mac: null,
    },
  ],
  retires: [KEY],
  retired: r.stage === 'complete' ? [KEY] : [],
  diff: [
    { change: 'add', where: r.name, what: 'a new credential', before: null, after: 'valid until 2027-03-11' },
    {
      change: 'change',
      where: 'kv-payments-prod.vault.azure.net / settlement-client',
      what: 'serves the new value',
      before: 'version 9f8e7d6c',
      after: 'a new version',
    },
    {
      change: 'change',
      where: 'app-settlement-stage',
      what: 'is switched and confirmed',
      before: null,
      after: 'first, as the canary',
    },
    {
      change: 'change',
      where: 'app-settlement',
      what: 'is switched and confirmed',
      before: null,
      after: null,
    },
    {
      change: 'remove',
      where: r.name,
      what: 'credential b7c8d9e0… is removed',
      before: null,
      after: 'only on proof that nobody uses it',
    },
  ],
  risks: ['1 of 2 dependents are less than 70 % sure: app-settlement.'],
  undo: [
    'settlement-client serves the value of version 9f8e7d6c again, as a new version.',
    'Dependents that were switched are told to use it.',
    'The new credential is removed when nobody can hold it any more (24 h later).',
  ],
  approvals: {
    needed: r.policy === 'policy-0000' ? 1 : 0,
    given: r.stage === 'awaiting-approval' ? [] : ['operator-0002'],
    requestedBy: 'operator-0009',
  },
  ticket: 'CHG-4711',
  incident: null,
  breakGlass: false,
  checks:
    r.stage === 'planned' || r.stage === 'awaiting-approval'
      ? []
      : [
          { check: 'permission', state: 'passed', says: 'The identity owns the application.' },
          {
            check: 'managed-elsewhere',
            state: 'warned',
            says: 'A tag says that Terraform manages this vault.',
          },
        ],
  dependents: ['app-settlement-stage', 'app-settlement'].map((name, n) => ({
    plan: {
      dependent: `resource-000${n}`,
      kind: 'app-service-reference',
      name,
      at: null,
      setting: 'SETTLEMENT_SECRET',
      target: 0,
      confidence: n === 0 ? 100 : 60,
      canary: n === 0,
    },
    state:
      r.stage === 'complete'
        ? 'confirmed'
        : r.stage === 'cutover'
          ? n === 0
            ? 'confirmed'
            : 'unconfirmed'
          : 'waiting',
    note: null,
    cachedUntil: null,
  })),
  pending: unsigned.has(r.rotation)
    ? {
        awaits: 'merge',
        request: '-----BEGIN CERTIFICATE REQUEST-----\nMIIBFzCB\n-----END CERTIFICATE REQUEST-----',
      }
    : null,
  graceHours: 24,
  graceUntil: null,
  held: null,
  now: r.paused
    ? { says: 'Paused by a person.', until: null }
    : {
        says: r.needsOperator
          ? 'Stands still. Old and new credential both work; a person has to decide.'
          : (SAYS[r.stage] ?? r.reason ?? 'It has ended.'),
        until: r.stage === 'grace' ? iso(now + DAY) : null,
      },
  byHand: ['Switch app-settlement (SETTLEMENT_SECRET) to the new value and look that it works'],
  record: records.get(r.rotation) ?? [],
})

/** Rotation's endpoints over a few rows that buttons move. */
export function rotationHandlers(): Handlers['rotation'] {
  let writes = true
  const none = refuse(404, 'no-such-rotation', 'No rotation of this id is known.')
  const find = (id: string) => rotations.find((r) => r.rotation === id)
  const move = (id: string, change: Partial<RotationRow>) => {
    const at = rotations.findIndex((r) => r.rotation === id)
    const before = rotations[at]
    if (!before) return none
    const after = { ...before, ...change, ...(change.stage ? { since: iso(Date.now()) } : {}) }
    rotations[at] = after
    const lines = records.get(id) ?? []
    if (change.stage) records.set(id, [...lines, ...leaves(change.stage, Date.now(), lines.length)])
    if (change.paused !== undefined)
      records.set(id, [
        ...lines,
        {
          at: iso(Date.now()),
          type: change.paused ? 'paused' : 'resumed',
          by: 'operator-0001',
          seq: 41 + lines.length,
          says: change.paused ? 'Paused.' : 'Resumed.',
          proof: null,
        },
      ])
    return detail(after)
  }
  const to = (change: Partial<RotationRow>) => (given: { params: { rotation: string } }) =>
    move(given.params.rotation, change)
  /** A rotation that is under way goes one stage on, up to its grace. */
  const step = (id: string): RotationDetail | undefined => {
    const found = find(id)
    if (!found) return undefined
    const at = WAY.indexOf(found.stage as (typeof WAY)[number])
    const next = WAY[at + 1]
    const moves = at >= WAY.indexOf('scheduled') && at < WAY.indexOf('grace') && !unsigned.has(id)
    if (moves && next && !found.paused && !found.needsOperator) move(id, { stage: next })
    const after = find(id)
    return after && detail(after)
  }
  return {
    listPolicies: ({ query }) =>
      page(
        policies.filter(
          (p) =>
            (!query.policy || p.policy === query.policy) &&
            (!query.credential || p.credential === query.credential) &&
            (!query.state || p.enabled === (query.state === 'enabled')) &&
            (!query.search || p.subject.name.includes(query.search.toLowerCase())),
        ),
        query,
      ),
    savePolicy: ({ body }) =>
      body.cadenceDays > 400
        ? {
            ...refuse(
              400,
              'lifetime-above-cap',
              'A credential under these terms must live 500 days, and 400 are allowed.',
            ),
            errors: [{ field: 'body.cadenceDays', message: 'may be at most 361' }],
          }
        : { policy: 'policy-0001' },
    revisePolicy: () => undefined,
    disablePolicy: () => undefined,
    showWebhookKey: () => ({ key: '5a'.repeat(32) }),
    listSelectors: () => ({ items: [] }),
    saveSelector: () => ({ selector: 'selector-0001' }),
    disableSelector: () => undefined,
    listMatches: ({ query }) =>
      page(
        matches.filter((m) => !query.state || m.state === query.state),
        query,
      ),
    judgeMatch: ({ params, body }) => {
      const at = matches.findIndex((m) => m.match === params.match)
      const before = matches[at]
      if (!before) return refuse(404, 'no-such-match', 'No match of this id is known.')
      matches[at] = { ...before, state: body.verdict }
      return undefined
    },
    planRotation: ({ body }) => {
      const policy = policies.find((p) => p.policy === body.policy)
      const made = row(`rotation-1${rotations.length}00`, {
        stage: 'planned',
        trigger: 'operator',
        mode: body.mode,
        policy: body.policy,
        credential: policy?.credential ?? 'app-secret-0000',
        name: policy?.subject.name ?? '',
        plannedAt: iso(Date.now()),
      })
      rotations.unshift(made)
      records.set(made.rotation, linesTo(made))
      return detail(made)
    },
    listRotations: ({ query }) =>
      page(
        rotations.filter(
          (r) =>
            (!query.policy || r.policy === query.policy) &&
            (!query.credential || r.credential === query.credential || r.replacedBy === query.credential) &&
            (query.state !== 'attention' || r.needsOperator !== null || r.stage === 'awaiting-approval') &&
            (query.state !== 'running' || r.endedAt === null) &&
            (query.state !== 'ended' || r.endedAt !== null),
        ),
        query,
      ),
    readRotation: ({ params }) => {
      const found = find(params.rotation)
      return found ? detail(found) : none
    },
    watchRotation: ({ params }) => ({
      stream(push) {
        const timer = setInterval(() => {
          const stepped = step(params.rotation)
          if (stepped) push(stepped)
        }, STEP_MS)
        return () => clearInterval(timer)
      },
    }),
    requestRotation: ({ params }) => {
      const policy = policies.find((p) => p.policy === find(params.rotation)?.policy)
      return move(params.rotation, {
        stage: (policy?.settings.approvals ?? 0) > 0 ? 'awaiting-approval' : 'scheduled',
      })
    },
    approveRotation: to({ stage: 'issuing' }),
    rejectRotation: to({ stage: 'rejected', endedAt: iso(now), reason: 'Rejected.' }),
    pauseRotation: to({ paused: true }),
    resumeRotation: to({ paused: false }),
    rollBackRotation: to({ stage: 'rolling-back', needsOperator: null }),
    takeOverRotation: to({ stage: 'taken-over', endedAt: iso(now), needsOperator: null }),
    goOnRotation: to({ needsOperator: null }),
    settleDependent: to({}),
    waiveUse: ({ params, body }) => {
      const lines = records.get(params.rotation) ?? []
      const waived: Line = {
        at: iso(Date.now()),
        type: 'use-waived',
        by: 'operator-0001',
        seq: 41 + lines.length,
        says: 'A person answers for it that nobody uses the old credential.',
        proof: body.reason,
      }
      records.set(params.rotation, [...lines, waived])
      return move(params.rotation, {})
    },
    mergeCertificate: ({ params }) => {
      unsigned.delete(params.rotation)
      return move(params.rotation, { stage: 'verifying' })
    },
    readCalendar: ({ query }) => ({
      cut: false,
      items: [
        ...policies.map((p) => ({
          kind: 'due' as const,
          from: p.dueAt ?? query.from,
          until: null,
          name: p.subject.name,
          policy: p.policy,
          rotation: null,
          freeze: null,
        })),
        {
          kind: 'freeze' as const,
          from: iso(now + 24 * DAY),
          until: iso(now + 38 * DAY),
          name: 'Year end',
          policy: null,
          rotation: null,
          freeze: 'freeze-0001',
        },
      ].toSorted((a, b) => (a.from < b.from ? -1 : 1)),
    }),
    declareFreeze: () => ({ freeze: 'freeze-0002' }),
    liftFreeze: () => undefined,
    listAdvice: () => ({
      items: [
        {
          credential: 'app-secret-0001',
          name: 'contoso-hr-feed',
          advice: 'managed-identity',
          says: 'func-scim-provisioning runs in Azure and could sign in with its own managed identity. Then there is no secret to rotate.',
          resources: ['func-scim-provisioning'],
        },
      ],
    }),
    readWindow: () => ({ openings: [{ from: iso(now + 3 * DAY), until: iso(now + 3 * DAY + 7_200_000) }] }),
    readRotationSettings: () => ({ writes, entitled: true, demonstration: false }),
    switchWrites: ({ body }) => {
      writes = body.writes
      return undefined
    },
  }
}
