import {
  AddTagsToResourceCommand,
  DeleteParameterCommand,
  DescribeParametersCommand,
  ListTagsForResourceCommand,
  type ParameterMetadata,
  PutParameterCommand,
} from '@aws-sdk/client-ssm'
import { refuse } from '@attestry/kit'
import type { Account, World } from './access.ts'
import { awsCode } from './aws-failure.ts'
import { awsAccess } from './aws-sign-in.ts'
import { AWS_TAGS, tagList, tagsOf } from './aws-tags.ts'
import { unfit } from './fit.ts'
import {
  type Capabilities,
  markOf,
  type RemoteEntry,
  type Target,
  type TargetRefusal,
  type Write,
} from './target.ts'
import { pagesByToken } from './token-pages.ts'

/*
 * AWS Systems Manager Parameter Store, as SecureString. The listing shows a number that grows with every write, and the
 * description, which is written in the same request as the value: it names the source version and the number that it
 * got, so that a description which outlived its value is told from one that belongs to it.
 */

const STANDARD_CHARACTERS = 4_096

export const AWS_PARAMETER_STORE: Capabilities = {
  kind: 'aws-parameter-store',
  takes: 'secrets',
  foldsCase: false,
  name: {
    pattern: /^(?!\/?(aws|ssm))(\/[\w.-]+){1,15}$|^(?!aws|ssm)[\w.-]+$/i,
    says: 'be a word, or a path of up to 15 words behind slashes, of letters, digits and _ . -, and not begin with aws or ssm',
  },
  // Above 4,096 characters a parameter is an advanced one, which AWS bills.
  value: { minBytes: 1, maxBytes: 8_192, binary: false },
  tags: AWS_TAGS,
  marks: 'object',
  drift: 'listed',
  disables: false,
  restores: false,
  // 3 a second, of which a copy takes one and others theirs.
  writesPerMinute: 120,
  writeEveryMs: null,
  inFlight: 2,
}

const PAGE = 50
/** What is written into a description: for whom, which source version, and the number it should get. */
const DESCRIPTION = /^Copied by Attestry from source version (\S+) as version (\d+)$/
const description = (sourceVersion: string, number: number): string =>
  `Copied by Attestry from source version ${sourceVersion} as version ${number}`

const stampOf = (version: number, servedSource: string | null): string => `${version} ${servedSource ?? '-'}`

function entryOf(shown: ParameterMetadata, mark: RemoteEntry['mark']): RemoteEntry {
  const version = shown.Version ?? 0
  const [, source, number] = DESCRIPTION.exec(shown.Description ?? '') ?? []
  const servedSource = source !== undefined && Number(number) === version ? source : null
  return {
    name: shown.Name ?? '',
    id: shown.ARN ?? shown.Name ?? '',
    state: 'live',
    mark,
    version: String(version),
    servedSource,
    stamp: stampOf(version, servedSource),
  }
}

function refusalOf(error: unknown): TargetRefusal {
  const code = awsCode(error)
  if (code === 'ParameterAlreadyExists') return refuse('exists', 'A parameter of this name is there already.')
  if (/^(ParameterNotFound|InvalidResourceId)$/.test(code))
    return refuse('gone', 'The parameter is not there any more.')
  if (/^(ParameterLimitExceeded|ParameterMaxVersionLimitExceeded|TooManyTagsError)$/.test(code))
    return refuse('limit', 'AWS keeps no more: the quota of parameters, versions or tags is reached.')
  throw error
}

