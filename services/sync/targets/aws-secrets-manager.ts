import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  type Tag,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { Denied, pause, refuse } from '@attestry/kit'
import type { Account, World } from './access.ts'
import { awsCode } from './aws-failure.ts'
import { PACE_MS } from '../quota.ts'
import { awsAccess } from './aws-sign-in.ts'
import { AWS_TAGS, tagList, tagsOf } from './aws-tags.ts'
import { unfit } from './fit.ts'
import {
  type Capabilities,
  markOf,
  type RemoteEntry,
  type Target,
  type TargetRefusal,
  type Value,
} from './target.ts'
import { pagesByToken } from './token-pages.ts'

/*
 * AWS Secrets Manager. A version is written under the source version's id as its request token, so the listing itself
 * shows which source version is served, and a write that is repeated after any interruption changes nothing. No call
 * here returns a value, and nothing is ever deleted without recovery.
 */

export const AWS_SECRETS_MANAGER: Capabilities = {
  kind: 'aws-secrets-manager',
  takes: 'secrets',
  foldsCase: false,
  name: {
    pattern: /^[A-Za-z0-9/_+=.@-]{1,512}$/,
    says: 'be 1 to 512 letters, digits and / _ + = . @ -',
  },
  value: { minBytes: 1, maxBytes: 65_536, binary: true },
  tags: AWS_TAGS,
  marks: 'object',
  drift: 'listed',
  disables: false,
  restores: true,
  // 50 a second; a copy is two requests, and others write too.
  writesPerMinute: 1_200,
  // "We recommend you avoid calling PutSecretValue at a sustained rate of more than once every 10 minutes."
  writeEveryMs: PACE_MS,
  inFlight: 8,
}

const PAGE = 100
/** Looks at what is being restored, so often and so far apart: ten seconds in all. */
const RESTORE_LOOKS = 20
const RESTORE_PAUSE_MS = 500

/** What describing and listing have in common. */
interface Shown {
  readonly Name?: string | undefined
  readonly ARN?: string | undefined
  readonly DeletedDate?: Date | undefined
  readonly Tags?: Tag[] | undefined
}

function entryOf(shown: Shown, stages: Record<string, string[]> | undefined): RemoteEntry {
  const version =
    Object.entries(stages ?? {}).find(([, labels]) => labels.includes('AWSCURRENT'))?.[0] ?? null
  return {
    name: shown.Name ?? '',
    id: shown.ARN ?? '',
    state: shown.DeletedDate === undefined ? 'live' : 'pending-deletion',
    mark: markOf(tagsOf(shown.Tags)),
    version,
    // Ids that AWS makes have dashes; those of a vault have none.
    servedSource: version !== null && /^[0-9a-f]{32}$/.test(version) ? version : null,
    stamp: version,
  }
}

const valueOf = ({ bytes, form }: Value) =>
  form === 'text' ? { SecretString: bytes.text() } : { SecretBinary: bytes.reveal() }

/** A refusal that concerns one object; all else is thrown on. */
function refusalOf(error: unknown): TargetRefusal {
  const code = awsCode(error)
  const said = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  if (code === 'ResourceNotFoundException') return refuse('gone', 'The secret is not there any more.')
  if (code === 'InvalidRequestException' && /delet/i.test(said))
    return refuse('pending-deletion', 'A secret of this name waits for its deletion and can be restored.')
  if (code === 'LimitExceededException')
    return refuse('limit', 'AWS keeps no more: the account’s quota of secrets, versions or tags is reached.')
  throw error
}

