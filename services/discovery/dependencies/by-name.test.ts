import { describe, expect, test } from 'vitest'
import { namedReferences } from './by-name.ts'
import { containerReferences, containerSettings } from './container-app.ts'

const vaults = new Set(['kv-orders', 'kv-mail'])

describe('namedReferences()', () => {
  test('guesses a dependency where settings name one vault and a secret', () => {
    expect(
      namedReferences(
        [
          ['KEY_VAULT_NAME', 'KV-Orders'],
          ['DB_PASSWORD_SECRET_NAME', 'orders-db'],
          ['NODE_ENV', 'production'],
        ],
        vaults,
      ),
    ).toEqual([
      { setting: 'DB_PASSWORD_SECRET_NAME', vaultName: 'kv-orders', secretName: 'orders-db', status: null },
    ])
  })

  test('knows a vault by its address too', () => {
    expect(
      namedReferences(
        [
          ['VaultUri', 'https://kv-mail.vault.azure.net/'],
          ['SmtpSecretName', 'smtp'],
        ],
        vaults,
      ),
    ).toHaveLength(1)
  })

  test.each([
    [
      'no vault of ours',
      [
        ['VAULT', 'kv-elsewhere'],
        ['DB_SECRET_NAME', 'db'],
      ],
    ],
    [
      'two vaults',
      [
        ['A', 'kv-orders'],
        ['B', 'kv-mail'],
        ['DB_SECRET_NAME', 'db'],
      ],
    ],
    [
      'a value that is no name of a secret',
      [
        ['A', 'kv-orders'],
        ['DB_SECRET_NAME', 'two words'],
      ],
    ],
    [
      'no setting that names a secret',
      [
        ['A', 'kv-orders'],
        ['DB', 'orders-db'],
      ],
    ],
  ] as const)('guesses nothing with %s', (_, settings) => {
    expect(namedReferences(settings, vaults)).toEqual([])
  })
})

describe('a container app', () => {
  test('refers to a vault by the address of a secret, with or without a version', () => {
    expect(
      containerReferences([
        { name: 'db', keyVaultUrl: 'https://kv-orders.vault.azure.net/secrets/orders-db' },
        { name: 'mail', keyVaultUrl: 'https://kv-mail.vault.azure.net/secrets/smtp/0123456789abcdef' },
        { name: 'literal' },
        { name: 'broken', keyVaultUrl: 'kv-orders/secrets/db' },
        { name: 'key', keyVaultUrl: 'https://kv-orders.vault.azure.net/keys/wrap' },
      ]).map(({ setting, vaultName, secretName }) => `${setting} ${vaultName}/${secretName}`),
    ).toEqual(['db kv-orders/orders-db', 'mail kv-mail/smtp'])
  })

  test('shows the plain part of its environment, and nothing where there is none', () => {
    expect(
      containerSettings([
        {
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: null },
          ],
        },
        { env: null },
      ]),
    ).toEqual([['A', '1']])
    expect(containerSettings(undefined)).toEqual([])
  })
})
