import * as z from 'zod'
import { listingLag } from '../listing-lag.ts'
import type { Cloud } from '../operation.ts'
import { type AwsParameter, type AwsParameterVersion, parameterArn } from './account.ts'
import type { AwsCredentials } from './caller.ts'
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

/** Characters of a value, and how many parameters a region holds of each tier. */
const tiers = {
  Standard: { largest: 4_096, most: 10_000 },
  Advanced: { largest: 8_192, most: 100_000 },
} as const
const mostVersions = 100
const mostLabels = 10

const invalid = (text: string) => awsRefusal('ValidationException', text)
const name = z.string().min(1).max(2048)

/** @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html on names */
function checkName(given: string): void {
  if (!/^[\w.\-/]+$/.test(given))
    throw invalid(
      'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_',
    )
  if (/^\/?(aws|ssm)/i.test(given))
    throw invalid('Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).')
  if (given.includes('/') && !given.startsWith('/'))
    throw invalid('Parameter name must be a fully qualified name: a hierarchy begins with a slash.')
  if (given.split('/').length > 16)
    throw awsRefusal('HierarchyLevelLimitExceededException', 'A hierarchy can have a maximum of 15 levels.')
}

/**
 * Parameter Store: standard and advanced parameters, versions with labels, tags.
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/Welcome.html
 */