/** Writes copies to AWS Secrets Manager. */
export function awsSecretsManagerTarget(account: Account, world: World): Target {
  const { secrets, ask, account: whoAmI } = awsAccess(account, world)

  async function describe(name: string, abortSignal: AbortSignal): Promise<RemoteEntry | null> {
    try {
      const shown = await ask(() =>
        secrets.send(new DescribeSecretCommand({ SecretId: name }), { abortSignal }),
      )
      return entryOf(shown, shown.VersionIdsToStages)
    } catch (error) {
      if (error instanceof Denied && error.code === 'ResourceNotFoundException') return null
      throw error
    }
  }

  /** Has a version that is there served, whoever's is served now. */
  async function serve(id: string, version: string, abortSignal: AbortSignal): Promise<void> {
    const now = await describe(id, abortSignal)
    if (now?.version === version) return
    await ask(() =>
      secrets.send(
        new UpdateSecretVersionStageCommand({
          SecretId: id,
          VersionStage: 'AWSCURRENT',
          MoveToVersionId: version,
          ...(now?.version ? { RemoveFromVersionId: now.version } : {}),
        }),
        { abortSignal },
      ),
    )
  }

  return {
    can: AWS_SECRETS_MANAGER,
    async test(signal) {
      const reached = await whoAmI(signal)
      await ask(() => secrets.send(new ListSecretsCommand({ MaxResults: 1 }), { abortSignal: signal }))
      return { account: reached }
    },
    // 500,000 secrets are the most that an account holds.
    list: (signal) =>
      pagesByToken(5_000, signal, async (token) => {
        const answer = await ask(() =>
          secrets.send(
            new ListSecretsCommand({
              MaxResults: PAGE,
              IncludePlannedDeletion: true,
              // By creation, oldest first: what is made meanwhile comes last and moves nothing.
              SortOrder: 'asc',
              ...(token === undefined ? {} : { NextToken: token }),
            }),
            { abortSignal: signal },
          ),
        )
        const page = (answer.SecretList ?? []).map((shown) => entryOf(shown, shown.SecretVersionsToStages))
        return { page, next: answer.NextToken }
      }),
    describe,
    async create(name, { value, mark, metadata }, abortSignal) {
      const refusal = unfit(value, AWS_SECRETS_MANAGER, 'Secrets Manager')
      if (refusal) return refusal
      try {
        const made = await ask(() =>
          secrets.send(
            new CreateSecretCommand({
              Name: name,
              ClientRequestToken: mark.sourceVersion,
              Tags: tagList(mark, metadata, AWS_TAGS),
              ...valueOf(value),
            }),
            { abortSignal },
          ),
        )
        return { id: made.ARN ?? '', version: mark.sourceVersion, stamp: mark.sourceVersion, marked: true }
      } catch (error) {
        if (awsCode(error) === 'ResourceExistsException')
          return refuse('exists', 'A secret of this name is there already.')
        return refusalOf(error)
      }
    },
    async put(entry, { value, mark }, abortSignal) {
      const refusal = unfit(value, AWS_SECRETS_MANAGER, 'Secrets Manager')
      if (refusal) return refusal
      const version = mark.sourceVersion
      try {
        const made = await ask(() =>
          secrets.send(
            new PutSecretValueCommand({
              SecretId: entry.id,
              ClientRequestToken: version,
              ...valueOf(value),
            }),
            { abortSignal },
          ),
        )
        // Written before and superseded since: AWS answers with the old version and serves the other one.
        if (!made.VersionStages?.includes('AWSCURRENT')) await serve(entry.id, version, abortSignal)
        return { id: entry.id, version, stamp: version, marked: false }
      } catch (error) {
        if (awsCode(error) === 'ResourceExistsException')
          return refuse('version-conflict', 'This source version is already there with another value.')
        return refusalOf(error)
      }
    },
    async mark(entry, mark, metadata, abortSignal) {
      try {
        const Tags = tagList(mark, metadata, AWS_TAGS)
        await ask(() => secrets.send(new TagResourceCommand({ SecretId: entry.id, Tags }), { abortSignal }))
        return { stamp: entry.stamp }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async restore(entry, signal) {
      try {
        await ask(() =>
          secrets.send(new RestoreSecretCommand({ SecretId: entry.id }), { abortSignal: signal }),
        )
      } catch (error) {
        return refusalOf(error)
      }
      for (let look = 0; look < RESTORE_LOOKS; look++) {
        if ((await describe(entry.id, signal))?.state === 'live') return null
        await pause(RESTORE_PAUSE_MS, signal)
        signal.throwIfAborted()
      }
      return refuse('pending-deletion', 'The secret is still being restored.')
    },
    disable: () => Promise.resolve(refuse('gone', 'Secrets Manager cannot keep a secret and not serve it.')),
    async remove(entry, abortSignal) {
      try {
        // With the recovery window of 30 days that AWS gives by itself.
        await ask(() => secrets.send(new DeleteSecretCommand({ SecretId: entry.id }), { abortSignal }))
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        return refusal.refused === 'gone' || refusal.refused === 'pending-deletion' ? null : refusal
      }
    },
    // AWS drops versions without a label by itself and bills none of them.
    trim: () => Promise.resolve(),
  }
}
