import type { CredentialSubject } from '@attestry/contracts'
import { Denied, Secret } from '@attestry/kit'
import { type Azure, call, readOptions, writeOptions } from '../azure/call.ts'
import type { ResourceManager } from '../azure/rights.ts'
import { serviceBusSignIn } from '../azure/shared-keys.ts'
import { placeOf, resourceRights } from './resource.ts'
import type { TwoKeys } from './two-keys.ts'

const TYPE = 'Microsoft.ServiceBus/namespaces'
const KEY_TYPES = { primaryKey: 'PrimaryKey', secondaryKey: 'SecondaryKey' } as const

/** The two keys of a namespace's authorization rule. @see https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas */
export function serviceBusKeys(azure: Azure, manager: ResourceManager): TwoKeys {
  const { credential } = azure.access
  const signIn = serviceBusSignIn(azure)
  const at = ({ at: id, part }: CredentialSubject) => {
    if (part === null) throw new Denied('NoRule', 'The plan does not say which authorization rule this is')
    return { ...placeOf(id, TYPE), rule: part }
  }
  // Loaded when first needed: an install that rotates no Service Bus key never pays for it.
  const client = async (subscription: string, options: ReturnType<typeof readOptions>) => {
    const { ServiceBusManagementClient } = await import('@azure/arm-servicebus')
    return new ServiceBusManagementClient(credential, subscription, options)
  }

  return {
    kind: 'servicebus-key',
    slots: ['primaryKey', 'secondaryKey'],
    inConnection: /SharedAccessKey=([^;]+)/,
    connection: (subject, key) =>
      `Endpoint=sb://${at(subject).name}.servicebus.windows.net/;SharedAccessKeyName=${at(subject).rule};SharedAccessKey=${key}`,
    list: (subject, signal) =>
      call(azure, signal, async (abortSignal) => {
        const { subscription, group, name, rule } = at(subject)
        const answer = await (await client(subscription, readOptions(azure))).namespaces.listKeys(
          group,
          name,
          rule,
          { abortSignal },
        )
        return new Map(
          (['primaryKey', 'secondaryKey'] as const).flatMap((slot) => {
            const value = answer[slot]
            return value === undefined ? [] : [[slot, { key: new Secret(value), madeAt: null }] as const]
          }),
        )
      }),
    regenerate: (subject, slot, signal) =>
      call(azure, signal, async (abortSignal) => {
        const { subscription, group, name, rule } = at(subject)
        if (slot !== 'primaryKey' && slot !== 'secondaryKey')
          throw new Denied('NoSlot', 'A rule has no such key')
        const answer = await (await client(subscription, writeOptions(azure))).namespaces.regenerateKeys(
          group,
          name,
          rule,
          { keyType: KEY_TYPES[slot] },
          { abortSignal },
        )
        const value = answer[slot]
        if (value === undefined)
          throw new Denied('UnreadableAnswer', 'The namespace did not answer with its new key')
        return new Secret(value)
      }),
    signIn: (subject, key, now, signal) => {
      const { name, rule } = at(subject)
      return signIn(name, rule, key, now, signal)
    },
    preflight: (subject, signal) =>
      resourceRights(manager, subject, '2021-11-01', signal, [
        { action: `${TYPE}/authorizationRules/listkeys/action`, why: 'to tell which key is in use' },
        { action: `${TYPE}/authorizationRules/regenerateKeys/action`, why: 'to make a key anew' },
      ]),
  }
}
