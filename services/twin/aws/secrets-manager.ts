import * as z from 'zod'
import { listingLag } from '../listing-lag.ts'
import type { Cloud } from '../operation.ts'
import type { AwsCredentials } from './caller.ts'
import { type AwsSecret, secretArn } from './account.ts'
import {
  action,
  asTagList,
  asTags,
  type AwsRequest,
  awsRefusal,
  change,
  jsonService,
  offsetOf,
  pageToken,
  requestTags,
  resourceTags,
  tagKeys,
  tagList,
} from './json-service.ts'
import { addVersion, checkValue, moveStage } from './secret-versions.ts'

const daySeconds = 86_400
const mostTags = 50
const invalid = (text: string) => awsRefusal('InvalidParameterException', text)
const badRequest = (text: string) => awsRefusal('InvalidRequestException', text)
const absent = () =>
  awsRefusal('ResourceNotFoundException', "Secrets Manager can't find the specified secret.")

const secretName = z
  .string()
  .regex(
    /^[\w/+=.@-]{1,512}$/,
    'Member must satisfy regular expression pattern: must contain only alphanumeric characters and the characters -/_+=.@',
  )
const token = z.string().min(32, 'Member must have length greater than or equal to 32').max(64)
const id = z.string().min(1).max(2048)
const value = { SecretString: z.string().optional(), SecretBinary: z.string().optional() }
const filter = z.strictObject({
  Key: z.enum(['description', 'name', 'tag-key', 'tag-value', 'all']),
  Values: z.array(z.string()).min(1).max(10),
})

/**
 * Secrets Manager: versions under the caller's tokens, staging labels, deletion with a recovery window.
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
 */
