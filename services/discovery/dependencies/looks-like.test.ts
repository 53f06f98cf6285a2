import { describe, expect, test } from 'vitest'
import { looksLike } from './looks-like.ts'

const secret40 = 'abcdefghij0123456789ABCDEFGHIJklmnopqrst'

describe('looksLike() takes for a credential', () => {
  test.each([
    [
      'ConnectionStrings__Orders',
      'Server=tcp:sql.example;User ID=app;Password=pa55-w0rd;Encrypt=True',
      'connection-string',
    ],
    [
      'AzureWebJobsStorage',
      `DefaultEndpointsProtocol=https;AccountName=st;AccountKey=${'A'.repeat(86)}==`,
      'connection-string',
    ],
    [
      'ServiceBus',
      'Endpoint=sb://ns.example/;SharedAccessKeyName=send;SharedAccessKey=c29tZSBrZXkgdmFsdWU=',
      'connection-string',
    ],
    ['DATABASE_URL', 'postgres://app:pa55@db.example/orders', 'connection-string'],
    ['REDIS', 'rediss://:pa55@cache.example:6380', 'connection-string'],
    ['StorageKey', `${'Zx9+'.repeat(21)}Qw==`, 'account-key'],
    ['ANYTHING', 'abc8Q~0123456789abcdefghijABCDEFGHIJ-_.~', 'client-secret'],
    ['AUTH', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiaXNzIjoiYiJ9.c2lnbmF0dXJl', 'token'],
    ['DEPLOY', `ghp_${secret40.slice(0, 36)}`, 'token'],
    ['BLOB', 'https://st.example/c?sv=2024-11-04&sig=abcdefghijklmnopqrstuvwxyz%3D', 'token'],
    ['GRAPH_CLIENT_SECRET', 'not-a-known-shape', 'client-secret'],
    ['SMTP_PASSWORD', 'hunter22', 'password'],
    ['PAYMENT_API_KEY', secret40, 'account-key'],
    ['SLACK_TOKEN', secret40, 'token'],
    ['WEBHOOK_SECRET', secret40, 'password'],
  ] as const)('%s', (name, value, kind) => {
    expect(looksLike(name, value)).toBe(kind)
  })
})

describe('looksLike() takes for none', () => {
  test.each([
    ['PASSWORD', '@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/db/)'],
    ['DB_PASSWORD', '@Microsoft.KeyVault(VaultName=kv;SecretName=db)'],
    ['DB_PASSWORD', ''],
    ['DB_PASSWORD', 'true'],
    ['REQUIRE_PASSWORD', '1'],
    ['CLIENT_SECRET', '6f9619ff-8b86-d011-b42d-00c04fc964ff'],
    ['TOKEN_ENDPOINT', 'https://login.example/oauth2/token'],
    ['REFRESH_TOKEN', 'https://login.example/oauth2/token'],
    ['ConnectionStrings__Orders', 'Server=tcp:sql.example;Authentication=Active Directory Default'],
    ['LOG_LEVEL', 'warning'],
    ['BUILD_ID', secret40],
    ['PARTITION_KEY', 'customer'],
    ['SORT_KEY', 'created-at'],
    ['DB_PASSWORD_SECRET_NAME', 'payments-db-password'],
  ])('%s = %s', (name, value) => {
    expect(looksLike(name, value)).toBeNull()
  })
})
