import { DeleteParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { awsAccount, awsPerson, foreignCloud } from './aws.fixture.ts'
import { AWS_PARAMETER_STORE, awsParameterStoreTarget } from './aws-parameter-store.ts'
import { targetContract } from './target.contract.ts'

targetContract('AWS Parameter Store', AWS_PARAMETER_STORE, async () => {
  const { twin, world } = await foreignCloud()
  for (const limit of ['ssm.get', 'ssm.put', 'ssm.tag'] as const)
    twin.throttle.set(limit, { capacity: 1000, perSecond: 1000 })
  const { account, parameters } = awsPerson(twin)
  const put = async (Name: string, Value: string, Overwrite: boolean) =>
    void (await parameters.send(new PutParameterCommand({ Name, Value, Type: 'SecureString', Overwrite })))
  let names = 0
  return {
    target: awsParameterStoreTarget(awsAccount, world),
    plant: (name, value) => put(name, value, false),
    tamper: (name, value) => put(name, value, true),
    drop: async (name) => void (await parameters.send(new DeleteParameterCommand({ Name: name }))),
    served: async (name) =>
      account.parameters.find((one) => one.name === name)?.versions.at(-1)?.value ?? null,
    name: (topic) => `/contract/${topic}-${++names}`,
    value: (topic) => `a value of ${topic}`,
    close: () => twin.stop(),
  }
})
