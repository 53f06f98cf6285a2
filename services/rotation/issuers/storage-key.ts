import type { CredentialSubject } from '@attestry/contracts'
import { Denied, Secret } from '@attestry/kit'
import { type Azure, call, readOptions, writeOptions } from '../azure/call.ts'
import type { ResourceManager } from '../azure/rights.ts'
import { storageSignIn } from '../azure/shared-keys.ts'
import { placeOf, resourceRights } from './resource.ts'
import type { TwoKeys } from './two-keys.ts'

const TYPE = 'Microsoft.Storage/storageAccounts'

/** The two keys of a storage account. @see https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage */
export function storageKeys(azure: Azure, manager: ResourceManager): TwoKeys {
  const { credential } = azure.access
  const signIn = storageSignIn(azure)
  const at = ({ at: id }: CredentialSubject) => placeOf(id, TYPE)
  // Loaded when first needed: an install that rotates no storage key never pays for it.
  const client = async (subscription: string, options: ReturnType<typeof readOptions>) => {
    const { StorageManagementClient } = await import('@azure/arm-storage')
    return new StorageManagementClient(credential, subscription, options)
  }

  return {
    kind: 'storage-key',
    slots: ['key1', 'key2'],
    inConnection: /AccountKey=([^;]+)/,
    connection: (subject, key) =>
      `DefaultEndpointsProtocol=https;AccountName=${at(subject).name};AccountKey=${key};EndpointSuffix=core.windows.net`,
    list: (subject, signal) =>
      call(azure, signal, async (abortSignal) => {
        const { subscription, group, name } = at(subject)
        const { keys = [] } = await (await client(subscription, readOptions(azure))).storageAccounts.listKeys(
          group,
          name,
          {
            abortSignal,
          },
        )
        return new Map(
          keys.flatMap(({ keyName, value, creationTime }) =>
            keyName === undefined || value === undefined
              ? []
              : [[keyName, { key: new Secret(value), madeAt: creationTime?.toISOString() ?? null }] as const],
          ),
        )
      }),
    regenerate: (subject, slot, signal) =>
      call(azure, signal, async (abortSignal) => {
        const { subscription, group, name } = at(subject)
        const { keys = [] } = await (
          await client(subscription, writeOptions(azure))
        ).storageAccounts.regenerateKey(group, name, { keyName: slot }, { abortSignal })
        const value = keys.find(({ keyName }) => keyName === slot)?.value
        if (value === undefined)
          throw new Denied('UnreadableAnswer', 'The account did not answer with its new key')
        return new Secret(value)
      }),
    signIn: (subject, key, now, signal) => signIn(at(subject).name, key, now, signal),
    preflight: (subject, signal) =>
      resourceRights(manager, subject, '2024-01-01', signal, [
        { action: `${TYPE}/listKeys/action`, why: 'to tell which key is in use' },
        { action: `${TYPE}/regenerateKey/action`, why: 'to make a key anew' },
      ]),
  }
}
