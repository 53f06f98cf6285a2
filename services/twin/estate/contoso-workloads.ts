import type { EstateBuilder } from './builder.ts'
import type { Vault } from './estate.ts'

interface Subscriptions {
  readonly payments: string
  readonly identity: string
  readonly data: string
  readonly legacy: string
}

/**
 * What runs in contoso and how it comes by its credentials: well-kept apps refer to Key Vault, a few name vault
 * and secret in plain settings (their code fetches it), and some carry the credential itself.
 */
export function contosoWorkloads(build: EstateBuilder, ids: Subscriptions) {
  const vault = (name: string): Vault => {
    const found = build.estate.vaults.find((one) => one.name === name)
    if (found === undefined) throw new Error(`There is no vault ${name}.`)
    return found
  }
  const from = (name: string, secret: string, form?: 'uri' | 'names') =>
    build.reference(vault(name), secret, form)
  const source = (name: string, secret: string) => ({ vault: vault(name), secret })
  const at = (subscription: string, resourceGroup: string) => ({ subscription, resourceGroup })
  const payments = at(ids.payments, 'rg-payments')
  const checkout = at(ids.payments, 'rg-checkout')
  const identity = at(ids.identity, 'rg-identity')
  const data = at(ids.data, 'rg-data')
  const legacy = at(ids.legacy, 'rg-legacy')

  build.site('app-payments-api', 'app', payments, {
    ACQUIRER_API_KEY: from('kv-payments-prod', 'acquirer-gateway-api-key'),
    PAYMENTS_DB: from('kv-payments-prod', 'payments-db-connection', 'names'),
    CARD_VAULT_HMAC: from('kv-payments-prod', 'card-vault-hmac'),
    THREE_DS_CREDENTIAL: from('kv-payments-prod', '3ds-server-credential'),
    WEBSITE_RUN_FROM_PACKAGE: '1',
  })
  build.site('func-settlement', 'functionapp', payments, {
    SFTP_PASSPHRASE: from('kv-payments-prod', 'settlement-sftp-passphrase'),
    PAYOUT_CLIENT_SECRET: from('kv-payments-prod', 'payout-bank-client-secret', 'names'),
    SETTLEMENT_CERTIFICATE: from('kv-payments-prod', 'settlement-mtls'),
    FUNCTIONS_WORKER_RUNTIME: 'dotnet-isolated',
  })
  build.containerApp(
    'ca-chargeback-worker',
    payments,
    {
      'portal-token': source('kv-payments-prod', 'chargeback-portal-token'),
      'sepa-key': source('kv-payments-prod', 'sepa-direct-debit-key'),
    },
    { QUEUE: 'chargebacks' },
  )
  // Names vault and secret; its code fetches the value, so the dependency can only be guessed.
  build.site('app-ledger-ui', 'app', payments, {
    KEY_VAULT_NAME: 'kv-payments-stg',
    DB_PASSWORD_SECRET_NAME: 'payments-db-password',
    NODE_ENV: 'production',
  })
  build.site('app-payments-stg', 'app', payments, {
    ACQUIRER_API_KEY: from('kv-payments-stg', 'acquirer-gateway-api-key'),
    PAYMENTS_DB: from('kv-payments-stg', 'payments-db-connection'),
    WEBHOOK_KEY: from('kv-payments-stg', 'webhook-signing-key', 'names'),
    RETIRED_KEY: from('kv-payments-stg', 'no-longer-there'),
  })
  build.site('app-checkout', 'app', checkout, {
    REDIS: from('kv-checkout-prod', 'cart-redis-connection'),
    FRAUD_TOKEN: from('kv-checkout-prod', 'fraud-score-token'),
    LOYALTY_CLIENT_SECRET: from('kv-checkout-prod', 'loyalty-points-client-secret', 'names'),
    SESSION_KEY: from('kv-checkout-prod', 'checkout-session-signing-key'),
  })
  build.site('func-order-mail', 'functionapp', checkout, {
    SENDGRID_API_KEY: from('kv-checkout-prod', 'sendgrid-api-key'),
    ADDRESS_LOOKUP_KEY: from('kv-checkout-prod', 'address-lookup-api-key'),
  })
  build.site('app-checkout-legacy', 'app', checkout, {
    ConnectionStrings__Orders: `Server=tcp:sql-orders.database.contoso.example,1433;Database=orders;User ID=orders_app;Password=${build.canary('setting app-checkout-legacy sql')};Encrypt=True`,
    STRIPE_SECRET_KEY: build.canary('setting app-checkout-legacy stripe'),
    LOG_LEVEL: 'warning',
  })
  build.site('func-scim-provisioning', 'functionapp', identity, {
    SCIM_TOKEN: from('kv-identity-prod', 'scim-provisioning-token'),
    HR_FEED_SECRET: from('kv-identity-prod', 'hr-feed-client-secret', 'names'),
    ENTRA_SYNC: from('kv-identity-prod', 'entra-connect-sync-credential'),
  })
  build.containerApp('ca-mfa-gateway', identity, {
    'duo-key': source('kv-identity-mfa', 'duo-integration-key'),
    'sms-token': source('kv-identity-mfa', 'sms-gateway-auth-token'),
    'push-key': source('kv-identity-mfa', 'push-notification-key'),
  })
  build.site('func-lake-ingest', 'functionapp', data, {
    LAKE_KEY: from('kv-data-lake', 'storage-account-lake-key1'),
    EVENT_HUB: from('kv-data-lake', 'eventhub-ingest-connection', 'names'),
    DATABRICKS_TOKEN: from('kv-data-lake', 'databricks-workspace-token'),
  })
  build.containerApp('ca-dbt-runner', data, {
    'dbt-account': source('kv-data-warehouse', 'dbt-service-account'),
  })
  const lake = vault('kv-data-lake').secrets
  const lakeAccount = build.storageAccount(
    'stcontosolake',
    data,
    lake['storage-account-lake-key1']?.versions.at(-1)?.value,
  )
  const second = lake['storage-account-lake-key2']?.versions.at(-1)?.value
  for (const key of lakeAccount.keys) if (key.name === 'key2' && second !== undefined) key.value = second
  build.serviceBusNamespace('sb-contoso-payments', payments, 'settlement')
  build.site('func-erp-bridge', 'functionapp', legacy, {
    ERP_DB: from('kv-legacy-erp', 'erp-db-connection-string'),
    SAP_PASSWORD: build.canary('setting func-erp-bridge sap'),
    AzureWebJobsStorage: `DefaultEndpointsProtocol=https;AccountName=sterpbridge;AccountKey=${build.canary('setting func-erp-bridge storage')};EndpointSuffix=core.contoso.example`,
  })
  build.site('func-batch-runner', 'functionapp', legacy, {
    VaultUri: 'https://kv-legacy-batch.vault.azure.net/',
    FtpSecretName: 'ftp-drop-credential',
    SCHEDULE: '0 0 3 * * *',
  })
  build.containerApp(
    'ca-crm-connector',
    legacy,
    {
      'crm-account': source('kv-legacy-crm', 'crm-service-account'),
      'smtp-password': build.canary('secret ca-crm-connector smtp'),
    },
    { SALESFORCE_API_TOKEN: build.canary('env ca-crm-connector salesforce'), REGION: 'eu' },
  )
}