/** Writes copies to AWS Parameter Store. */
export function awsParameterStoreTarget(account: Account, world: World): Target {
  const { parameters, ask, account: whoAmI } = awsAccess(account, world)

  async function shownAs(name: string, abortSignal: AbortSignal): Promise<ParameterMetadata | null> {
    const answer = await ask(() =>
      parameters.send(
        new DescribeParametersCommand({
          ParameterFilters: [{ Key: 'Name', Option: 'Equals', Values: [name] }],
        }),
        { abortSignal },
      ),
    )
    return answer.Parameters?.find((one) => one.Name === name) ?? null
  }
  async function describe(name: string, abortSignal: AbortSignal): Promise<RemoteEntry | null> {
    const shown = await shownAs(name, abortSignal)
    if (!shown) return null
    try {
      const { TagList } = await ask(() =>
        parameters.send(new ListTagsForResourceCommand({ ResourceType: 'Parameter', ResourceId: name }), {
          abortSignal,
        }),
      )
      return entryOf(shown, markOf(tagsOf(TagList)))
    } catch (error) {
      if (awsCode(error) === 'InvalidResourceId') return null
      throw error
    }
  }
  const valueOf = (name: string, { value, mark }: Write, number: number) => {
    const text = value.bytes.text()
    return {
      Name: name,
      Value: text,
      Type: 'SecureString' as const,
      Tier: text.length > STANDARD_CHARACTERS ? ('Advanced' as const) : ('Standard' as const),
      Description: description(mark.sourceVersion, number),
    }
  }

  return {
    can: AWS_PARAMETER_STORE,
    async test(signal) {
      const reached = await whoAmI(signal)
      await ask(() =>
        parameters.send(new DescribeParametersCommand({ MaxResults: 1 }), { abortSignal: signal }),
      )
      return { account: reached }
    },
    // 110,000 parameters are the most that a region holds.
    list: (signal) =>
      pagesByToken(2_200, signal, async (token) => {
        const answer = await ask(() =>
          parameters.send(
            new DescribeParametersCommand({
              MaxResults: PAGE,
              ...(token === undefined ? {} : { NextToken: token }),
            }),
            { abortSignal: signal },
          ),
        )
        const page = (answer.Parameters ?? []).map((shown) => entryOf(shown, 'unseen'))
        return { page, next: answer.NextToken }
      }),
    describe,
    async create(name, write, abortSignal) {
      const refusal = unfit(write.value, AWS_PARAMETER_STORE, 'Parameter Store')
      if (refusal) return refusal
      try {
        await ask(() =>
          parameters.send(
            new PutParameterCommand({
              ...valueOf(name, write, 1),
              Overwrite: false,
              Tags: tagList(write.mark, write.metadata, AWS_TAGS),
            }),
            { abortSignal },
          ),
        )
        const shown = await shownAs(name, abortSignal)
        return {
          id: shown?.ARN ?? name,
          version: '1',
          stamp: stampOf(1, write.mark.sourceVersion),
          marked: true,
        }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async put(entry, write, abortSignal) {
      const refusal = unfit(write.value, AWS_PARAMETER_STORE, 'Parameter Store')
      if (refusal) return refusal
      try {
        const shown = await shownAs(entry.name, abortSignal)
        if (!shown) return refuse('gone', 'The parameter is not there any more.')
        const now = entryOf(shown, 'unseen')
        const { sourceVersion } = write.mark
        if (now.servedSource === sourceVersion && now.version !== null)
          return { id: now.id, version: now.version, stamp: now.stamp, marked: false }
        const expected = (shown.Version ?? 0) + 1
        const { Version = 0 } = await ask(() =>
          parameters.send(
            new PutParameterCommand({ ...valueOf(entry.name, write, expected), Overwrite: true }),
            { abortSignal },
          ),
        )
        return {
          id: now.id,
          version: String(Version),
          stamp: stampOf(Version, Version === expected ? sourceVersion : null),
          marked: false,
        }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async mark(entry, mark, metadata, abortSignal) {
      try {
        await ask(() =>
          parameters.send(
            new AddTagsToResourceCommand({
              ResourceType: 'Parameter',
              ResourceId: entry.name,
              Tags: tagList(mark, metadata, AWS_TAGS),
            }),
            { abortSignal },
          ),
        )
        return { stamp: entry.stamp }
      } catch (error) {
        return refusalOf(error)
      }
    },
    restore: () => Promise.resolve(refuse('gone', 'A deleted parameter does not come back.')),
    disable: () =>
      Promise.resolve(refuse('gone', 'Parameter Store cannot keep a parameter and not serve it.')),
    async remove(entry, abortSignal) {
      try {
        await ask(() => parameters.send(new DeleteParameterCommand({ Name: entry.name }), { abortSignal }))
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        return refusal.refused === 'gone' ? null : refusal
      }
    },
    // The oldest of a hundred versions goes by itself.
    trim: () => Promise.resolve(),
  }
}
