import type { AwsSecret, AwsSecretVersion } from './account.ts'
import { awsRefusal } from './json-service.ts'

/** A value has at most so many bytes, a secret about so many versions. */
const largestValue = 65_536
const versionQuota = 100
const daySeconds = 86_400

export interface Value {
  readonly SecretString?: string | undefined
  readonly SecretBinary?: string | undefined
}

/** @throws Refusal InvalidParameterException unless there is one value of a fitting size */
export function checkValue({ SecretString: text, SecretBinary: binary }: Value): void {
  if (text !== undefined && binary !== undefined)
    throw awsRefusal('InvalidParameterException', 'You can’t specify both a SecretString and a SecretBinary.')
  const bytes = text === undefined ? Buffer.from(binary ?? '', 'base64').length : Buffer.byteLength(text)
  if (bytes > largestValue)
    throw awsRefusal(
      'InvalidParameterException',
      `1 validation error detected: Value at '${text === undefined ? 'secretBinary' : 'secretString'}' failed to satisfy constraint: Member must have length less than or equal to ${largestValue}`,
    )
}

const same = (version: AwsSecretVersion, { SecretString, SecretBinary }: Value) =>
  version.text === (SecretString ?? null) && version.binary === (SecretBinary ?? null)

/** Takes a label from whatever version bears it; AWSCURRENT leaves AWSPREVIOUS behind. */
export function moveStage(secret: AwsSecret, stage: string, to: AwsSecretVersion): void {
  const from = secret.versions.find(({ stages }) => stages.includes(stage))
  if (from === to) return
  if (from !== undefined) {
    from.stages = from.stages.filter((one) => one !== stage)
    if (stage === 'AWSCURRENT') {
      for (const version of secret.versions)
        version.stages = version.stages.filter((one) => one !== 'AWSPREVIOUS')
      from.stages.push('AWSPREVIOUS')
    }
  }
  to.stages = [...to.stages.filter((one) => stage !== 'AWSCURRENT' || one !== 'AWSPREVIOUS'), stage]
}

/**
 * Adds a version under the caller's token. The same token with the same value changes nothing, with another value it
 * is refused.
 * @throws Refusal ResourceExistsException, and LimitExceededException when no version may be dropped for it
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
 */
export function addVersion(
  secret: AwsSecret,
  token: string,
  value: Value,
  stages: readonly string[],
  now: number,
): AwsSecretVersion {
  checkValue(value)
  const known = secret.versions.find(({ id }) => id === token)
  if (known !== undefined) {
    if (same(known, value)) return known
    throw awsRefusal(
      'ResourceExistsException',
      'A resource with the ID you requested already exists: You can’t use ClientRequestToken for a different value.',
    )
  }
  // Versions without a label are dropped above the quota, but none younger than a day.
  while (secret.versions.length >= versionQuota) {
    const old = secret.versions.findIndex(
      (version) => version.stages.length === 0 && version.created < now - daySeconds,
    )
    if (old < 0)
      throw awsRefusal(
        'LimitExceededException',
        'You have reached the maximum number of versions for this secret.',
      )
    secret.versions.splice(old, 1)
  }
  const made: AwsSecretVersion = {
    id: token,
    created: now,
    stages: [],
    text: value.SecretString ?? null,
    binary: value.SecretBinary ?? null,
  }
  secret.versions.push(made)
  for (const stage of stages) moveStage(secret, stage, made)
  return made
}