export function secretsManager(cloud: Cloud, credentials: AwsCredentials) {
  const lag = listingLag<AwsSecret, object>(
    () => cloud.clock.now(),
    () => cloud.settings.listLagMs,
  )

  /** The secrets that are there: a recovery window that ended took its secret away. */
  function all({ account, region, now }: AwsRequest): AwsSecret[] {
    for (let index = account.secrets.length - 1; index >= 0; index -= 1) {
      const deleted = account.secrets[index]?.deleted
      if (deleted && deleted.goneAt <= now) account.secrets.splice(index, 1)
    }
    return account.secrets.filter((secret) => secret.region === region)
  }
  const arnOf = (request: AwsRequest, secret: AwsSecret) => secretArn(request.account.id, secret)

  /** A secret by name or ARN, once the caller may do `name` to it. Who may not, does not learn whether it is there. */
  function find(
    request: AwsRequest,
    name: string,
    given: string,
    context: Record<string, string | readonly string[]> = {},
  ): AwsSecret {
    const plain = /^arn:.*:secret:(.+)-[^-]{6}$/.exec(given)?.[1] ?? given
    const named = all(request).find((one) => one.name === plain)
    const secret = named && (plain === given || arnOf(request, named) === given) ? named : undefined
    const arn =
      secret === undefined
        ? given.startsWith('arn:')
          ? given
          : secretArn(request.account.id, { region: request.region, name: given, suffix: '??????' })
        : arnOf(request, secret)
    const tags = secret === undefined ? {} : resourceTags('secretsmanager', secret.tags)
    request.allow(`secretsmanager:${name}`, arn, { ...tags, ...context })
    if (secret === undefined) throw absent()
    return secret
  }
  function live(secret: AwsSecret): AwsSecret {
    if (secret.deleted !== null)
      throw badRequest("You can't perform this operation on the secret because it was marked for deletion.")
    return secret
  }
  /** Does what changes a secret; what is refused leaves no trace. */
  function changing<T>(request: AwsRequest, secret: AwsSecret, work: () => T): T {
    const before = listed(request, secret)
    const result = work()
    lag.changing(secret, before)
    secret.changed = request.now
    return result
  }

  const stagesOf = (secret: AwsSecret) =>
    Object.fromEntries(
      secret.versions
        .filter(({ stages }) => stages.length > 0)
        .map((version) => [version.id, version.stages]),
    )
  const described = (request: AwsRequest, secret: AwsSecret) => ({
    ARN: arnOf(request, secret),
    Name: secret.name,
    ...(secret.description === null ? {} : { Description: secret.description }),
    ...(secret.kmsKey === null ? {} : { KmsKeyId: secret.kmsKey }),
    CreatedDate: secret.created,
    LastChangedDate: secret.changed,
    ...(secret.deleted === null ? {} : { DeletedDate: secret.deleted.goneAt }),
    Tags: asTagList(secret.tags),
  })
  const listed = (request: AwsRequest, secret: AwsSecret) => ({
    ...described(request, secret),
    SecretVersionsToStages: stagesOf(secret),
  })

  function checkTags(tags: Record<string, string>): void {
    if (Object.keys(tags).length > mostTags)
      throw awsRefusal('LimitExceededException', `A secret can have at most ${mostTags} tags.`)
    for (const [key, text] of Object.entries(tags)) {
      if (key.toLowerCase().startsWith('aws:')) throw invalid('Tag keys must not begin with aws:.')
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(key) || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(text))
        throw invalid('Tags may hold letters, digits, spaces and _ . : / = + - @ only.')
    }
  }

  return jsonService(cloud, credentials, {
    name: 'secretsmanager',
    target: 'secretsmanager',
    invalid: 'ValidationException',
    actions: {
      CreateSecret: change(
        z.strictObject({
          Name: secretName,
          ClientRequestToken: token,
          Description: z.string().max(2048).optional(),
          KmsKeyId: z.string().optional(),
          Tags: tagList.optional(),
          ...value,
        }),
        (input, request) => {
          const tags = asTags(input.Tags ?? [])
          const arn = secretArn(request.account.id, {
            region: request.region,
            name: input.Name,
            suffix: '??????',
          })
          request.allow('secretsmanager:CreateSecret', arn, {
            'secretsmanager:Name': input.Name,
            ...requestTags(tags),
          })
          if (input.Tags !== undefined) request.allow('secretsmanager:TagResource', arn, requestTags(tags))
          request.throttle('secretsmanager.create')
          checkTags(tags)
          checkValue(input)
          const known = all(request).find(({ name }) => name === input.Name)
          if (known?.deleted)
            throw badRequest(
              "You can't create this secret because a secret with this name is already scheduled for deletion.",
            )
          if (known !== undefined) {
            const replayed = known.versions.find(({ id: version }) => version === input.ClientRequestToken)
            if (
              replayed?.text !== (input.SecretString ?? null) ||
              replayed.binary !== (input.SecretBinary ?? null)
            )
              throw awsRefusal(
                'ResourceExistsException',
                `The operation failed because the secret ${input.Name} already exists.`,
              )
            return { ARN: arnOf(request, known), Name: known.name, VersionId: replayed.id }
          }
          const secret: AwsSecret = {
            region: request.region,
            name: input.Name,
            suffix: cloud.randomHex(3),
            description: input.Description ?? null,
            kmsKey: input.KmsKeyId ?? null,
            tags,
            created: request.now,
            changed: request.now,
            deleted: null,
            versions: [],
          }
          lag.changing(secret, null)
          request.account.secrets.push(secret)
          const { SecretString, SecretBinary } = input
          const valued = SecretString !== undefined || SecretBinary !== undefined
          if (valued) addVersion(secret, input.ClientRequestToken, input, ['AWSCURRENT'], request.now)
          return {
            ARN: arnOf(request, secret),
            Name: secret.name,
            ...(valued ? { VersionId: input.ClientRequestToken } : {}),
          }
        },
      ),
      PutSecretValue: change(
        z.strictObject({
          SecretId: id,
          ClientRequestToken: token,
          VersionStages: z.array(z.string().min(1).max(256)).min(1).max(20).optional(),
          ...value,
        }),
        (input, request) => {
          const secret = find(request, 'PutSecretValue', input.SecretId)
          request.throttle('secretsmanager.put')
          live(secret)
          if (input.SecretString === undefined && input.SecretBinary === undefined)
            throw invalid('You must provide either SecretString or SecretBinary.')
          const stages = input.VersionStages ?? ['AWSCURRENT']
          const version = changing(request, secret, () =>
            addVersion(secret, input.ClientRequestToken, input, stages, request.now),
          )
          return {
            ARN: arnOf(request, secret),
            Name: secret.name,
            VersionId: version.id,
            VersionStages: version.stages,
          }
        },
      ),
      GetSecretValue: action(
        z.strictObject({ SecretId: id, VersionId: token.optional(), VersionStage: z.string().optional() }),
        (input, request) => {
          const secret = live(find(request, 'GetSecretValue', input.SecretId))
          const version = secret.versions.find(
            (one) =>
              (input.VersionId === undefined || one.id === input.VersionId) &&
              (input.VersionStage === undefined || one.stages.includes(input.VersionStage)) &&
              (input.VersionId !== undefined ||
                input.VersionStage !== undefined ||
                one.stages.includes('AWSCURRENT')),
          )
          if (version === undefined)
            throw awsRefusal(
              'ResourceNotFoundException',
              `Secrets Manager can't find the specified secret value for ${input.VersionId === undefined ? `staging label: ${input.VersionStage ?? 'AWSCURRENT'}` : `VersionId: ${input.VersionId}`}`,
            )
          return {
            ARN: arnOf(request, secret),
            Name: secret.name,
            VersionId: version.id,
            VersionStages: version.stages,
            CreatedDate: version.created,
            ...(version.text === null ? {} : { SecretString: version.text }),
            ...(version.binary === null ? {} : { SecretBinary: version.binary }),
          }
        },
      ),
      DescribeSecret: action(z.strictObject({ SecretId: id }), (input, request) => {
        const secret = find(request, 'DescribeSecret', input.SecretId)
        return { ...described(request, secret), VersionIdsToStages: stagesOf(secret) }
      }),
      ListSecrets: action(
        z.strictObject({
          MaxResults: z.int().min(1).max(100).default(100),
          NextToken: z.string().optional(),
          IncludePlannedDeletion: z.boolean().default(false),
          Filters: z.array(filter).max(10).default([]),
          SortOrder: z.enum(['asc', 'desc']).default('desc'),
        }),
        (input, request) => {
          request.allow('secretsmanager:ListSecrets', '*')
          request.throttle('secretsmanager.list')
          const offset = offsetOf(input.NextToken)
          if (offset === undefined)
            throw awsRefusal('InvalidNextTokenException', 'The NextToken value is invalid.')
          const keep = (secret: AwsSecret) =>
            (input.IncludePlannedDeletion || secret.deleted === null) &&
            input.Filters.every(({ Key, Values }) =>
              Values.some((wanted) => {
                if (Key === 'tag-key') return Object.keys(secret.tags).some((key) => key.startsWith(wanted))
                if (Key === 'tag-value')
                  return Object.values(secret.tags).some((text) => text.startsWith(wanted))
                const text = Key === 'description' ? (secret.description ?? '') : secret.name
                return text.startsWith(wanted)
              }),
            )
          const order = input.SortOrder === 'asc' ? 1 : -1
          const matching = lag
            .visible(all(request))
            .filter(keep)
            .sort((a, b) => order * (a.created - b.created || (a.name < b.name ? -1 : 1)))
          const end = offset + input.MaxResults
          return {
            SecretList: matching.slice(offset, end).map((one) => lag.shown(one, () => listed(request, one))),
            ...(end < matching.length ? { NextToken: pageToken(end) } : {}),
          }
        },
      ),
      ListSecretVersionIds: action(
        z.strictObject({
          SecretId: id,
          IncludeDeprecated: z.boolean().default(false),
          MaxResults: z.int().min(1).max(100).default(100),
          NextToken: z.string().optional(),
        }),
        (input, request) => {
          const secret = find(request, 'ListSecretVersionIds', input.SecretId)
          const versions = secret.versions.filter(
            ({ stages }) => input.IncludeDeprecated || stages.length > 0,
          )
          const offset = offsetOf(input.NextToken)
          if (offset === undefined)
            throw awsRefusal('InvalidNextTokenException', 'The NextToken value is invalid.')
          const end = offset + input.MaxResults
          return {
            ARN: arnOf(request, secret),
            Name: secret.name,
            Versions: versions.slice(offset, end).map((version) => ({
              VersionId: version.id,
              VersionStages: version.stages,
              CreatedDate: version.created,
            })),
            ...(end < versions.length ? { NextToken: pageToken(end) } : {}),
          }
        },
      ),
      UpdateSecret: change(
        z.strictObject({
          SecretId: id,
          ClientRequestToken: token.optional(),
          Description: z.string().max(2048).optional(),
          KmsKeyId: z.string().optional(),
          ...value,
        }),
        (input, request) => {
          const secret = live(find(request, 'UpdateSecret', input.SecretId))
          request.throttle('secretsmanager.put')
          const valued = input.SecretString !== undefined || input.SecretBinary !== undefined
          if (valued && input.ClientRequestToken === undefined)
            throw invalid('You must provide a ClientRequestToken value.')
          const version = changing(request, secret, () => {
            const added = valued
              ? addVersion(secret, input.ClientRequestToken ?? '', input, ['AWSCURRENT'], request.now)
              : undefined
            if (input.Description !== undefined) secret.description = input.Description
            if (input.KmsKeyId !== undefined) secret.kmsKey = input.KmsKeyId
            return added
          })
          return {
            ARN: arnOf(request, secret),
            Name: secret.name,
            ...(version === undefined ? {} : { VersionId: version.id }),
          }
        },
      ),
      UpdateSecretVersionStage: change(
        z.strictObject({
          SecretId: id,
          VersionStage: z.string().min(1).max(256),
          MoveToVersionId: token.optional(),
          RemoveFromVersionId: token.optional(),
        }),
        (input, request) => {
          const secret = live(find(request, 'UpdateSecretVersionStage', input.SecretId))
          request.throttle('secretsmanager.put')
          const bearer = secret.versions.find(({ stages }) => stages.includes(input.VersionStage))
          if (bearer !== undefined && bearer.id !== input.RemoveFromVersionId)
            throw invalid(
              `The parameter RemoveFromVersionId can't be empty. Staging label ${input.VersionStage} is currently attached to version ${bearer.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
            )
          if (input.MoveToVersionId === undefined) {
            if (input.VersionStage === 'AWSCURRENT')
              throw invalid("You can't remove AWSCURRENT: every secret must have a current version.")
            changing(request, secret, () => {
              if (bearer !== undefined)
                bearer.stages = bearer.stages.filter((stage) => stage !== input.VersionStage)
            })
          } else {
            const to = secret.versions.find((version) => version.id === input.MoveToVersionId)
            if (to === undefined) throw absent()
            changing(request, secret, () => moveStage(secret, input.VersionStage, to))
          }
          return { ARN: arnOf(request, secret), Name: secret.name }
        },
      ),
      TagResource: change(z.strictObject({ SecretId: id, Tags: tagList }), (input, request) => {
        const tags = asTags(input.Tags)
        const secret = live(find(request, 'TagResource', input.SecretId, requestTags(tags)))
        request.throttle('secretsmanager.tag')
        checkTags({ ...secret.tags, ...tags })
        changing(request, secret, () => {
          secret.tags = { ...secret.tags, ...tags }
        })
        return {}
      }),
      UntagResource: change(z.strictObject({ SecretId: id, TagKeys: tagKeys }), (input, request) => {
        const secret = live(find(request, 'UntagResource', input.SecretId, { 'aws:TagKeys': input.TagKeys }))
        request.throttle('secretsmanager.tag')
        changing(request, secret, () => {
          secret.tags = Object.fromEntries(
            Object.entries(secret.tags).filter(([key]) => !input.TagKeys.includes(key)),
          )
        })
        return {}
      }),
      DeleteSecret: change(
        z.strictObject({
          SecretId: id,
          RecoveryWindowInDays: z.int().min(7).max(30).optional(),
          ForceDeleteWithoutRecovery: z.boolean().optional(),
        }),
        (input, request) => {
          const secret = live(
            find(request, 'DeleteSecret', input.SecretId, {
              'secretsmanager:ForceDeleteWithoutRecovery': String(input.ForceDeleteWithoutRecovery ?? false),
            }),
          )
          request.throttle('secretsmanager.delete')
          if (input.ForceDeleteWithoutRecovery === true && input.RecoveryWindowInDays !== undefined)
            throw invalid(
              "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            )
          const days = input.ForceDeleteWithoutRecovery === true ? 0 : (input.RecoveryWindowInDays ?? 30)
          const goneAt = request.now + days * daySeconds
          changing(request, secret, () => {
            secret.deleted = { at: request.now, goneAt }
          })
          return { ARN: arnOf(request, secret), Name: secret.name, DeletionDate: goneAt }
        },
      ),
      RestoreSecret: change(z.strictObject({ SecretId: id }), (input, request) => {
        const secret = find(request, 'RestoreSecret', input.SecretId)
        request.throttle('secretsmanager.restore')
        changing(request, secret, () => {
          secret.deleted = null
        })
        return { ARN: arnOf(request, secret), Name: secret.name }
      }),
    },
  })
}
