import {
  type AccessKind,
  type EventOf,
  type Fact,
  fact,
  type Pairs,
  type TargetKind,
} from '@attestry/contracts'
import type { AccessWish } from '@attestry/contracts/http'
import { type Refused, refuse, type Secret } from '@attestry/kit'
import type * as z from 'zod'
import type { Access } from './targets/access.ts'

/** An account that secrets may be copied to, as its stream tells it. */
export interface Connector {
  readonly connector: string
  readonly cloud: 'azure' | 'aws' | 'gcp'
  readonly name: string
  readonly account: string
  readonly region: string | null
  readonly how: AccessKind
  readonly access: z.infer<typeof Pairs>
  readonly connected: boolean
}

function evolveConnector(known: Connector | null, event: EventOf): Connector | null {
  if (event.type === 'sync.connector-added') return { ...event.data, connected: true }
  if (!known) return null
  if (event.type === 'sync.credential-replaced')
    return { ...known, how: event.data.how, access: event.data.access }
  return event.type === 'sync.connector-removed' ? { ...known, connected: false } : known
}

export const connectorOf = (events: readonly EventOf[]): Connector | null =>
  events.reduce(evolveConnector, null)

const HOWS: Readonly<Record<Connector['cloud'], readonly AccessKind[]>> = {
  azure: ['own-identity'],
  aws: ['web-identity', 'assume-role', 'access-key'],
  gcp: ['federation', 'service-account-key'],
}

/** What each way of signing in needs, and what it may have besides. */
const NEEDS: Readonly<Record<AccessKind, { needs: readonly Field[]; may: readonly Field[] }>> = {
  'own-identity': { needs: [], may: [] },
  'assume-role': { needs: ['roleArn', 'externalId'], may: [] },
  'web-identity': { needs: ['roleArn', 'audience'], may: ['thenRoleArn', 'externalId'] },
  federation: { needs: ['audience', 'tokenAudience'], may: ['serviceAccount'] },
  'access-key': { needs: ['accessKeyId', 'secret'], may: ['thenRoleArn', 'externalId'] },
  'service-account-key': { needs: ['secret'], may: [] },
}
type Field = Exclude<keyof AccessWish, 'how'>

const ACCOUNTS: Readonly<Record<Connector['cloud'], { pattern: RegExp; says: string }>> = {
  aws: { pattern: /^\d{12}$/, says: 'must be the 12 digits of an AWS account' },
  gcp: { pattern: /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, says: 'must be the id of a Google Cloud project' },
  azure: {
    pattern: /^https:\/\/[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)$/,
    says: 'must be the address of a vault, such as https://kv-payments.vault.azure.net',
  },
}

/** What is wrong with an account and its sign-in, field by field; empty where nothing is. */
export function connectorProblems(wish: {
  readonly cloud: Connector['cloud']
  readonly account: string
  readonly region: string | null
  readonly access: AccessWish
}): { field: string; message: string }[] {
  const { cloud, account, region, access } = wish
  const problems: { field: string; message: string }[] = []
  const { pattern, says } = ACCOUNTS[cloud]
  if (!pattern.test(account)) problems.push({ field: 'body.account', message: says })
  if (cloud === 'aws' && region === null)
    problems.push({ field: 'body.region', message: 'is needed for AWS, such as eu-central-1' })
  return [...problems, ...accessProblems(cloud, access)]
}

export function accessProblems(
  cloud: Connector['cloud'],
  access: AccessWish,
): { field: string; message: string }[] {
  if (!HOWS[cloud].includes(access.how))
    return [{ field: 'body.access.how', message: `must be one of ${HOWS[cloud].join(', ')} for this cloud` }]
  const { needs, may } = NEEDS[access.how]
  const problems = needs
    .filter((field) => access[field] === undefined)
    .map((field) => ({ field: `body.access.${field}`, message: `is needed to sign in by ${access.how}` }))
  for (const field of Object.keys(access) as (keyof AccessWish)[]) // the keys of a parsed object are its schema's
    if (field !== 'how' && access[field] !== undefined && ![...needs, ...may].includes(field))
      problems.push({ field: `body.access.${field}`, message: `has no meaning for ${access.how}` })
  if (
    (access.thenRoleArn === undefined) !== (access.externalId === undefined) &&
    access.how !== 'assume-role'
  )
    problems.push({
      field: 'body.access.externalId',
      message: 'goes with thenRoleArn: a role of another account is assumed with an external id',
    })
  return problems
}

/** What of a sign-in is no secret, as the chain keeps it. */
export const accessPairs = (access: AccessWish): [string, string][] =>
  Object.entries(access).filter(
    (pair): pair is [string, string] => pair[0] !== 'how' && pair[0] !== 'secret' && pair[1] !== undefined,
  )

/** The sign-in as an adapter takes it; `stored` opens what is sealed. */
export function accessOf(
  { how, access }: Pick<Connector, 'how' | 'access'>,
  stored: () => Promise<Secret>,
): Access {
  const of = (name: string): string | null => access.find(([key]) => key === name)?.[1] ?? null
  const needed = (name: string): string => {
    const value = of(name)
    if (value === null) throw new Error(`a connector by ${how} has no ${name}`)
    return value
  }
  const thenRole = of('thenRoleArn')
  const onward = thenRole === null ? null : { roleArn: thenRole, externalId: needed('externalId') }
  switch (how) {
    case 'own-identity':
      return { how }
    case 'assume-role':
      return { how, roleArn: needed('roleArn'), externalId: needed('externalId') }
    case 'web-identity':
      return { how, roleArn: needed('roleArn'), audience: needed('audience'), onward }
    case 'federation':
      return {
        how,
        audience: needed('audience'),
        tokenAudience: needed('tokenAudience'),
        serviceAccount: of('serviceAccount'),
      }
    case 'access-key':
      return { how, accessKeyId: needed('accessKeyId'), secretAccessKey: stored, onward }
    case 'service-account-key':
      return { how, key: stored }
  }
}

/** Whether a sign-in of this kind keeps a secret of ours. */
export const isStored = (how: AccessKind): boolean => how === 'access-key' || how === 'service-account-key'

/** Which cloud a kind of target is of. */
export const cloudOfKind = (kind: TargetKind): Connector['cloud'] =>
  kind.startsWith('aws') ? 'aws' : kind.startsWith('gcp') ? 'gcp' : 'azure'

/** @refuses 'no-such-connector', 'connector-in-use' */
export function decideRemove(
  known: Connector | null,
  openRoutes: number,
): Fact[] | Refused<'no-such-connector' | 'connector-in-use'> {
  if (!known?.connected) return noSuchConnector()
  if (openRoutes > 0)
    return refuse(
      'connector-in-use',
      `${openRoutes} routes write to it. Close them first; their copies stay.`,
    )
  return [fact('sync.connector-removed', { connector: known.connector })]
}

export const noSuchConnector = () => refuse('no-such-connector', 'No connector of this id is there.')