export function parameterStore(cloud: Cloud, credentials: AwsCredentials) {
  const lag = listingLag<AwsParameter, object>(
    () => cloud.clock.now(),
    () => cloud.settings.listLagMs,
  )
  const all = ({ account, region }: AwsRequest) =>
    account.parameters.filter((parameter) => parameter.region === region)
  const arnOf = (request: AwsRequest, given: string) =>
    parameterArn(request.account.id, { region: request.region, name: given })
  const newest = ({ versions }: AwsParameter): AwsParameterVersion => {
    const last = versions.at(-1)
    if (last === undefined) throw new Error('A parameter has at least one version.')
    return last
  }

  function find(
    request: AwsRequest,
    act: string,
    given: string,
    context: Record<string, string | string[]> = {},
  ) {
    const plain = given.replace(/:[^:/]+$/, '')
    const parameter = all(request).find((one) => one.name === plain || arnOf(request, one.name) === plain)
    const tags = parameter === undefined ? {} : resourceTags('ssm', parameter.tags)
    request.allow(`ssm:${act}`, arnOf(request, parameter?.name ?? plain), { ...tags, ...context })
    return parameter
  }
  function must(parameter: AwsParameter | undefined, code = 'ParameterNotFound'): AwsParameter {
    if (parameter === undefined) throw awsRefusal(code, '')
    return parameter
  }
  const valueOf = (
    request: AwsRequest,
    parameter: AwsParameter,
    version: AwsParameterVersion,
    clear: boolean,
  ) => ({
    Name: parameter.name,
    Type: version.type,
    Value:
      version.type === 'SecureString' && !clear
        ? Buffer.from(`encrypted ${parameter.name} ${version.version}`).toString('base64')
        : version.value,
    Version: version.version,
    LastModifiedDate: version.modified,
    ARN: arnOf(request, parameter.name),
    DataType: 'text',
  })
  const metadata = (request: AwsRequest, parameter: AwsParameter) => {
    const version = newest(parameter)
    return {
      Name: parameter.name,
      ARN: arnOf(request, parameter.name),
      Type: version.type,
      ...(version.keyId === null ? {} : { KeyId: version.keyId }),
      LastModifiedDate: version.modified,
      LastModifiedUser: version.by,
      ...(version.description === null ? {} : { Description: version.description }),
      Version: version.version,
      Tier: version.tier,
      Policies: [],
      DataType: 'text',
    }
  }
  /** Reads one by name, `name:version` or `name:label`. */
  function read(request: AwsRequest, act: string, given: string, clear: boolean) {
    const parameter = find(request, act, given)
    if (parameter === undefined) return
    const selector = /:([^:/]+)$/.exec(given)?.[1]
    const version =
      selector === undefined
        ? newest(parameter)
        : parameter.versions.find((one) => String(one.version) === selector || one.labels.includes(selector))
    return version && valueOf(request, parameter, version, clear)
  }
  function page(token: string | undefined): number {
    const offset = offsetOf(token)
    if (offset === undefined) throw awsRefusal('InvalidNextToken', 'The specified token is not valid.')
    return offset
  }
  const tagged = z.strictObject({ ResourceType: z.literal('Parameter'), ResourceId: name })

  return jsonService(cloud, credentials, {
    name: 'ssm',
    target: 'AmazonSSM',
    invalid: 'ValidationException',
    actions: {
      PutParameter: change(
        z.strictObject({
          Name: name,
          Value: z.string(),
          Type: z.enum(['String', 'StringList', 'SecureString']).optional(),
          Tier: z.enum(['Standard', 'Advanced']).default('Standard'),
          Description: z.string().max(1024).optional(),
          KeyId: z.string().optional(),
          Overwrite: z.boolean().default(false),
          Tags: tagList.optional(),
          DataType: z.literal('text').optional(),
        }),
        (input, request) => {
          const tags = asTags(input.Tags ?? [])
          const parameter = find(request, 'PutParameter', input.Name, requestTags(tags))
          if (input.Tags !== undefined)
            request.allow('ssm:AddTagsToResource', arnOf(request, input.Name), requestTags(tags))
          request.throttle('ssm.put')
          checkName(input.Name)
          if (input.Overwrite && input.Tags !== undefined)
            throw invalid(
              "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
            )
          const last = parameter && newest(parameter)
          if (last !== undefined && !input.Overwrite)
            throw awsRefusal(
              'ParameterAlreadyExists',
              'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
            )
          const type = input.Type ?? last?.type
          if (type === undefined) throw invalid('A parameter type is required when you create a parameter.')
          if (last !== undefined && last.type !== type)
            throw awsRefusal('HierarchyTypeMismatchException', 'The type of a parameter cannot be changed.')
          // An advanced parameter never becomes a standard one again.
          const tier = last?.tier === 'Advanced' ? 'Advanced' : input.Tier
          const { largest, most } = tiers[tier]
          if (input.Value === '') throw invalid('Parameter value must not be empty.')
          if (input.Value.length > largest)
            throw invalid(
              `${tier} tier parameters support a maximum parameter value of ${largest} characters.${tier === 'Standard' ? ' To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html' : ''}`,
            )
          if (last === undefined && all(request).filter((one) => newest(one).tier === tier).length >= most)
            throw awsRefusal(
              'ParameterLimitExceeded',
              'You have exceeded the number of parameters for this account.',
            )
          const made: AwsParameterVersion = {
            version: (last?.version ?? 0) + 1,
            value: input.Value,
            type,
            tier,
            description: input.Description ?? last?.description ?? null,
            keyId: type === 'SecureString' ? (input.KeyId ?? 'alias/aws/ssm') : null,
            modified: request.now,
            by: request.caller.arn,
            labels: [],
          }
          if (parameter === undefined) {
            const created = { region: request.region, name: input.Name, tags, versions: [made] }
            lag.changing(created, null)
            request.account.parameters.push(created)
          } else {
            const [oldest] = parameter.versions
            if (parameter.versions.length >= mostVersions && oldest !== undefined) {
              if (oldest.labels.length > 0)
                throw awsRefusal(
                  'ParameterMaxVersionLimitExceeded',
                  `The oldest version of ${parameter.name} bears a label; move it before a new version is made.`,
                )
              parameter.versions.shift()
            }
            lag.changing(parameter, metadata(request, parameter))
            parameter.versions.push(made)
          }
          return { Version: made.version, Tier: tier }
        },
      ),
      GetParameter: action(
        z.strictObject({ Name: name, WithDecryption: z.boolean().default(false) }),
        (input, request) => {
          request.throttle('ssm.get')
          const found = read(request, 'GetParameter', input.Name, input.WithDecryption)
          if (found === undefined) throw awsRefusal('ParameterNotFound', '')
          return { Parameter: found }
        },
      ),
      GetParameters: action(
        z.strictObject({
          Names: z.array(name).min(1).max(10),
          WithDecryption: z.boolean().default(false),
        }),
        (input, request) => {
          request.throttle('ssm.get')
          const found = input.Names.map(
            (one) => [one, read(request, 'GetParameters', one, input.WithDecryption)] as const,
          )
          return {
            Parameters: found.flatMap(([, parameter]) => parameter ?? []),
            InvalidParameters: found.flatMap(([one, parameter]) => (parameter === undefined ? one : [])),
          }
        },
      ),
      GetParameterHistory: action(
        z.strictObject({
          Name: name,
          WithDecryption: z.boolean().default(false),
          MaxResults: z.int().min(1).max(50).default(50),
          NextToken: z.string().optional(),
        }),
        (input, request) => {
          request.throttle('ssm.get')
          const parameter = must(find(request, 'GetParameterHistory', input.Name))
          const offset = page(input.NextToken)
          const end = offset + input.MaxResults
          return {
            Parameters: parameter.versions.slice(offset, end).map((version) => ({
              ...valueOf(request, parameter, version, input.WithDecryption),
              Labels: version.labels,
              Tier: version.tier,
              LastModifiedUser: version.by,
            })),
            ...(end < parameter.versions.length ? { NextToken: pageToken(end) } : {}),
          }
        },
      ),
      DescribeParameters: action(
        z.strictObject({
          MaxResults: z.int().min(1).max(50).default(50),
          NextToken: z.string().optional(),
          ParameterFilters: z
            .array(
              z.strictObject({
                Key: z.string(),
                Option: z.enum(['Equals', 'BeginsWith', 'Contains']).default('Equals'),
                Values: z.array(z.string()).optional(),
              }),
            )
            .default([]),
        }),
        (input, request) => {
          request.allow('ssm:DescribeParameters', '*')
          request.throttle('ssm.get')
          const test = {
            Equals: (text: string, wanted: string) => text === wanted,
            BeginsWith: (text: string, wanted: string) => text.startsWith(wanted),
            Contains: (text: string, wanted: string) => text.includes(wanted),
          }
          const matching = lag
            .visible(all(request))
            .filter((parameter) =>
              input.ParameterFilters.every(({ Key, Option, Values }) => {
                const text =
                  Key === 'Name'
                    ? parameter.name
                    : Key === 'Type'
                      ? newest(parameter).type
                      : Key.startsWith('tag:')
                        ? parameter.tags[Key.slice(4)]
                        : undefined
                if (text === undefined && !Key.startsWith('tag:'))
                  throw awsRefusal('InvalidFilterKey', 'The specified key is not valid.')
                if (text === undefined) return false
                return Values === undefined || Values.some((wanted) => test[Option](text, wanted))
              }),
            )
            .sort((a, b) => (a.name < b.name ? -1 : 1))
          const offset = page(input.NextToken)
          const end = offset + input.MaxResults
          return {
            Parameters: matching
              .slice(offset, end)
              .map((one) => lag.shown(one, () => metadata(request, one))),
            ...(end < matching.length ? { NextToken: pageToken(end) } : {}),
          }
        },
      ),
      LabelParameterVersion: change(
        z.strictObject({
          Name: name,
          ParameterVersion: z.int().min(1).optional(),
          Labels: z.array(z.string().min(1)).min(1).max(mostLabels),
        }),
        (input, request) => {
          const parameter = must(find(request, 'LabelParameterVersion', input.Name))
          request.throttle('ssm.put')
          const version =
            input.ParameterVersion === undefined
              ? newest(parameter)
              : parameter.versions.find((one) => one.version === input.ParameterVersion)
          if (version === undefined)
            throw awsRefusal('ParameterVersionNotFound', 'The specified parameter version wasn’t found.')
          const good = (label: string) =>
            /^[A-Za-z_.-][\w.-]{0,99}$/.test(label) && !/^(aws|ssm)/i.test(label)
          const fitting = input.Labels.filter(good)
          if (new Set([...version.labels, ...fitting]).size > mostLabels)
            throw awsRefusal(
              'ParameterVersionLabelLimitExceeded',
              'A parameter version can have maximum 10 labels.',
            )
          for (const one of parameter.versions)
            one.labels = one.labels.filter((label) => !fitting.includes(label))
          version.labels.push(...fitting)
          return {
            InvalidLabels: input.Labels.filter((label) => !good(label)),
            ParameterVersion: version.version,
          }
        },
      ),
      DeleteParameter: change(z.strictObject({ Name: name }), (input, request) => {
        const parameter = must(find(request, 'DeleteParameter', input.Name))
        request.throttle('ssm.put')
        request.account.parameters.splice(request.account.parameters.indexOf(parameter), 1)
        return {}
      }),
      AddTagsToResource: change(tagged.extend({ Tags: tagList }), (input, request) => {
        const tags = asTags(input.Tags)
        const parameter = must(
          find(request, 'AddTagsToResource', input.ResourceId, requestTags(tags)),
          'InvalidResourceId',
        )
        request.throttle('ssm.tag')
        if (Object.keys({ ...parameter.tags, ...tags }).length > 50)
          throw awsRefusal('TooManyTagsError', 'A resource can have at most 50 tags.')
        parameter.tags = { ...parameter.tags, ...tags }
        return {}
      }),
      RemoveTagsFromResource: change(tagged.extend({ TagKeys: tagKeys }), (input, request) => {
        const parameter = must(
          find(request, 'RemoveTagsFromResource', input.ResourceId, { 'aws:TagKeys': input.TagKeys }),
          'InvalidResourceId',
        )
        request.throttle('ssm.tag')
        parameter.tags = Object.fromEntries(
          Object.entries(parameter.tags).filter(([key]) => !input.TagKeys.includes(key)),
        )
        return {}
      }),
      ListTagsForResource: action(tagged, (input, request) => {
        request.throttle('ssm.tag')
        const parameter = must(find(request, 'ListTagsForResource', input.ResourceId), 'InvalidResourceId')
        return { TagList: asTagList(parameter.tags) }
      }),
    },
  })
}
